// SPDX-License-Identifier: LGPL-2.1-or-later
// The measuring tools measured: truth, medians, errors, crossings, identities, and the original's
// suppression.
#include <gtest/gtest.h>

#include <sstream>

#include "accuracy/clips.h"
#include "accuracy/crossings.h"
#include "accuracy/identities.h"
#include "accuracy/original.h"
#include "accuracy/recording.h"
#include "accuracy/score.h"
#include "accuracy/truth.h"

using namespace npc::accuracy;

namespace {

Truth truth_of(const std::string &text) {
  std::istringstream lines(text);
  return Truth(lines);
}

std::string refusal_of(const std::string &text) {
  try {
    truth_of(text);
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

// A walker of height 100 at `step` pixels a frame, in frames 1 to `frames`.
std::string walker(int id, int frames, double step) {
  std::ostringstream lines;
  for (int frame = 1; frame <= frames; frame++)
    lines << frame << "," << id << "," << step * frame << ",50,40,100,1,0,0,0\n";
  return lines.str();
}

TrueCrossing at(int second, Way way = Way::kPlus) {
  return {second, second, way};
}

// At one frame a second.
CrossingScore score_of(std::vector<Crossing> counted, std::vector<TrueCrossing> truth) {
  return match(std::move(counted), std::move(truth), 1);
}

Seen seen(std::uint64_t id, double x) {
  return {id, {x, 0, 40, 100}};
}

struct Frame {
  std::vector<Seen> truth;
  std::vector<Seen> tracks;
};
// Somebody walks from left to right in 4 s, at 10 frames a second, from 0.5 s of the stream on.
Recording stroll() {
  Recording recording{400, 200, 10, 40, 40, {}};
  for (int frame = 0; frame < 40; frame++) {
    const npc::count::Time time = std::chrono::milliseconds(500 + 100 * frame);
    recording.detected.push_back({time,
                                  std::chrono::milliseconds(100),
                                  {{"person", {10.0 * frame - 20, 50, 40, 100}, 0.9, frame == 7}}});
  }
  return recording;
}

Identities identities_of(const std::vector<Frame> &frames) {
  IdentityScore score;
  for (const Frame &frame : frames)
    score.add(frame.truth, frame.tracks);
  return score.result();
}

}  // namespace

TEST(Truth, CountsPeopleInEachFrameFromZero) {
  const auto counts = truth_of("1,7,0,0,10,20\n3,7,0,0,10,20\n3,9,50,0,10,20\n").counts(4, 10);
  ASSERT_EQ(counts.size(), 4U);
  EXPECT_EQ(counts[0].people, 1);
  EXPECT_EQ(counts[1].people, 0);
  EXPECT_EQ(counts[2].people, 2);
  EXPECT_EQ(counts[3].people, 0);
}

TEST(Truth, MovingIsFasterThanAFifthOfTheHeightASecond) {
  // 10 frames a second: 2.1 pixels a frame are 0.21 heights a second.
  const Truth truth = truth_of(walker(1, 30, 2.1) + walker(2, 30, 1.9) + walker(3, 30, 0));
  for (const Counts &frame : truth.counts(30, 10)) {
    EXPECT_EQ(frame.people, 3);
    EXPECT_EQ(frame.moving, 1);
  }
}

TEST(Truth, SpeedIsThatOfTheBottomCentre) {
  // The box grows upwards and to both sides; its bottom centre stays.
  const auto counts = truth_of("1,1,100,100,40,100\n6,1,90,50,60,150\n").counts(6, 10);
  EXPECT_EQ(counts[0].moving, 0);
  EXPECT_EQ(counts[5].moving, 0);
}

TEST(Truth, OnePictureIsNoMotion) {
  EXPECT_EQ(truth_of("5,1,0,0,40,100\n").counts(5, 10)[4].moving, 0);
}

TEST(Truth, RefusesWhatIsNoAnnotation) {
  EXPECT_NE(refusal_of("1,1,0,0,10,20\nperson\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal_of("0,1,0,0,10,20\n").find("line 1"), std::string::npos);
  EXPECT_NE(refusal_of("1,1,0,0,0,20\n").find("line 1"), std::string::npos);
  EXPECT_NE(refusal_of("4,1,0,0,10,20\n4,1,9,0,10,20\n").find("person 1 twice in frame 4"),
            std::string::npos);
}

TEST(Score, MedianRoundsHalfUp) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 3);
  EXPECT_EQ(median({2, 2, 9, 0}), 2);
}

TEST(Score, LastWindowTakesWhatRemains) {
  const std::vector<Counts> frames = {{1, 0}, {2, 1}, {3, 1}, {7, 2}, {9, 2}};
  const auto windows = cut_windows(frames, 3);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].counted.people, 2);
  EXPECT_EQ(windows[0].counted.moving, 1);
  EXPECT_EQ(windows[1].first, 3);
  EXPECT_EQ(windows[1].last, 5);
  EXPECT_EQ(windows[1].counted.people, 8);
  EXPECT_EQ(covered_frames(windows), 5);
}

TEST(Score, ErrorsAreThoseOfTheWindows) {
  const std::vector<Counts> truth = {{5, 2}, {5, 2}, {5, 2}, {5, 2}};
  std::vector<Window> windows = {
      {0, 1, {5, 2}, {}}, {1, 2, {4, 2}, {}}, {2, 3, {6, 4}, {}}, {3, 4, {8, 2}, {}}};
  compare(windows, truth);
  const Error people = error_of(windows, &Counts::people);
  EXPECT_DOUBLE_EQ(people.mean_absolute, 1.25);
  EXPECT_DOUBLE_EQ(people.bias, 0.75);
  EXPECT_DOUBLE_EQ(people.exact, 0.25);
  EXPECT_DOUBLE_EQ(people.within_one, 0.75);
  EXPECT_DOUBLE_EQ(error_of(windows, &Counts::moving).mean_absolute, 0.5);
}

TEST(Score, ComplainsAboutWhatIsTooFarOff) {
  EXPECT_EQ(complaint(0.8, 0.8, 5.4), "");
  EXPECT_EQ(complaint(0.8, 0.8, std::nullopt), "");
  EXPECT_NE(complaint(0.81, 0.8, 5.4).find("more than 0.8"), std::string::npos);
  EXPECT_NE(complaint(0.5, 0.8, 0.5).find("original algorithm by 0.5"), std::string::npos);
}

TEST(Truth, TellsWhoIsInEachFrame) {
  const auto frames = truth_of("1,7,1,2,10,20\n3,9,50,0,10,20\n").frames(2);
  ASSERT_EQ(frames.size(), 2U);
  ASSERT_EQ(frames[0].size(), 1U);
  EXPECT_EQ(frames[0][0].id, 7U);
  EXPECT_EQ(frames[0][0].box.bottom(), 22);
  EXPECT_TRUE(frames[1].empty());
}

TEST(Crossings, MatchWithinOneAndAHalfSeconds) {
  const auto score = score_of({{1.5}, {11.6}}, {at(3), at(10)});
  EXPECT_EQ(score.plus.matched, 1);
  EXPECT_EQ(score.plus.missed(), 1);
  EXPECT_EQ(score.plus.phantom(), 1);
  EXPECT_EQ(score_of({{8.5}}, {at(10)}).plus.matched, 1);
  EXPECT_EQ(score_of({{8.49}}, {at(10)}).plus.matched, 0);
}

TEST(Crossings, MatchInSecondsWhateverTheFrameRate) {
  EXPECT_EQ(match({{4.4}}, {at(30)}, 10).plus.matched, 1);
  EXPECT_EQ(match({{4.6}}, {at(30)}, 10).plus.matched, 0);
}

TEST(Crossings, MatchInTheirDirectionOnly) {
  const auto score = score_of({{1, Way::kMinus}}, {at(1, Way::kPlus)});
  EXPECT_EQ(score.plus.missed(), 1);
  EXPECT_EQ(score.minus.phantom(), 1);
  EXPECT_EQ(score.f1(), 0);
  EXPECT_EQ(score.phantom_share(), 1);
}

TEST(Crossings, OneCountsForOnePersonOnly) {
  // Somebody who is counted twice is one phantom, and two who are counted once one miss.
  EXPECT_EQ(score_of({{1}, {1.2}}, {at(1)}).plus.phantom(), 1);
  EXPECT_EQ(score_of({{1}}, {at(1), at(2)}).plus.missed(), 1);
}

TEST(Crossings, PairsAsManyAsCanBe) {
  // The nearest for the first, the one at 2, would leave the second without any.
  EXPECT_EQ(score_of({{1.4}, {3.4}}, {at(0), at(2)}).plus.matched, 2);
  EXPECT_EQ(score_of({{3.4}, {1.4}}, {at(2), at(0)}).plus.matched, 2);
  // The moment of the first is known badly: it can wait.
  EXPECT_EQ(score_of({{5}, {9}}, {{1, 12, Way::kPlus}, at(5)}).plus.matched, 2);
}

TEST(Crossings, F1AndPhantomShare) {
  const auto score = score_of({{1}, {5}, {9}, {9, Way::kMinus}}, {at(1), at(5), at(20)});
  EXPECT_DOUBLE_EQ(score.f1(), 4.0 / 7);
  EXPECT_DOUBLE_EQ(score.phantom_share(), 0.5);
  EXPECT_EQ(score_of({}, {}).f1(), 1);
  EXPECT_EQ(score_of({}, {}).phantom_share(), 0);
  EXPECT_EQ(score_of({}, {at(1)}).f1(), 0);
}

TEST(Crossings, ComplainsAboutWhatIsTooFarOff) {
  const auto score = score_of({{1}, {5}, {9}}, {at(1), at(5), at(20)});
  EXPECT_EQ(complaint(score, 0.6, 0.5), "");
  EXPECT_EQ(complaint(score, std::nullopt, std::nullopt), "");
  EXPECT_NE(complaint(score, 0.7, std::nullopt).find("less than 0.7"), std::string::npos);
  EXPECT_NE(complaint(score, std::nullopt, 0.3).find("phantoms"), std::string::npos);
}

TEST(Crossings, AreReadFromBothForms) {
  const char *json = R"({"street x=5": {"events_frame_id_dir": [[1, 3, "-"], [11, 4, "+"]]},
                         "road y=9": {"objects": [["car up", 10, 30], ["car down", 0, 5]]}})";
  const auto street = parse_crossings(json, "street");
  ASSERT_EQ(street.size(), 2U);
  EXPECT_EQ(street[0].first, 0);
  EXPECT_EQ(street[0].way, Way::kMinus);
  EXPECT_EQ(street[1].last, 10);
  EXPECT_EQ(street[1].way, Way::kPlus);
  const auto road = parse_crossings(json, "road y=9");
  ASSERT_EQ(road.size(), 2U);
  EXPECT_EQ(road[0].first, 10);
  EXPECT_EQ(road[0].last, 30);
  EXPECT_EQ(road[0].way, Way::kMinus);
  EXPECT_EQ(road[1].way, Way::kPlus);
}

TEST(Crossings, RefusesWhatIsNone) {
  EXPECT_THROW(parse_crossings("{", "street"), std::runtime_error);
  EXPECT_THROW(parse_crossings("{}", "street"), std::runtime_error);
  EXPECT_THROW(parse_crossings(R"({"street": {}})", "street"), std::runtime_error);
  EXPECT_THROW(parse_crossings(R"({"street": {"objects": [["car", 1, 2]]}})", "street"),
               std::runtime_error);
}

TEST(Crossings, ALineIsLaidSoThatInIsPlus) {
  // From its first end to its second, the side of smaller coordinates is on the right hand.
  EXPECT_EQ(parse_line("x=0.5").definition, "x1=0.5,y1=0.0,x2=0.5,y2=1.0");
  EXPECT_EQ(parse_line("y=0.25,class=car").definition, "x1=1.0,y1=0.25,x2=0.0,y2=0.25,class=car");
  EXPECT_EQ(parse_line("y=0.25,class=car").name, "y=0.25");
  for (const char *wrong : {"", "x", "x=", "x=2", "z=0.5", "x=0.5px", ",x=0.5"})
    EXPECT_THROW(parse_line(wrong), std::invalid_argument) << wrong;
}

TEST(Crossings, AreDerivedFromBoxesWithHysteresis) {
  // The bottom centre, 20 pixels right of the left edge, is at 20 + 4 * frame.
  const Truth truth = truth_of(walker(7, 30, 4));
  const auto crossings = truth.crossings(80);
  ASSERT_EQ(crossings.size(), 1u);
  EXPECT_EQ(crossings.front().way, Way::kPlus);
  EXPECT_EQ(crossings.front().first, 17);  // of frames from 0, the first beyond 90
  EXPECT_TRUE(truth.crossings(15).empty());
  EXPECT_TRUE(truth.crossings(135).empty());
}

TEST(Clips, AreReadWithTheirTruth) {
  const auto clips = parse_clips(R"({
    "door": {"file": "videos/door.mp4", "present": [[1, 3], [2, 2]], "zones": "till,points=<>",
             "lines": {"x600": {"axis": "x", "pos": 600, "cross": [[2, 3, 1], [4, 4, -1]]}}},
    "road": {"file": "videos/road.mp4", "class": "car", "framecounts": {"0": 2, "2": 3},
             "lines": {"y15": {"axis": "y", "pos": 15, "cross": []}}}})");
  ASSERT_EQ(clips.size(), 2u);
  const auto people = [](const MarkedClip &clip) {
    std::vector<int> each;
    for (const Counts &counts : clip.counts(5))
      each.push_back(counts.people);
    return each;
  };
  EXPECT_EQ(clips[0].name, "door");
  EXPECT_EQ(people(clips[0]), (std::vector<int>{0, 1, 2, 1, 0}));
  ASSERT_TRUE(clips[0].line.has_value());
  EXPECT_EQ(clips[0].line->in(1200, 100, "person").name, "x=0.5");
  EXPECT_EQ(clips[0].line->crossings[0].last, 3);
  EXPECT_EQ(clips[0].line->crossings[1].way, Way::kMinus);
  EXPECT_EQ(people(clips[1]), (std::vector<int>{2, 2, 3, 3, 3}));
  EXPECT_TRUE(clips[1].line->in(20, 60, "car").definition.ends_with("y2=0.25,class=car"));
  for (const char *wrong : {"", "[]x", R"({"a": {}})", R"({"a": {"file": 1}})",
                            R"({"a": {"file": "b", "framecounts": {"x": 1}}})"})
    EXPECT_THROW(parse_clips(wrong), std::runtime_error) << wrong;
}

TEST(Identities, OneTrackIsNoSwitch) {
  const auto result = identities_of({{{seen(1, 0)}, {seen(8, 0)}}, {{seen(1, 5)}, {seen(8, 5)}}});
  EXPECT_EQ(result.switches, 0);
  EXPECT_EQ(result.followed, 2);
  EXPECT_EQ(result.phantom, 0);
  EXPECT_DOUBLE_EQ(result.accuracy(), 1);
}

TEST(Identities, ANewTrackIsASwitchEvenAfterAGap) {
  const auto result = identities_of(
      {{{seen(1, 0)}, {seen(8, 0)}}, {{seen(1, 0)}, {}}, {{seen(1, 0)}, {seen(9, 0)}}});
  EXPECT_EQ(result.switches, 1);
  EXPECT_EQ(result.followed, 2);
  // One miss and one switch in three boxes.
  EXPECT_DOUBLE_EQ(result.accuracy(), 1 - 2.0 / 3);
}

TEST(Identities, TheSameTrackAfterAGapIsNoSwitch) {
  EXPECT_EQ(identities_of({{{seen(1, 0)}, {seen(8, 0)}}, {{}, {}}, {{seen(1, 0)}, {seen(8, 0)}}})
                .switches,
            0);
}

TEST(Identities, TwoWhoSwapTracksAreTwoSwitches) {
  const std::vector<Seen> people = {seen(1, 0), seen(2, 200)};
  EXPECT_EQ(
      identities_of({{people, {seen(8, 0), seen(9, 200)}}, {people, {seen(9, 0), seen(8, 200)}}})
          .switches,
      2);
}

TEST(Identities, AMatchIsKeptWhileItHoldsThoughABetterOneIsThere) {
  // 12 pixels off is an IoU of 0.54; a new track is exactly there.
  const auto result =
      identities_of({{{seen(1, 0)}, {seen(8, 0)}}, {{seen(1, 0)}, {seen(8, 12), seen(9, 0)}}});
  EXPECT_EQ(result.switches, 0);
  EXPECT_EQ(result.phantom, 1);
}

TEST(Identities, LessThanHalfInCommonIsSomebodyElse) {
  // 14 pixels off is an IoU of 0.48.
  const auto result = identities_of({{{seen(1, 0)}, {seen(8, 14)}}});
  EXPECT_EQ(result.followed, 0);
  EXPECT_EQ(result.phantom, 1);
  EXPECT_DOUBLE_EQ(result.accuracy(), -1);
}

TEST(Identities, WhoHadATrackLastKeepsIt) {
  // 2 took over the track of 1, who comes back beside him: no switch of 2.
  const auto result = identities_of({{{seen(1, 0)}, {seen(8, 0)}},
                                     {{seen(2, 0)}, {seen(8, 0)}},
                                     {{seen(1, 0), seen(2, 5)}, {seen(8, 2)}}});
  EXPECT_EQ(result.switches, 0);
  EXPECT_EQ(result.followed, 3);
}

TEST(Identities, AsManyAsCanBeAreFollowed) {
  // Track 8 fits 1 best, but only it fits 2.
  const auto result = identities_of({{{seen(1, 0), seen(2, 10)}, {seen(8, 1), seen(9, -8)}}});
  EXPECT_EQ(result.followed, 2);
}

TEST(Original, TheLowestBoxSuppressesWhatItCovers) {
  // The small one lies in the low one; the high one is covered to a half only.
  const cv::Rect low(0, 100, 100, 200);
  const cv::Rect small(10, 150, 50, 100);
  const cv::Rect high(0, 0, 100, 200);
  const auto kept = suppress_by_lower_edge({small, high, low}, 0.65);
  EXPECT_EQ(kept, (std::vector<cv::Rect>{low, high}));
}

TEST(Original, ALargeBoxIsNotCoveredByASmallLowerOne) {
  const cv::Rect large(0, 0, 100, 200);
  const cv::Rect small(25, 110, 50, 100);
  EXPECT_EQ(suppress_by_lower_edge({large, small}, 0.65).size(), 2U);
}

TEST(Original, AMissingCascadeIsAnError) {
  EXPECT_THROW(Original({320, 240}, "/nowhere/cascade.xml"), std::runtime_error);
}

TEST(Recording, CountsAsTheElementDoes) {
  const Pass pass = replay(stroll(), {"",
                                      "middle,x1=0.5,y1=0,x2=0.5,y2=1",
                                      "right,points=<0.5,0,1,0,1,1,0.5,1>",
                                      "person",
                                      2'000'000'000,
                                      {}});
  ASSERT_EQ(pass.windows.size(), 2U);
  EXPECT_EQ(pass.windows[0].first, 0);
  EXPECT_EQ(pass.windows[1].last, 40);
  EXPECT_EQ(pass.windows[1].counted.people, 1);
  EXPECT_EQ(pass.windows[1].counted.moving, 1);
  EXPECT_EQ(pass.entered, 1);
  ASSERT_EQ(pass.crossings.size(), 1U);
  EXPECT_EQ(pass.crossings[0].line, "middle");
  EXPECT_EQ(pass.crossings[0].way, Way::kPlus);
  // The anchor is on the line in frame 20; it settles a little later.
  EXPECT_NEAR(pass.crossings[0].seconds, 2.2, 0.25);
  EXPECT_EQ(pass.tracked.back().tracks.size(), 1U);
}

TEST(Recording, IsReadAsItWasWritten) {
  const Recording recording = stroll();
  std::stringstream text;
  recording.write(text);
  const Recording again = Recording::read(text);
  EXPECT_EQ(again.width, 400);
  EXPECT_EQ(again.frames_per_second, 10);
  ASSERT_EQ(again.detected.size(), 40U);
  EXPECT_EQ(again.detected[7].time, recording.detected[7].time);
  ASSERT_EQ(again.detected[7].detections.size(), 1U);
  EXPECT_TRUE(again.detected[7].detections[0].weak);
  EXPECT_EQ(again.detected[7].detections[0].confidence, 0.9);
  EXPECT_EQ(again.detected[7].detections[0].box.x, 50);
  const std::string whole = text.str();
  std::istringstream torn(whole.substr(0, whole.size() / 2)), other("a clip\n");
  EXPECT_THROW(Recording::read(torn), std::runtime_error);
  EXPECT_THROW(Recording::read(other), std::runtime_error);
}

TEST(Recording, RefusesLinesThatCannotWork) {
  EXPECT_THROW(replay(stroll(), {"", "middle,x1=2", "", "person", 1'000'000'000, {}}),
               std::runtime_error);
}
