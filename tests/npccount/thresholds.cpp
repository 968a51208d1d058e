// SPDX-License-Identifier: LGPL-2.1-or-later
// Thresholds: when they tell of above and below, and that they never do so twice.
#include "npccount/core/threshold.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <random>
#include <vector>

#include "npccount/core/rules.h"
#include "support/street.h"

using namespace npc::count;

namespace npc::count {
namespace {

ThresholdDefinition crowd(unsigned above, unsigned below, Time hold) {
  ThresholdDefinition definition;
  definition.name = "crowd";
  definition.above = above;
  definition.below = below;
  definition.hold = hold;
  return definition;
}

TEST(Threshold, NeedsSoManyForSoLong) {
  Threshold threshold(crowd(10, 8, 3s));
  for (Time now{}; now < 3s; now += 100ms)
    EXPECT_FALSE(threshold.update(now, 10));
  const auto change = threshold.update(3s, 12);
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->above);
  EXPECT_EQ(change->held, 3s);
  EXPECT_FALSE(threshold.update(10s, 12));
}

TEST(Threshold, AnythingLessBreaksIt) {
  Threshold threshold(crowd(10, 8, 3s));
  for (Time now{}; now < 60s; now += 100ms)
    EXPECT_FALSE(threshold.update(now, now % 2s == 0s ? 9 : 10));
}

TEST(Threshold, NothingChangesInBetween) {
  Threshold threshold(crowd(10, 8, 0s));
  EXPECT_FALSE(threshold.update(0s, 9));
  EXPECT_TRUE(threshold.update(1s, 10)->above);
  EXPECT_FALSE(threshold.update(2s, 9));
  EXPECT_FALSE(threshold.update(3s, 10));
  EXPECT_FALSE(threshold.update(4s, 8)->above);
  EXPECT_FALSE(threshold.update(5s, 9));
  EXPECT_FALSE(threshold.update(6s, 0));
}

TEST(Threshold, ForgetsTimeNotItsState) {
  Threshold threshold(crowd(1, 0, 3s));
  threshold.update(0s, 1);
  threshold.forget();
  EXPECT_FALSE(threshold.update(4s, 1)) << "nobody knows what was between";
  EXPECT_TRUE(threshold.update(7s, 1)->above);
  threshold.forget();
  EXPECT_FALSE(threshold.update(0s, 1));
  EXPECT_FALSE(threshold.update(10s, 1)) << "it is above already";
}

TEST(Threshold, GoesOnFromItsStateWhenItIsChanged) {
  Threshold threshold(crowd(2, 1, 0s));
  EXPECT_TRUE(threshold.update(0s, 5));
  threshold.redefine(crowd(10, 6, 0s));
  const auto change = threshold.update(1s, 5);
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->above);
}

TEST(Threshold, IsRefusedIfItCannotWork) {
  EXPECT_EQ(error_in(crowd(1, 0, 0s)), "");
  EXPECT_EQ(error_in(crowd(0, 0, 0s)),
            "The threshold crowd is always reached: above must be 1 or more.");
  EXPECT_EQ(error_in(crowd(8, 8, 0s)),
            "The threshold crowd has a below of 8 and an above of 8: below must be the smaller "
            "one.");
  EXPECT_NE(error_in(crowd(8, 10, 0s)), "");
}

TEST(Threshold, OfAZoneNeedsTheZone) {
  Definitions definitions;
  definitions.thresholds = {crowd(1, 0, 0s)};
  EXPECT_EQ(error_in(definitions), "");
  definitions.thresholds[0].zone = "queue";
  EXPECT_EQ(error_in(definitions),
            "The threshold crowd watches the zone queue, which the property zones does not have: "
            "define it there, or change thresholds.");
  definitions.zones.push_back({"queue", "person", {{0, 0}, {1, 0}, {1, 1}}, {}});
  EXPECT_EQ(error_in(definitions), "");
}

TEST(Rules, WatchTheFrameAndZones) {
  Definitions definitions;
  definitions.zones.push_back({"left", "person", {{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}, {}});
  definitions.thresholds = {crowd(2, 1, 0s), crowd(1, 0, 0s), crowd(1, 0, 0s)};
  definitions.thresholds[1].name = "zone";
  definitions.thresholds[1].zone = "left";
  definitions.thresholds[2].name = "cars";
  definitions.thresholds[2].label = "car";
  Rules rules;
  rules.define(definitions);
  Street street;
  auto alarms = [&](Time now, const Detections &seen) {
    return rules.update(now, street.show(now, seen), kFrame).alarms;
  };
  for (Time now{}; now < 10s; now += 100ms)
    EXPECT_TRUE(alarms(now, {person(500, 300)}).empty());
  std::vector<Alarm> told;
  for (Time now = 10s; now < 11s; now += 100ms)
    for (const Alarm &alarm : alarms(now, {person(100, 300), person(500, 300)}))
      told.push_back(alarm);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].threshold, "crowd");
  EXPECT_EQ(told[0].people, 2u);
  EXPECT_EQ(told[1].threshold, "zone");
  EXPECT_EQ(told[1].zone, "left");
  EXPECT_EQ(told[1].label, "person");
  EXPECT_EQ(told[1].people, 1u);
  rules.define(definitions);
  told = alarms(20s, {});
  ASSERT_EQ(told.size(), 2u);
  EXPECT_FALSE(told[0].above || told[1].above);
}

// What is observed of a scene at some moments.
struct Told {
  bool above;
  Time time;
};

std::vector<Told> tell(const ThresholdDefinition &definition, const std::vector<Time> &moments,
                       const std::function<unsigned(Time)> &scene) {
  Threshold threshold(definition);
  std::vector<Told> told;
  for (const Time &moment : moments)
    if (const auto change = threshold.update(moment, scene(moment)))
      told.push_back({change->above, moment});
  return told;
}

// Any definition, any numbers at any times, forgotten now and then.
RC_GTEST_PROP(Thresholds, TellOfAboveAndBelowInTurn, ()) {
  const unsigned above = *rc::gen::inRange(1u, 8u);
  const unsigned below = *rc::gen::inRange(0u, above);
  const Time hold = *rc::gen::inRange(0, 3000) * 1ms;
  Threshold threshold(crowd(above, below, hold));
  bool expected = true;
  Time now{}, anew{};
  const auto steps = *rc::gen::container<std::vector<std::pair<int, unsigned>>>(
      rc::gen::pair(rc::gen::inRange(0, 4000), rc::gen::inRange(0u, 10u)));
  for (const auto &[pause, number] : steps) {
    if (pause > 3900) {
      threshold.forget();
      anew = now;
    }
    now += pause * 1ms;
    const auto change = threshold.update(now, number);
    if (!change)
      continue;
    RC_ASSERT(change->above == expected);
    RC_ASSERT((change->above ? number >= above : number <= below));
    RC_ASSERT((change->held >= hold && change->held <= now - anew));
    expected = !expected;
  }
}

// Where the number is on one side, or in between, either for `step` and up to `hold`, or for
// `hold + 2 step` and more, each way of looking that looks at least once in `step` tells the same,
// and no later than `2 step` after the one who looks all the time.
RC_GTEST_PROP(Thresholds, DoNotDependOnTheFramesTimes, ()) {
  constexpr Time kStep = 200ms, kHold = 2s;
  const ThresholdDefinition definition = crowd(6, 3, kHold);
  std::mt19937 random(*rc::gen::arbitrary<unsigned>());
  auto any = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::vector<std::pair<Time, unsigned>> runs;  // their ends
  Time end{};
  int side = any(0, 2);
  for (int run = 0; run < 30; run++) {
    end += any(0, 1) == 0 ? any(200, 1999) * 1ms : any(2401, 6000) * 1ms;
    runs.push_back({end, side == 0 ? any(0, 3) : side == 1 ? any(4, 5) : any(6, 9)});
    side = (side + any(1, 2)) % 3;
  }
  auto scene = [&](Time time) {
    for (const auto &[until, number] : runs)
      if (time < until)
        return number;
    return runs.back().second;
  };
  std::vector<Time> always, sometimes;
  for (Time now{}; now < end; now += 1ms)
    always.push_back(now);
  for (Time now{}; now < end; now += any(1, 200) * 1ms)
    sometimes.push_back(now);
  const auto all = tell(definition, always, scene), some = tell(definition, sometimes, scene);
  RC_ASSERT(some.size() == all.size());
  for (std::size_t i = 0; i < all.size(); i++) {
    RC_ASSERT(some[i].above == all[i].above);
    RC_ASSERT(some[i].time >= all[i].time);
    RC_ASSERT(some[i].time - all[i].time < 2 * kStep);
  }
}

}  // namespace
}  // namespace npc::count
