// SPDX-License-Identifier: LGPL-2.1-or-later
// Who walks and who stands, and what the edge of the frame does to boxes.
#include "npccount/core/motion.h"

#include <gtest/gtest.h>

#include "support/street.h"

namespace {

using namespace npc::count;

TEST(Motion, StandingIsNotMovingAndWalkingIs) {
  for (const Time step : kRates) {
    std::mt19937 random(3);
    Street run;
    int frames = 0, standing_moves = 0, walking_moves = 0;
    run.play(
        step, 120s,
        [&](double t) {
          // 0.4 body heights a second.
          const double along = std::fmod(40 * t, 1000);
          return Detections{
              shaken(person(320, 150), random, 0.05),
              shaken(person(70 + (along < 500 ? along : 1000 - along), 400), random, 0.05)};
        },
        [&](double t) {
          // Where it turns round, it stands.
          const double turn = std::fmod(40 * t + 20, 500) / 40;
          if (t < 2 * seconds(step) + 1 || turn < 5)
            return;
          frames++;
          for (const Track &track : run.tracker.tracks())
            (track.box.bottom() < 250 ? standing_moves : walking_moves) +=
                track.present && track.speed > kMovingSpeed;
        });
    ASSERT_GT(frames, 15);
    EXPECT_LE(standing_moves, frames / 50) << step.count() << " ns, of " << frames;
    EXPECT_GE(walking_moves, frames - frames / 50) << step.count() << " ns, of " << frames;
  }
}

TEST(Motion, MeasuresSpeedInBodyHeights) {
  for (const double height : {40.0, 100.0, 200.0}) {
    Street run;
    run.play(50ms, 3s,
             [&](double t) { return Detections{person(150 + height * 0.5 * t, 400, height)}; });
    ASSERT_EQ(run.tracker.tracks().size(), 1u);
    EXPECT_NEAR(run.tracker.tracks()[0].speed, 0.5, 0.02);
  }
}

TEST(Motion, SpeedIsUnknownAtFirst) {
  Street run;
  run.play(
      100ms, 2s, [](double t) { return Detections{person(100 + 100 * t, 300)}; },
      [&](double t) { EXPECT_EQ(run.counts().moving, t > 0.45 ? 1u : 0u) << t; });
}

TEST(Motion, WhoLeavesTheFrameIsGoneAtOnce) {
  const struct { double x, y; } ways[] = {{-1, 0}, {1, 0}, {0, 1}};
  for (const auto &way : ways) {
    Street run;
    double last_seen = 0;
    run.play(
        33333333ns, 10s,
        [&](double t) {
          const double path = 100 * t;
          const Detection walker = person(320 + way.x * path, 240 + way.y * path);
          // A detector loses people when half of them is out.
          const Box &box = walker.box;
          if (box.centre_x() < 5 || box.centre_x() > 635 || box.centre_y() > 475)
            return Detections();
          last_seen = t;
          return Detections{walker};
        },
        [&](double t) {
          if (t < last_seen + 0.15)
            EXPECT_LE(run.counts().people, 1u);
          else
            EXPECT_EQ(run.counts().people, 0u) << "way " << way.x << " " << way.y << " at " << t;
        });
    EXPECT_GT(last_seen, 2);
    EXPECT_EQ(run.ids.size(), 1u);
  }
}

TEST(Motion, TheFramesEdgeDoesNotShrinkPeople) {
  Street run;
  int cut = 0;
  run.play(
      100ms, 3600ms, [](double t) { return Detections{person(320, 420 + 30 * t)}; },
      [&](double t) {
        ASSERT_EQ(run.tracker.tracks().size(), 1u);
        const Box box = run.tracker.tracks()[0].box;
        EXPECT_NEAR(box.height, kHeight, 3) << t;
        EXPECT_NEAR(box.bottom(), 420 + 30 * t, 6) << t;
        cut += 420 + 30 * t > 490;
      });
  EXPECT_GT(cut, 10);

  Street sideways;
  sideways.play(
      100ms, 3s, [](double t) { return Detections{person(80 - 25 * t, 300)}; },
      [&](double t) {
        ASSERT_EQ(sideways.tracker.tracks().size(), 1u);
        const Box box = sideways.tracker.tracks()[0].box;
        EXPECT_NEAR(box.width, 40, 2) << t;
        EXPECT_NEAR(box.centre_x(), 80 - 25 * t, 5) << t;
      });
}

TEST(Motion, WhoEntersGrowsToFullSize) {
  Street run;
  run.play(100ms, 3s, [](double t) { return Detections{person(-15 + 50 * t, 300)}; });
  ASSERT_EQ(run.tracker.tracks().size(), 1u);
  EXPECT_EQ(run.ids.size(), 1u);
  EXPECT_NEAR(run.tracker.tracks()[0].box.width, 40, 2);
}

}  // namespace
