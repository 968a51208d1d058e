// SPDX-License-Identifier: LGPL-2.1-or-later
// The assignment is the best one, by comparison with all of them.
#include "npccount/core/assignment.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace {

using npc::count::assign;
using npc::count::kUnassigned;

// The best sum of gains from `row` on, with some columns taken.
double best_sum(const std::vector<double> &gains, std::size_t rows, std::size_t columns,
                std::size_t row, unsigned taken) {
  if (row == rows)
    return 0;
  double best = best_sum(gains, rows, columns, row + 1, taken);
  for (std::size_t column = 0; column < columns; column++)
    if (const double gain = gains[row * columns + column]; gain > 0 && (taken >> column & 1) == 0)
      best = std::max(best, gain + best_sum(gains, rows, columns, row + 1, taken | 1u << column));
  return best;
}

TEST(Assignment, IsTheBestOfAll) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::size_t> size(0, 6);
  std::uniform_real_distribution<double> gain(-1, 1);
  for (int round = 0; round < 2000; round++) {
    const std::size_t rows = size(random), columns = size(random);
    std::vector<double> gains(rows * columns);
    for (double &number : gains)
      // Equal gains are where algorithms go wrong.
      number = round % 2 == 0 ? gain(random) : std::round(2 * gain(random));
    const std::vector<int> columns_of = assign(gains, rows, columns);
    ASSERT_EQ(columns_of.size(), rows);
    std::set<int> taken;
    double sum = 0;
    for (std::size_t row = 0; row < rows; row++) {
      if (columns_of[row] == kUnassigned)
        continue;
      ASSERT_GE(columns_of[row], 0);
      ASSERT_LT(static_cast<std::size_t>(columns_of[row]), columns);
      EXPECT_TRUE(taken.insert(columns_of[row]).second) << "a column was given twice";
      const double number = gains[row * columns + static_cast<std::size_t>(columns_of[row])];
      EXPECT_GT(number, 0);
      sum += number;
    }
    EXPECT_NEAR(sum, best_sum(gains, rows, columns, 0, 0), 1e-9);
  }
}

TEST(Assignment, NothingIsAssignedToNothing) {
  EXPECT_TRUE(assign({}, 0, 0).empty());
  EXPECT_EQ(assign({}, 2, 0), std::vector<int>({kUnassigned, kUnassigned}));
  EXPECT_TRUE(assign({}, 0, 2).empty());
}

TEST(Assignment, WhatIsNotANumberIsForbidden) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> gains = {nan, 0.1, infinity, nan};
  EXPECT_EQ(assign(gains, 2, 2), std::vector<int>({1, kUnassigned}));
}

TEST(Assignment, GivesUpALittleToGainMuch) {
  const std::vector<double> gains = {0.9, 0.8, 0.85, 0};
  EXPECT_EQ(assign(gains, 2, 2), std::vector<int>({1, 0}));
}

TEST(Assignment, OfFiveHundredEndsAndIsAPermutation) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> gain(0.1, 1);
  constexpr std::size_t kSize = 500;
  std::vector<double> gains(kSize * kSize);
  for (double &number : gains)
    number = gain(random);
  const std::vector<int> columns_of = assign(gains, kSize, kSize);
  EXPECT_EQ(std::set<int>(columns_of.begin(), columns_of.end()).size(), kSize);
}

}  // namespace
