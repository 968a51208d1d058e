// SPDX-License-Identifier: LGPL-2.1-or-later
// A week of twenty cameras on one channel, of whose frames 30 % are lost besides those that
// collide: as complete as designed, nothing twice, and within the duty cycle.
#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>

#include "support/loraair.h"

namespace {

using namespace std::chrono_literals;
using npc::test::AirResult;
using npc::test::AirSettings;
using npc::test::SimulatedAir;

struct Week {
  int spreading_factor;
  std::chrono::seconds period;
  std::size_t history;
  bool ack;
  double complete;  // %
};

std::ostream &operator<<(std::ostream &out, const Week &week) {
  return out << "SF" << week.spreading_factor << ", " << week.period.count() << " s, history "
             << week.history << (week.ack ? ", acks" : "");
}

AirResult run(const AirSettings &settings) {
  const AirResult result = SimulatedAir(settings).run();
  std::printf(
      "SF%d %3d s history %d %s: %.3f %% complete, %llu frames, %.1f %% collided, %llu acks, worst "
      "hour: "
      "camera %.3f %%, gateway %.3f %%\n",
      settings.spreading_factor, static_cast<int>(settings.period.count()),
      static_cast<int>(settings.history), settings.ack ? "acks" : "    ", result.complete(),
      static_cast<unsigned long long>(result.frames),
      100.0 * static_cast<double>(result.collided) / static_cast<double>(result.frames),
      static_cast<unsigned long long>(result.acks), 100 * result.camera_hour,
      100 * result.gateway_hour);
  EXPECT_EQ(result.doubled, 0u);
  EXPECT_TRUE(result.merged || result.wrong == 0) << result.wrong;
  EXPECT_EQ(result.gaps_not_reported, 0u);
  EXPECT_EQ(result.crossings_wrong, 0u);
  EXPECT_LE(result.camera_hour, 0.01);
  EXPECT_LE(result.gateway_hour, 0.01);
  return result;
}

class LoraWeek : public testing::TestWithParam<Week> {};

TEST_P(LoraWeek, IsAsCompleteAsItWasDesigned) {
  AirSettings settings;
  settings.spreading_factor = GetParam().spreading_factor;
  settings.period = GetParam().period;
  settings.history = GetParam().history;
  settings.ack = GetParam().ack;
  const double complete = run(settings).complete();
  EXPECT_GT(complete, GetParam().complete - 0.5);
  // Where the gateway has no budget for enough acks, merging makes it better than designed.
  if (!GetParam().ack || GetParam().complete > 99) {
    EXPECT_LT(complete, GetParam().complete + 0.5);
  }
}

INSTANTIATE_TEST_SUITE_P(Once, LoraWeek,
                         testing::Values(Week{7, 30s, 0, false, 68.2}, Week{9, 60s, 0, false, 66.7},
                                         Week{9, 120s, 0, false, 68.6}));
INSTANTIATE_TEST_SUITE_P(History, LoraWeek,
                         testing::Values(Week{7, 30s, 1, false, 89.7}, Week{7, 30s, 2, false, 96.7},
                                         Week{9, 60s, 1, false, 88.9}, Week{9, 60s, 2, false, 96.0},
                                         Week{9, 120s, 1, false, 89.9},
                                         Week{9, 120s, 2, false, 96.7}));
INSTANTIATE_TEST_SUITE_P(Acks, LoraWeek,
                         testing::Values(Week{7, 30s, 0, true, 99.985}, Week{9, 60s, 0, true, 92.0},
                                         Week{9, 120s, 0, true, 99.913}));
INSTANTIATE_TEST_SUITE_P(Default, LoraWeek,
                         testing::Values(Week{7, 30s, 1, true, 99.996},
                                         Week{9, 60s, 1, true, 99.983},
                                         Week{9, 120s, 1, true, 99.992}));

TEST(LoraDay, IsCompleteInTheEnd) {
  AirSettings settings;
  settings.span = 24h;
  settings.drain = 2h;
  const AirResult result = run(settings);
  EXPECT_EQ(result.received, result.windows);
  EXPECT_EQ(result.unconfirmed, 0u) << "and the cameras know of it";
}

// Records that the gateway had not stored are sent again, and none twice, however often the
// processes of cameras and gateway are killed.
TEST(LoraDay, OutlivesKills) {
  AirSettings settings;
  settings.span = 24h;
  settings.drain = 3h;
  settings.life = 1h;
  settings.storing = 1500ms;
  const AirResult result = run(settings);
  EXPECT_EQ(result.received, result.windows);
  EXPECT_EQ(result.unconfirmed, 0u);
}

TEST(LoraOutage, IsMadeUpFor) {
  AirSettings settings;
  settings.outage_begin = 24h;
  settings.outage_end = 32h;
  EXPECT_GT(run(settings).complete(), 99.9);
}

}  // namespace
