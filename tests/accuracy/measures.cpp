// SPDX-License-Identifier: LGPL-2.1-or-later
// The measuring tools measured: truth, medians, errors, and the original's suppression.
#include <gtest/gtest.h>

#include <sstream>

#include "original.h"
#include "score.h"
#include "truth.h"

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
