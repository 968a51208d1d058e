// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcsrc knows of records on their way, of senders and of gaps.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "base/ratelimit.h"
#include "npcsrc/core/gapwatch.h"
#include "npcsrc/core/inflight.h"
#include "npcsrc/core/senders.h"

namespace npc::source {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

const Time kStart{100s};
const Series kDoor{"home", "door", "5f0c"};
const Sender kCamera{"home", "door"};

RC_GTEST_PROP(InFlight, TellsEachWhoWaitsOnce, ()) {
  InFlight in_flight;
  std::map<std::uint64_t, std::multiset<std::uint64_t>> model;
  for (std::uint64_t ticket = 0; ticket < 40; ticket++) {
    const auto seq = *rc::gen::inRange<std::uint64_t>(0, 20);
    if (*rc::gen::inRange(0, 3) > 0) {
      const bool there = in_flight.join({kDoor, seq}, ticket, kStart);
      RC_ASSERT(there == model.contains(seq));
      if (!there)
        in_flight.add({kDoor, seq}, ticket, kStart);
      model[seq].insert(ticket);
    } else {
      const Range range{seq, seq + *rc::gen::inRange<std::uint64_t>(0, 5)};
      std::map<std::uint64_t, std::multiset<std::uint64_t>> told, expected;
      for (const InFlight::Stored &stored : in_flight.take(kDoor, range))
        told[stored.id.seq].insert(stored.ticket);
      for (std::uint64_t each = range.from; each <= range.to; each++)
        if (const auto found = model.extract(each); !found.empty())
          expected.emplace(each, found.mapped());
      RC_ASSERT(told == expected);
    }
    RC_ASSERT(in_flight.has_any() == !model.empty());
  }
}

TEST(InFlight, WhatWasPushedLongAgoIsPushedAgain) {
  InFlight in_flight;
  in_flight.add({kDoor, 1}, 1, kStart);
  EXPECT_TRUE(in_flight.join({kDoor, 1}, 2, kStart + 29s));
  EXPECT_FALSE(in_flight.join({kDoor, 1}, 3, kStart + 30s));
  in_flight.add({kDoor, 1}, 3, kStart + 30s);
  EXPECT_TRUE(in_flight.join({kDoor, 1}, 4, kStart + 31s));
  EXPECT_EQ(in_flight.take(kDoor, {0, 9}).size(), 2u);
  EXPECT_FALSE(in_flight.has_any());
}

TEST(InFlight, KnowsHowManyNumbersARecordStandsFor) {
  InFlight in_flight;
  in_flight.add({kDoor, 14}, 1, kStart, 15);
  in_flight.add({kDoor, 15}, 2, kStart);
  const auto taken = in_flight.take(kDoor, {14, 15});
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].windows, 15u);
  EXPECT_EQ(taken[1].windows, 1u);
}

TEST(InFlight, IsBounded) {
  InFlight in_flight;
  for (std::uint64_t seq = 0; seq < 2 * InFlight::kMost; seq++)
    in_flight.add({kDoor, seq}, 1, kStart);
  EXPECT_FALSE(in_flight.join({kDoor, 0}, 1, kStart));
  EXPECT_LE(in_flight.take(kDoor, {0, INT64_MAX}).size(), InFlight::kMost);
}

TEST(Senders, FallSilentByTheirOwnInterval) {
  Senders senders;
  const Sender other{"home", "gate"};
  EXPECT_TRUE(senders.note(kCamera, 2s, kStart));
  EXPECT_TRUE(senders.note(other, 60s, kStart));
  EXPECT_FALSE(senders.note(kCamera, 2s, kStart + 2s));
  EXPECT_EQ(senders.active(), 2u);
  EXPECT_TRUE(senders.silent(kStart + 11s).empty());
  EXPECT_EQ(senders.silent(kStart + 12s), std::vector<Sender>{kCamera});
  EXPECT_TRUE(senders.silent(kStart + 13s).empty()) << "it is said once";
  EXPECT_EQ(senders.active(), 1u);
  EXPECT_EQ(senders.silent(kStart + 180s), std::vector<Sender>{other});
  EXPECT_TRUE(senders.note(kCamera, 2s, kStart + 200s)) << "it is there again";
}

TEST(Senders, TakeAnyInterval) {
  Senders senders;
  senders.note(kCamera, std::chrono::milliseconds::max(), kStart);
  EXPECT_TRUE(senders.silent(kStart + 59min).empty());
  EXPECT_EQ(senders.silent(kStart + 60min).size(), 1u);
}

TEST(Senders, AreBounded) {
  Senders senders;
  for (int i = 0; i < 10000; i++)
    senders.note({"home", std::to_string(i)}, 2s, kStart);
  EXPECT_EQ(senders.active(), Senders::kMostSenders);
  EXPECT_EQ(senders.silent(kStart + 1h).size(), Senders::kMostSenders);
  EXPECT_EQ(senders.active(), 0u);
}

TEST(GapWatch, SaysAGapOnceAndGivesItUpOnce) {
  GapWatch watch;
  const Gap gap{kDoor, {3, 9}};
  EXPECT_TRUE(watch.update({gap}, 60s, kStart).found.empty()) << "it may be on its way";
  EXPECT_EQ(watch.update({gap}, 60s, kStart + 5s).found, std::vector<Gap>{gap});
  EXPECT_TRUE(watch.update({gap}, 60s, kStart + 6s).found.empty());
  // Filled in the middle: what is left is as old.
  const std::vector<Gap> left{{kDoor, {8, 9}}, {kDoor, {3, 5}}};
  EXPECT_TRUE(watch.update(left, 60s, kStart + 7s).found.empty());
  EXPECT_TRUE(watch.update(left, 60s, kStart + 59s).old.empty());
  EXPECT_EQ(watch.update(left, 60s, kStart + 60s).old, left);
}

TEST(GapWatch, AsksForAGapAgainAndAgainAndEverMoreRarely) {
  GapWatch watch;
  const std::vector<Gap> gaps{{kDoor, {3, 9}}};
  std::vector<std::chrono::seconds> asked;
  for (std::chrono::seconds at{0}; at < 1h; at += 1s)
    if (const auto news = watch.update(gaps, 2h, kStart + at, true); !news.ask.empty()) {
      EXPECT_EQ(news.ask, gaps);
      asked.push_back(at);
    }
  EXPECT_EQ(asked, (std::vector<std::chrono::seconds>{5s, 35s, 95s, 215s, 455s, 935s, 1535s, 2135s,
                                                      2735s, 3335s}));
  // Nobody is there to be asked.
  GapWatch other;
  other.update(gaps, 2h, kStart);
  EXPECT_TRUE(other.update(gaps, 2h, kStart + 60s).ask.empty());
}

TEST(GapWatch, AsksForAFewOfManyGapsAtATime) {
  GapWatch watch;
  std::vector<Gap> gaps;
  for (std::uint64_t i = 100; i > 0; i--)
    gaps.push_back({kDoor, {2 * i, 2 * i}});
  watch.update(gaps, 1h, kStart, true);
  std::set<std::uint64_t> asked;
  for (int second = 0; second < 7; second++) {
    const auto ask = watch.update(gaps, 1h, kStart + 5s + second * 1s, true).ask;
    EXPECT_LE(ask.size(), GapWatch::kMostAsked);
    if (second == 0) {
      EXPECT_EQ(ask.front(), gaps.front()) << "the newest first";
    }
    for (const Gap &gap : ask)
      EXPECT_TRUE(asked.insert(gap.range.from).second);
  }
  EXPECT_EQ(asked.size(), gaps.size());
}

TEST(GapWatch, ForgetsWhatWasFilled) {
  GapWatch watch;
  const Gap gap{kDoor, {3, 9}};
  watch.update({gap}, 60s, kStart);
  watch.update({}, 60s, kStart + 1s);
  EXPECT_TRUE(watch.update({gap}, 60s, kStart + 60s).old.empty());
  EXPECT_EQ(watch.update({gap}, 0s, kStart + 61s).old, std::vector<Gap>{gap});
}

RC_GTEST_PROP(RateLimit, AllowsNoMoreThanItSays, ()) {
  Time now = kStart;
  RateLimit limit(10, now);
  unsigned taken = 0;
  for (int i = 0; i < 50; i++) {
    const unsigned available = limit.available(now);
    const unsigned count = *rc::gen::inRange(0u, available + 1);
    limit.take(count);
    taken += count;
    RC_ASSERT(taken <= 10 + 10 * std::chrono::duration<double>(now - kStart).count() + 0.001);
    if (limit.available(now) == 0) {
      now = limit.next() + 1ns;
      RC_ASSERT(limit.available(now) >= 1u);
    }
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 200));
  }
}

}  // namespace
}  // namespace npc::source
