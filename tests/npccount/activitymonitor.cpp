// SPDX-License-Identifier: LGPL-2.1-or-later
// When a stream is silent, and since when.
#include "npccount/core/activitymonitor.h"

#include <gtest/gtest.h>

using namespace npc::count;

namespace npc::count {
namespace {

using namespace std::chrono_literals;

TEST(ActivityMonitor, IsSilentFiveSecondsAfterTheLastFrameHasEnded) {
  ActivityMonitor monitor;
  monitor.note(10s, 3s, 100ms);
  EXPECT_EQ(monitor.due(), 15100ms);
  EXPECT_FALSE(monitor.check(15099ms));
  const auto silence = monitor.check(15100ms);
  ASSERT_TRUE(silence);
  EXPECT_EQ(silence->since, 3100ms);
  EXPECT_EQ(silence->reached, 8100ms);
  EXPECT_EQ(silence->length, 5100ms);
  // It goes on until there is another sign of life.
  EXPECT_EQ(monitor.check(60s)->reached, 53s);
  monitor.note(61s, 54s, 100ms);
  EXPECT_FALSE(monitor.check(62s));
}

TEST(ActivityMonitor, BelievesInAMinuteAtMost) {
  ActivityMonitor monitor;
  monitor.note(0s, 0s, 1h);
  EXPECT_FALSE(monitor.check(64s));
  EXPECT_EQ(monitor.check(65s)->since, 60s);
}

TEST(ActivityMonitor, ASegmentIsASignOfLifeWithoutATime) {
  ActivityMonitor monitor;
  monitor.note(2s, {});
  EXPECT_FALSE(monitor.check(6s));
  const auto silence = monitor.check(7s);
  ASSERT_TRUE(silence);
  EXPECT_EQ(silence->since, 7s) << "the clock is all there is";
  EXPECT_EQ(silence->reached, 7s);
}

TEST(ActivityMonitor, ARepeatedSegmentLeavesTheFrameItsLength) {
  ActivityMonitor monitor;
  monitor.note(0s, 0s, 10s);
  monitor.note(1s, 0s);
  EXPECT_EQ(monitor.due(), 16s);
}

TEST(ActivityMonitor, AnotherStreamHasTimesOfItsOwn) {
  ActivityMonitor monitor;
  monitor.note(0s, 100s, 10s);
  monitor.forget_stream();
  EXPECT_EQ(monitor.due(), 5s) << "nor does the last frame of the old one last";
  EXPECT_EQ(monitor.check(6s)->since, 6s);
}

TEST(ActivityMonitor, AClockThatStartsAnewIsNoSilence) {
  ActivityMonitor monitor;
  monitor.note(100s, 100s, 0s);
  EXPECT_FALSE(monitor.check(1s));
  EXPECT_EQ(monitor.due(), 6s);
}

TEST(ActivityMonitor, WithoutAClockTheLastTimeStands) {
  ActivityMonitor monitor;
  monitor.note(4s, 1s, 0s);
  monitor.note({}, 2s, 0s);
  EXPECT_EQ(monitor.due(), 9s);
}

}  // namespace
}  // namespace npc::count
