// SPDX-License-Identifier: LGPL-2.1-or-later
// The time of live streams whose timestamps are wrong.
#include "npccount/core/streamclock.h"

#include <gtest/gtest.h>

#include <random>

namespace {

using namespace npc::count;
using namespace std::chrono_literals;

constexpr Time kWindow = 2s;

TEST(StreamClock, AStreamInTimeKeepsItsTimes) {
  StreamClock clock;
  for (Time pts = 7s; pts < 60s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts + 30ms, kWindow), pts);
}

TEST(StreamClock, SoDoesOneThatIsLate) {
  StreamClock clock;
  for (Time pts = 0s; pts < 10s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts, kWindow), pts);
  // A queue fills.
  for (Time pts = 10s; pts < 60s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts + 2900ms, kWindow), pts);
  for (Time pts = 60s; pts < 70s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts, kWindow), pts);
}

TEST(StreamClock, HoweverLateFromItsBeginning) {
  StreamClock clock;
  for (Time pts = 0s; pts < 60s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts + 98s, kWindow), pts);
}

TEST(StreamClock, WhatWasHeldUpKeepsItsTimes) {
  StreamClock clock;
  Time pts = 0s;
  for (; pts < 10s; pts += 100ms)
    EXPECT_EQ(clock.map(pts, pts, kWindow), pts);
  // All that was held up for twenty seconds comes faster than it was made, but takes a while.
  for (Time now = 30s; pts < now; pts += 100ms, now += 25ms)
    EXPECT_EQ(clock.map(pts, now, kWindow), pts);
}

TEST(StreamClock, AHoleIsNoLeap) {
  StreamClock clock;
  EXPECT_EQ(clock.map(0s, 0s, kWindow), Time(0s));
  EXPECT_EQ(clock.map(3600s, 3600s, kWindow), Time(3600s));
}

TEST(StreamClock, ALeapAheadIsMappedAnew) {
  StreamClock clock;
  for (Time now = 0s; now < 4s; now += 100ms)
    clock.map(now, now + 50ms, kWindow);
  for (Time now = 4s; now < 60s; now += 100ms)
    EXPECT_EQ(clock.map(now + 3600s, now + 50ms, kWindow), now);
}

TEST(StreamClock, ALeapThatComesLateDoesNotMakeItEarly) {
  StreamClock clock;
  for (Time now = 0s; now < 4s; now += 100ms)
    clock.map(now, now + 50ms, kWindow);
  clock.map(3604s, 4350ms, kWindow);
  for (Time now = 4400ms; now < 10s; now += 100ms)
    EXPECT_EQ(clock.map(now + 3600s, now + 50ms, kWindow), now);
}

TEST(StreamClock, OneThatBeginsAheadIsNow) {
  StreamClock clock;
  for (Time now = 0s; now < 5s; now += 100ms)
    EXPECT_EQ(clock.map(now + 3600s, now, kWindow), now);
}

TEST(StreamClock, AfterASpikeItsOwnTimesHoldAgain) {
  for (const Time spike : {Time(3600s), Time(-30s)}) {
    StreamClock clock;
    for (Time now = 60s; now < 70s; now += 100ms)
      EXPECT_EQ(clock.map(now == 65s ? now + spike : now, now, kWindow), now);
    EXPECT_EQ(clock.shift(), Time::zero());
  }
}

TEST(StreamClock, TimestampsThatBeginAnewGoOn) {
  StreamClock clock;
  for (Time now = 0s; now < 4s; now += 100ms)
    clock.map(now, now + 50ms, kWindow);
  for (Time now = 4s; now < 60s; now += 100ms)
    EXPECT_EQ(clock.map(now - 4s, now + 50ms, kWindow), now);
}

TEST(StreamClock, OutOfOrderTimeStandsStill) {
  StreamClock clock;
  Time before{};
  for (const int frame : {0, 3, 1, 2, 6, 4, 5, 9, 7, 8}) {
    before = std::max<Time>(before, frame * 100ms);
    EXPECT_EQ(clock.map(frame * 100ms, frame * 100ms + 1s, kWindow), before);
  }
  EXPECT_EQ(clock.shift(), Time::zero());
}

TEST(StreamClock, ASlowClockIsNotFollowedForEver) {
  StreamClock clock;
  // It claims thirty frames a second, and delivers ten.
  for (int frame = 0; frame < 6000; frame++) {
    const Time now = frame * 100ms;
    const Time late = now - clock.map(frame * 33333us, now, kWindow);
    EXPECT_LE(late, StreamClock::kBehindMost + StreamClock::kBehindFor + 1ms);
    if (now > 10s) {
      EXPECT_EQ(late, StreamClock::kBehindMost);
    }
  }
}

TEST(StreamClock, NorAFastOne) {
  StreamClock clock;
  for (int frame = 0; frame < 6000; frame++) {
    const Time now = frame * 100ms;
    EXPECT_LE(clock.map(frame * 300ms, now, kWindow), now + kWindow);
  }
}

TEST(StreamClock, AShortWindowBoundsTheLead) {
  StreamClock clock;
  EXPECT_EQ(clock.map(10s, 10s, 100ms), Time(10s));
  EXPECT_EQ(clock.map(10290ms, 10200ms, 100ms), Time(10290ms));
  EXPECT_EQ(clock.map(10401ms, 10300ms, 100ms), Time(10390ms));
}

TEST(StreamClock, WhateverComesTimeOnlyGrowsAndStaysNearTheClock) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int> step(-2, 12), rare(0, 99);
  std::uniform_int_distribution<std::int64_t> any(0, std::int64_t{1} << 62);
  for (int round = 0; round < 200; round++) {
    StreamClock clock;
    Time pts = 0s, now = 0s, before = Time::min();
    for (int frame = 0; frame < 1000; frame++) {
      now += step(random) > 0 ? 100ms : 0ms;
      pts = rare(random) == 0 ? Time(any(random)) : pts + step(random) * 20ms;
      pts = std::max(pts, Time::zero());
      const Time time = clock.map(pts, now, kWindow);
      ASSERT_GE(time, before);
      ASSERT_LE(time, now + kWindow);
      before = time;
    }
  }
}

}  // namespace
