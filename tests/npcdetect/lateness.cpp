// SPDX-License-Identifier: LGPL-2.1-or-later
// Which late frames are dropped, and when that is given up.
#include "npcdetect/core/lateness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace {

using namespace npc;
using namespace npc::detect;

constexpr std::int64_t kMs = 1'000'000;

/// A live source of ten frames a second, and how npcdetect goes along with it.
struct Stream {
  LatenessMonitor monitor;
  std::int64_t now = 0;   // ms
  std::int64_t look = 0;  // ms that it takes
  int looks = 0, drops = 0, resynchronisations = 0;

  Lateness frame(std::int64_t late, Step step = Step::onward) {
    const Lateness lateness = monitor.judge(late * kMs, now * kMs, step);
    resynchronisations += lateness == Lateness::resynchronised;
    if (lateness == Lateness::drop) {
      drops++;
      return lateness;
    }
    looks++;
    const std::int64_t begin = now;
    now += look;
    monitor.looked(begin * kMs, now * kMs);
    return lateness;
  }
};

TEST(Lateness, HalfASecondIsLetPass) {
  Stream stream;
  EXPECT_EQ(stream.frame(-3000), Lateness::in_time);
  EXPECT_EQ(stream.frame(0), Lateness::in_time);
  EXPECT_EQ(stream.frame(500), Lateness::in_time);
  EXPECT_EQ(stream.frame(501), Lateness::drop);
  EXPECT_EQ(stream.frame(500), Lateness::in_time);
  EXPECT_EQ(stream.monitor.granted(), 0);
}

TEST(Lateness, OneFrameASecondIsLookedAtHoweverLate) {
  Stream stream;
  stream.frame(0);
  // It catches up, by a tenth of what it is behind each second.
  std::vector<std::int64_t> looked;
  for (std::int64_t late = 60'000; late > 30'000; late -= 110, stream.now += 100)
    if (stream.frame(late) == Lateness::look_anyway)
      looked.push_back(stream.now);
  ASSERT_GE(looked.size(), 25u);
  for (std::size_t i = 1; i < looked.size(); i++)
    EXPECT_LE(looked[i] - looked[i - 1], 1000);
  EXPECT_EQ(stream.resynchronisations, 0);
}

// Each takes three seconds; what waits meanwhile is made at ten frames a second, and thrown away at
// a hundred, or, where a decoder is slow too, at twenty.
TEST(Lateness, LooksThatAreSlowDoNotMakeAllLate) {
  for (const std::int64_t each : {10, 50}) {
    Stream stream;
    stream.look = 3000;
    std::int64_t pts = 0, most = 0;
    while (stream.now < 600'000) {
      stream.now = std::max(stream.now + each, pts);
      most = std::max(most, stream.now - pts);
      stream.frame(stream.now - pts);
      pts += 100;
    }
    EXPECT_LE(most, 3600) << each;
    EXPECT_EQ(stream.resynchronisations, 0) << each;
    EXPECT_GT(stream.looks, 90) << each;
  }
}

TEST(Lateness, NorALookThatIsSlowWhileItCatchesUp) {
  // All was held up for twenty seconds, and the first look takes longer than patience lasts.
  Stream stream;
  stream.frame(0);
  stream.now = 20'000;
  std::int64_t pts = 100;
  for (; stream.now < 60'000; pts += 100) {
    stream.now = std::max(stream.now + 50, pts);
    stream.look = stream.looks < 3 ? 2500 : 5;
    stream.frame(stream.now - pts);
  }
  EXPECT_LE(stream.now - pts, 500);
  EXPECT_EQ(stream.resynchronisations, 0);
}

TEST(Lateness, WhatIsLateForEverIsTakenForGranted) {
  Stream stream;
  stream.frame(0);
  for (int i = 0; i < 600; i++, stream.now += 100)
    stream.frame(4000 + i % 3 * 40);
  EXPECT_EQ(stream.resynchronisations, 1);
  EXPECT_LE(stream.drops, 20);
  // Those that are later than that by half a second are dropped again.
  EXPECT_EQ(stream.frame(4600), Lateness::drop);
}

// Frames of a camera wait in a queue while one is looked at, and are then handed over at once.
TEST(Lateness, WhatIsLateForEverIsTakenForGrantedHoweverSlowLooksAre) {
  for (const std::int64_t constant : {800, 1000, 4000}) {
    for (const std::int64_t look : {5, 90, 120, 200, 300, 500, 650, 700, 1000}) {
      Stream stream;
      stream.look = look;
      for (std::int64_t pts = 0; pts < 60'000; pts += 100) {
        stream.now = std::max(stream.now + 2, pts + constant);
        stream.frame(stream.now - pts);
      }
      EXPECT_GE(stream.resynchronisations, 1) << constant << " ms late, looks take " << look;
      EXPECT_LE(stream.resynchronisations, 2) << constant << " ms late, looks take " << look;
    }
  }
}

TEST(Lateness, TheFirstFrameIsLookedAtHoweverLate) {
  Stream stream;
  EXPECT_EQ(stream.frame(60'000), Lateness::look_anyway);
  EXPECT_EQ(stream.frame(60'000), Lateness::drop);
}

TEST(Lateness, TimestampsThatGoBackAreTakenForGrantedAtOnce) {
  Stream stream;
  stream.frame(0);
  EXPECT_EQ(stream.frame(4000, Step::back), Lateness::resynchronised);
  EXPECT_EQ(stream.frame(4100), Lateness::in_time);
  // A single one was a mistake.
  EXPECT_EQ(stream.frame(50), Lateness::in_time);
  EXPECT_EQ(stream.monitor.granted(), 50 * kMs);
  EXPECT_EQ(stream.frame(600), Lateness::drop);
}

TEST(Lateness, WhatGetsLaterAndLaterIsLookedAtMoreAndMore) {
  // Each frame takes half as long again as it should, somewhere before.
  Stream stream;
  std::vector<int> drops;
  for (int minute = 0; minute < 5; minute++) {
    stream.drops = 0;
    for (int i = 0; i < 400; i++, stream.now += 150)
      stream.frame(stream.now / 3);
    drops.push_back(stream.drops);
  }
  EXPECT_LT(drops.front(), 200);
  EXPECT_LT(drops.back(), 60) << "of 400";
}

TEST(Lateness, AfterALeapAheadDelayIsStillSeen) {
  Stream stream;
  stream.frame(0);
  EXPECT_EQ(stream.frame(-3'600'000, Step::ahead), Lateness::in_time);
  EXPECT_EQ(stream.frame(-3'599'600), Lateness::in_time);
  EXPECT_EQ(stream.frame(-3'599'400), Lateness::drop);
  // Back again: nobody is late.
  EXPECT_EQ(stream.frame(100, Step::back), Lateness::in_time);
  EXPECT_EQ(stream.frame(700), Lateness::drop);
}

TEST(Lateness, BurstsThatComeEarlyAreNotTakenForTheRule) {
  Stream stream;
  for (std::int64_t late = 0; late > -5000; late -= 100)
    EXPECT_EQ(stream.frame(late), Lateness::in_time);
  stream.now += 5000;
  EXPECT_EQ(stream.frame(0), Lateness::in_time);
}

}  // namespace
