// SPDX-License-Identifier: LGPL-2.1-or-later
// Which steps of the system's clock are followed.
#include "npccount/core/utcclock.h"

#include <gtest/gtest.h>

using namespace npc::count;

namespace npc::count {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'700'000'000'000'000'000;

constexpr std::int64_t ns(Time time) {
  return time.count();
}

TEST(UtcClock, NudgesAreNotFollowed) {
  UtcClock clock;
  EXPECT_EQ(clock.at(8s, 10s, kNow), kNow - ns(2s));
  EXPECT_EQ(clock.at(10s, 12s, kNow + ns(2090ms)), kNow);
  EXPECT_EQ(clock.at(12s, 14s, kNow + ns(3910ms)), kNow + ns(2s));
}

TEST(UtcClock, StepsAreFollowed) {
  UtcClock clock;
  clock.at(0s, 0s, kNow);
  EXPECT_EQ(clock.at(2s, 2s, kNow + ns(1h)), kNow + ns(1h));
  EXPECT_EQ(clock.at(4s, 4s, kNow), kNow);
}

TEST(UtcClock, IsNotBeforeItsBeginning) {
  UtcClock clock;
  EXPECT_EQ(clock.at(0s, 10s, ns(5s)), 0);
}

TEST(UtcClock, AfterAResetAnyTimeIsRight) {
  UtcClock clock;
  clock.at(0s, 0s, kNow);
  clock.reset();
  EXPECT_EQ(clock.at(0s, 0s, kNow + 1), kNow + 1);
}

}  // namespace
}  // namespace npc::count
