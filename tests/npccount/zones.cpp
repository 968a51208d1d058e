// SPDX-License-Identifier: LGPL-2.1-or-later
// Zones: who is in, who came in, and for how long.
#include <gtest/gtest.h>

#include "support/street.h"
#include "support/walk.h"

namespace npc::count {
namespace {

// x 192 to 448, y 144 to 336: away from the frame's edges.
ZoneDefinition inner() {
  return {"zone", "person", {{0.3, 0.3}, {0.7, 0.3}, {0.7, 0.7}, {0.3, 0.7}}, {}, 200ms};
}
// The left half of the frame.
ZoneDefinition left_half() {
  return {"zone", "person", {{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}, {}, 200ms};
}

void show(Zone &zone, const Path &path) {
  for (const Step &step : path) {
    const Track track = track_at(1, step);
    zone.update(step.time, {&track, 1}, kPicture);
  }
}

Path through(double y = 250) {
  return straight({100, y}, {540, y}, 80, 100ms);
}

TEST(Zones, CountWhoWalksThrough) {
  Zone zone(inner());
  show(zone, through());
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.entered, 1u);
  EXPECT_EQ(counts.most_people, 1u);
  // 256 pixels at 80 a second.
  EXPECT_NEAR(seconds(counts.dwell), 3.2, 0.1);
  EXPECT_EQ(zone.close().dwell, Time::zero()) << "it ended in the window before";
}

TEST(Zones, AreTheirPolygon) {
  // An L: the notch at the upper right is outside.
  ZoneDefinition notched = inner();
  notched.points = {{0.3, 0.3}, {0.5, 0.3}, {0.5, 0.6}, {0.7, 0.6}, {0.7, 0.9}, {0.3, 0.9}};
  const auto is_in = [&](double x, double y) {
    Zone zone(notched);
    Path path = {{Time::zero(), x, y}};
    show(zone, stay(path, 1s, 100ms));
    return zone.close().people;
  };
  EXPECT_EQ(is_in(256, 200), 1u);
  EXPECT_EQ(is_in(400, 350), 1u);
  EXPECT_EQ(is_in(400, 200), 0u);
  EXPECT_EQ(is_in(100, 200), 0u);
  EXPECT_EQ(is_in(460, 350), 0u);
}

TEST(Zones, TremblingOnTheBorderIsNoEntry) {
  Zone zone(inner());
  Path path = straight({100, 250}, {190, 250}, 80, 100ms);
  for (int i = 0; i < 200; i++) {
    const Step last = path.back();
    path.push_back({last.time + 100ms, 192.0 + (i % 3 - 1) * 8, 250});
  }
  show(zone, path);
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.entered, 0u);
  EXPECT_EQ(counts.most_people, 0u);
}

TEST(Zones, SteppingOntoTheBorderDoesNotEndAStay) {
  Zone zone(inner());
  Path path = straight({100, 250}, {300, 250}, 80, 100ms);
  for (int i = 0; i < 50; i++) {
    const Step last = path.back();
    path.push_back({last.time + 100ms, 192.0 + (i % 3 - 1) * 8, 250});
  }
  const Path rest = straight({200, 250}, {540, 250}, 80, 100ms, path.back().time);
  path.insert(path.end(), rest.begin() + 1, rest.end());
  show(zone, path);
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.entered, 1u);
  EXPECT_GT(counts.dwell, 9s);
}

TEST(Zones, WhoIsThereAlreadyIsCountedButDidNotEnter) {
  Zone zone(inner());
  Path path = {{1s, 320, 250}};
  show(zone, stay(path, 2s, 100ms));
  ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.people, 1u);
  EXPECT_EQ(counts.entered, 0u);
  EXPECT_EQ(counts.dwell, Time::zero()) << "the stay goes on";
  // A stay it is all the same.
  show(zone, straight({320, 250}, {540, 250}, 80, 100ms, 3100ms));
  counts = zone.close();
  EXPECT_NEAR(seconds(counts.dwell), 2.1 + 128 / 80.0, 0.1);
}

TEST(Zones, WhoComesOverTheFramesEdgeEntered) {
  for (double y : {300.0, 475.0, 520.0}) {
    Zone zone(left_half());
    // Half a body is seen first, at the left edge.
    show(zone, straight({0, y}, {200, y}, 80, 100ms));
    EXPECT_EQ(zone.close().entered, 1u) << y;
  }
  Zone zone(left_half());
  show(zone, straight({60, 300}, {200, 300}, 80, 100ms));
  EXPECT_EQ(zone.close().entered, 0u);
}

TEST(Zones, TheFramesEdgeIsNoBorder) {
  // A whole frame as a zone, and feet below it.
  ZoneDefinition all{"zone", "person", {{0, 0}, {1, 0}, {1, 1}, {0, 1}}, {}, 200ms};
  Zone zone(all);
  Path path = {{Time::zero(), 300, 530}};
  show(zone, stay(path, 1s, 100ms));
  EXPECT_EQ(zone.close().people, 1u);
  Zone half(left_half());
  path = {{Time::zero(), 3, 478}};
  show(half, stay(path, 1s, 100ms));
  EXPECT_EQ(half.close().people, 1u);
}

TEST(Zones, WhoStandsOnASharedBorderIsInOneOfThem) {
  ZoneDefinition right = left_half();
  right.points = {{1, 1}, {0.5, 1}, {0.5, 0}, {1, 0}};
  for (double y : {1.0, 240.0, 480.0, 500.0}) {
    Zone first(left_half()), second(right);
    Path path = {{Time::zero(), 320, y}};
    for (const Step &step : stay(path, 10s, 100ms)) {
      const Track track = track_at(1, step);
      first.update(step.time, {&track, 1}, kPicture);
      second.update(step.time, {&track, 1}, kPicture);
    }
    EXPECT_EQ(first.close().people + second.close().people, 1u) << y;
  }
}

TEST(Zones, ABoxNeedNotReachTheFramesEdge) {
  // Networks' boxes end some pixels before it; a body is 40 wide and 100 tall here.
  const auto entered = [](Point2 from) {
    Zone zone({"zone", "person", {{0, 0}, {1, 0}, {1, 1}, {0, 1}}, {}, 200ms});
    show(zone, straight(from, {320, 300}, 80, 100ms));
    return zone.close().entered;
  };
  for (double gap : {-20, 0, 1, 5, 9}) {
    EXPECT_EQ(entered({gap + 20, 300}), 1u) << gap;
    EXPECT_EQ(entered({640 - gap - 20, 300}), 1u) << gap;
    EXPECT_EQ(entered({320, 480 - gap}), 1u) << gap;
  }
  EXPECT_EQ(entered({12 + 20, 300}), 0u);
  EXPECT_EQ(entered({640 - 12 - 20, 300}), 0u);
  EXPECT_EQ(entered({320, 480 - 12}), 0u);
}

TEST(Zones, AStayEndsWhereItsTrackWasLastSeen) {
  Street street;
  Zone zone(inner());
  street.play(
      100ms, 8s,
      [](double time) {
        // Out of sight for 0.8 s, and from 5 s on for good.
        const bool hidden = (time >= 3 && time < 3.8) || time > 5;
        return hidden ? Detections{} : Detections{person(320, 250)};
      },
      [&](double time) {
        zone.update(Time(std::llround(time * 1e9)), street.tracker.tracks(), kFrame);
      });
  const ZoneCounts counts = zone.close();
  EXPECT_NEAR(seconds(counts.dwell), 5, 0.01);
  EXPECT_EQ(zone.known(), 0u);
}

TEST(Zones, AGlimpseIsNoStay) {
  // First seen just inside, on the way out.
  Zone zone(inner());
  show(zone, straight({195, 250}, {100, 250}, 80, 100ms));
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.most_people, 1u);
  EXPECT_EQ(counts.dwell, Time::zero());
}

TEST(Zones, DwellIsTheMeanOfStays) {
  Zone zone(inner());
  for (std::uint64_t id = 1; id <= 2; id++)
    for (const Step &step :
         straight({100, 250}, {540, 250}, 40.0 * static_cast<double>(id), 100ms, id * 100s)) {
      const Track track = track_at(id, step);
      zone.update(step.time, {&track, 1}, kPicture);
    }
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.entered, 2u);
  EXPECT_NEAR(seconds(counts.dwell), (6.4 + 3.2) / 2, 0.1);
}

TEST(Zones, PeopleIsTheMedianOfTheWindow) {
  Zone zone(inner());
  for (int i = 0; i < 10; i++) {
    std::vector<Track> tracks;
    for (std::uint64_t id = 1; id <= (i < 6 ? 2u : 5u); id++)
      tracks.push_back(track_at(id, {i * 100ms, 220.0 + 40 * static_cast<double>(id), 250}));
    zone.update(i * 100ms, tracks, kPicture);
  }
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.people, 2u);
  EXPECT_EQ(counts.most_people, 5u);
}

TEST(Zones, OnlyConfirmedTracksOfTheirClassCount) {
  Zone zone(inner());
  for (const Step &step : through()) {
    Track car = track_at(1, step), doubtful = track_at(2, step);
    car.label = "car";
    doubtful.confirmed = doubtful.present = false;
    const std::vector<Track> tracks = {car, doubtful};
    zone.update(step.time, tracks, kPicture);
  }
  zone.update(100s, {}, kPicture);
  const ZoneCounts counts = zone.close();
  EXPECT_EQ(counts.entered, 0u);
  EXPECT_EQ(counts.most_people, 0u);
  EXPECT_EQ(counts.dwell, Time::zero());
}

TEST(Zones, ThatCannotWorkAreRefused) {
  const auto error = [](std::vector<ZoneDefinition::Point> points,
                        std::optional<double> band = {}) {
    return error_in(ZoneDefinition{"z", "person", std::move(points), band, 200ms});
  };
  EXPECT_EQ(error_in(inner()), "");
  EXPECT_EQ(error_in(left_half()), "");
  EXPECT_EQ(error({{0, 0}, {1, 1}}), "The zone z needs at least three corners.");
  EXPECT_NE(error({{0, 0}, {1, 0}, {1, 1.5}}).find("leaves the frame"), std::string::npos);
  const std::vector<std::vector<ZoneDefinition::Point>> crossed = {
      {{0, 0}, {1, 1}, {1, 0}, {0, 1}},                          // a bow
      {{0, 0}, {1, 0}, {1, 0}, {1, 1}},                          // a corner twice
      {{0, 0}, {0.5, 0.5}, {1, 1}},                              // flat
      {{0, 0}, {1, 0}, {0.5, 0}, {0.5, 1}},                      // back on itself
      {{0, 0}, {1, 0}, {1, 1}, {0.5, 0}, {0, 1}},                // a corner on a side
      {{0, 0}, {0.5, 0.5}, {1, 0}, {1, 1}, {0.5, 0.5}, {0, 1}},  // an hourglass
  };
  for (const auto &points : crossed)
    EXPECT_EQ(error(points),
              "The zone z crosses or touches itself: list its corners in order, each once.")
        << points.size();
  EXPECT_EQ(error({{0.1, 0.1}, {0.3, 0.1}, {0.3, 0.9}, {0.1, 0.9}}, 0.1), "");
  EXPECT_NE(error({{0.1, 0.1}, {0.3, 0.1}, {0.3, 0.9}, {0.1, 0.9}}, 0.11).find("thinner"),
            std::string::npos);
  std::vector<ZoneDefinition::Point> round;
  for (int i = 0; i < 65; i++)
    round.push_back(
        {0.5 + 0.4 * std::cos(i * 2 * M_PI / 65), 0.5 + 0.4 * std::sin(i * 2 * M_PI / 65)});
  EXPECT_NE(error(round).find("more than 64 corners"), std::string::npos);
  round.pop_back();
  EXPECT_EQ(error(round), "");
}

}  // namespace
}  // namespace npc::count
