// SPDX-License-Identifier: LGPL-2.1-or-later
// Ranges against a set that has each number.
#include "base/ranges.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <ostream>
#include <set>
#include <vector>

namespace npc {

void showValue(const Range &range, std::ostream &out) {
  out << range.from << " to " << range.to;
}

namespace {

constexpr std::uint64_t kMost = 50;

Range some_range() {
  const auto from = *rc::gen::inRange<std::uint64_t>(0, kMost);
  return {from, *rc::gen::inRange(from, kMost)};
}

std::set<std::uint64_t> numbers_of(const std::vector<Range> &ranges) {
  std::set<std::uint64_t> numbers;
  for (const Range &range : ranges)
    for (std::uint64_t number = range.from; number <= range.to; number++)
      numbers.insert(number);
  return numbers;
}

// Between each two there is a number, or they were one.
bool is_minimal(const std::vector<Range> &ranges) {
  for (std::size_t i = 1; i < ranges.size(); i++)
    if (ranges[i].from <= ranges[i - 1].to + 1)
      return false;
  return true;
}

std::set<std::uint64_t> without(std::set<std::uint64_t> all, const std::set<std::uint64_t> &some) {
  for (const std::uint64_t number : some)
    all.erase(number);
  return all;
}

RC_GTEST_PROP(Ranges, AreTheSetOfTheirNumbers, ()) {
  Ranges ranges;
  std::set<std::uint64_t> model;
  const int steps = *rc::gen::inRange(0, 40);
  for (int step = 0; step < steps; step++) {
    const Range range = some_range();
    const auto kind = *rc::gen::inRange(0, 10);
    if (kind < 6) {
      std::uint64_t fresh = 0;
      for (const std::uint64_t number : numbers_of({range}))
        fresh += model.insert(number).second ? 1 : 0;
      RC_ASSERT(ranges.add(range) == fresh);
    } else if (kind < 9) {
      ranges.remove(range);
      model = without(model, numbers_of({range}));
    } else if (!ranges.empty()) {
      model = without(model, numbers_of({ranges.list().front()}));
      ranges.drop_lowest();
    }
    RC_ASSERT(is_minimal(ranges.list()));
    RC_ASSERT(numbers_of(ranges.list()) == model);
    RC_ASSERT(ranges.empty() == model.empty());
  }

  for (std::uint64_t number = 0; number < kMost; number++)
    RC_ASSERT(ranges.contains(number) == model.contains(number));
  const Range asked = some_range();
  const auto missing = without(numbers_of({asked}), model);
  RC_ASSERT(is_minimal(ranges.uncovered(asked)));
  RC_ASSERT(numbers_of(ranges.uncovered(asked)) == missing);
  RC_ASSERT(ranges.covers(asked) == missing.empty());
  if (model.empty()) {
    RC_ASSERT(ranges.holes().empty());
  } else {
    RC_ASSERT(ranges.first() == *model.begin() && ranges.last() == *model.rbegin());
    RC_ASSERT(numbers_of(ranges.holes()) ==
              without(numbers_of({{*model.begin(), *model.rbegin()}}), model));
  }
}

TEST(Ranges, HaveTheHighestNumberToo) {
  constexpr std::uint64_t kHighest = INT64_MAX;
  Ranges ranges;
  EXPECT_EQ(ranges.add({0, kHighest}), kHighest + 1);
  ranges.remove({1, kHighest - 1});
  EXPECT_EQ(ranges.list(), (std::vector<Range>{{0, 0}, {kHighest, kHighest}}));
  EXPECT_EQ(ranges.holes(), (std::vector<Range>{{1, kHighest - 1}}));
  EXPECT_EQ(ranges.add({0, kHighest}), kHighest - 1);
  EXPECT_TRUE(ranges.covers({0, kHighest}));
}

}  // namespace
}  // namespace npc
