// SPDX-License-Identifier: LGPL-2.1-or-later
// Airtime, what regions allow, and the budget that keeps it.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>

#include "support/loraduty.h"
#include "transport/lora/frame/frame.h"
#include "transport/lora/radio/airtime.h"
#include "transport/lora/radio/dutybudget.h"
#include "transport/lora/radio/region.h"

namespace {

using namespace npc;
using namespace npc::lora;
using namespace std::chrono_literals;

double milliseconds_of(int sf, std::size_t bytes) {
  Modulation modulation;
  modulation.spreading_factor = sf;
  return static_cast<double>(time_on_air(modulation, bytes).count()) / 1000;
}

TEST(LoraAirtime, IsThatOfTheDataSheets) {
  EXPECT_NEAR(milliseconds_of(7, 12), 41.2, 0.05);
  EXPECT_NEAR(milliseconds_of(9, 12), 144.4, 0.05);
  EXPECT_NEAR(milliseconds_of(12, 12), 1155.1, 0.05);
  EXPECT_NEAR(milliseconds_of(7, 32), 71.9, 0.05);
  EXPECT_NEAR(milliseconds_of(9, 32), 246.8, 0.05);
  EXPECT_NEAR(milliseconds_of(10, 32), 452.6, 0.05);
  EXPECT_NEAR(milliseconds_of(12, 32), 1810.4, 0.05);
  EXPECT_NEAR(milliseconds_of(7, 29), 66.8, 0.05);
  EXPECT_NEAR(milliseconds_of(12, 51), 2465.8, 0.05);
}

// SX1276's data sheet, 4.1.1.7, in floating point.
TEST(LoraAirtime, IsTheFormulaEverywhere) {
  for (int sf = 7; sf <= 12; ++sf) {
    for (const int bandwidth : {125000, 250000, 500000}) {
      for (int rate = 1; rate <= 4; ++rate) {
        for (std::size_t bytes = 0; bytes < 256; ++bytes) {
          const double symbol = std::ldexp(1.0, sf) / bandwidth;
          const int low = symbol > 0.016 ? 1 : 0;
          const double fours =
              std::ceil((8.0 * static_cast<double>(bytes) - 4 * sf + 44) / (4.0 * (sf - 2 * low)));
          const double time = (8 + 4.25 + 8 + std::max(fours * (rate + 4), 0.0)) * symbol * 1e6;
          Modulation modulation{sf, bandwidth, rate, 8};
          ASSERT_NEAR(static_cast<double>(time_on_air(modulation, bytes).count()), time, 1.01);
        }
      }
    }
  }
}

struct Plan {
  const char *region;
  double mhz;
  int sf;
  int khz;
  int power;
  std::size_t bytes;
  int period;
  std::uint32_t duty;  // 0 if it is refused
  const char *error;   // a part of it
};

class LoraRegions : public testing::TestWithParam<Plan> {};

TEST_P(LoraRegions, HaveTheirLimits) {
  const Plan &given = GetParam();
  RadioPlan plan;
  plan.region = given.region;
  plan.frequency = given.mhz == 0 ? default_frequency(given.region)
                                  : static_cast<std::uint32_t>(std::lround(given.mhz * 1e6));
  plan.modulation.spreading_factor = given.sf;
  plan.modulation.bandwidth = given.khz * 1000;
  plan.power = given.power;
  plan.most_bytes = given.bytes;
  plan.period = std::chrono::seconds(given.period);
  std::uint32_t duty = 0;
  const std::string error = check_region(plan, &duty).error();
  EXPECT_EQ(duty, given.duty) << error;
  if (given.duty == 0) {
    EXPECT_NE(error.find(given.error), std::string::npos) << error;
    EXPECT_TRUE(error.ends_with('.')) << error;
  } else {
    EXPECT_EQ(error, "");
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, LoraRegions,
    testing::Values(
        Plan{"eu868", 0, 7, 125, 14, 32, 30, 10000, ""},
        Plan{"eu868", 869.525, 12, 125, 27, 32, 30, 100000, ""},
        Plan{"eu868", 868.95, 7, 125, 14, 32, 120, 1000, ""},
        Plan{"eu868", 869.85, 9, 250, 14, 32, 60, 10000, ""},
        Plan{"eu868", 866.0, 9, 500, 14, 32, 60, 10000, ""},
        Plan{"eu868", 868.125, 7, 500, 14, 32, 30, 0, "868.0 to 868.6 MHz"},
        Plan{"eu868", 868.65, 7, 125, 14, 32, 30, 0, "is not inside what region=eu868 allows"},
        Plan{"eu868", 0, 7, 125, 22, 32, 30, 0, "22 dBm are more than the 14 dBm"},
        Plan{"eu868", 0, 12, 125, 14, 32, 60, 0, "every 201.2 s at 868.1 MHz"},
        Plan{"eu868", 868.95, 12, 125, 14, 32, 0, 0, "use a smaller spreading factor"},
        Plan{"eu868", 0, 6, 125, 14, 32, 0, 0, "spreading factor is 7 to 12, and not 6"},
        Plan{"eu868", 0, 7, 62, 14, 32, 0, 0, "125, 250 or 500 kHz"},
        Plan{"us915", 0, 7, 500, 30, 32, 5, 1000000, ""},
        Plan{"us915", 0, 7, 125, 30, 32, 30, 0, "region=us915 needs a bandwidth of 500 kHz"},
        Plan{"us915", 901.9, 7, 500, 14, 32, 30, 0, "902.0 to 928.0 MHz"},
        Plan{"as923", 0, 9, 125, 14, 32, 30, 10000, ""},
        Plan{"as923", 0, 10, 125, 14, 24, 60, 10000, ""},
        Plan{"as923", 0, 10, 125, 14, 29, 60, 0, "they can have 24 bytes"},
        Plan{"as923", 0, 12, 125, 14, 22, 300, 0, "use a smaller spreading factor"},
        Plan{"mars", 868.1, 7, 125, 14, 32, 30, 0, "There is no region \"mars\""}));

TEST(LoraDutyBudget, IsEmptyAtTheStart) {
  DutyBudget budget(10000, 100s);
  EXPECT_FALSE(budget.allows(72ms, 100s));
  EXPECT_EQ(budget.when(72ms, 100s), 108s);
  EXPECT_TRUE(budget.allows(72ms, 108s));
  EXPECT_EQ(budget.when(3601ms, 100s), DutyBudget::Time::max());
  EXPECT_EQ(DutyBudget::longest(10000), 3600ms);
}

TEST(LoraDutyBudget, IsNoMoreAfterADayThanAfterAnHour) {
  DutyBudget budget(10000, 0s);
  EXPECT_TRUE(budget.allows(3600ms, 24h));
  budget.take(3600ms);
  EXPECT_FALSE(budget.allows(1ms, 24h));
}

// Frames of all lengths, as soon as it allows them, for a week, with restarts every two hours in
// the mean: the worst of all hours.
TEST(LoraDutyBudget, IsKeptInEveryHour) {
  for (const std::uint32_t duty : {1000u, 10000u, 100000u}) {
    for (const int restarts : {0, 1}) {
      std::mt19937 random(duty + restarts);
      std::exponential_distribution<double> life(1.0 / 7200);
      test::WorstHour worst;
      std::optional<DutyBudget> budget(std::in_place, duty, 0s);
      DutyBudget::Time now = 0s,
                       crash =
                           std::chrono::microseconds(static_cast<std::int64_t>(life(random) * 1e6));
      while (now < 7 * 24h) {
        if (restarts == 1 && now >= crash) {
          budget.emplace(duty, now);
          crash = now + std::chrono::microseconds(static_cast<std::int64_t>(life(random) * 1e6));
        }
        Modulation modulation;
        modulation.spreading_factor = 7 + static_cast<int>(random() % 4);
        const auto airtime =
            std::min(time_on_air(modulation, 18 + random() % 15), DutyBudget::longest(duty));
        now = budget->when(airtime, now);
        // Sometimes it waits, to have much at once.
        if (random() % 50 == 0)
          now += 1h;
        ASSERT_TRUE(budget->allows(airtime, now));
        budget->take(airtime);
        worst.add(now, airtime);
        now += airtime;
      }
      EXPECT_LE(worst.worst().count(), std::int64_t{duty} * 3600);
      RecordProperty("worst_" + std::to_string(duty) + "_" + std::to_string(restarts),
                     std::to_string(static_cast<double>(worst.worst().count()) / 36e6) + " %");
    }
  }
}

}  // namespace
