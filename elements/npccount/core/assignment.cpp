// SPDX-License-Identifier: LGPL-2.1-or-later
// Optimal assignment by shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987).
#include "npccount/core/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npc::count {
namespace {

// The part of the matrix that matters: rows and columns without a possible pair only cost time.
struct Problem {
  std::vector<std::size_t> rows;
  std::vector<std::size_t> columns;
  std::vector<double> costs;

  double cost(std::size_t row, std::size_t column) const {
    return costs[row * columns.size() + column];
  }
};

bool is_possible(double gain) {
  return std::isfinite(gain) && gain > 0;
}

// Makes it a problem of costs with at least as many columns as rows. A forbidden pair costs as much
// as no gain at all, so a row that ends up with one is a row without a pair.
Problem reduce(std::span<const double> gains, std::size_t rows, std::size_t columns, bool turn) {
  Problem problem;
  std::vector<bool> row_used(rows), column_used(columns);
  double best = 0;
  for (std::size_t row = 0; row < rows; row++)
    for (std::size_t column = 0; column < columns; column++)
      if (const double gain = gains[row * columns + column]; is_possible(gain)) {
        row_used[row] = column_used[column] = true;
        best = std::max(best, gain);
      }
  for (std::size_t row = 0; row < rows; row++)
    if (row_used[row])
      problem.rows.push_back(row);
  for (std::size_t column = 0; column < columns; column++)
    if (column_used[column])
      problem.columns.push_back(column);

  auto cost = [&](std::size_t row, std::size_t column) {
    const double gain = gains[row * columns + column];
    return is_possible(gain) ? best - gain : best;
  };
  if (!turn) {
    for (std::size_t row : problem.rows)
      for (std::size_t column : problem.columns)
        problem.costs.push_back(cost(row, column));
  } else {
    for (std::size_t column : problem.columns)
      for (std::size_t row : problem.rows)
        problem.costs.push_back(cost(row, column));
    std::swap(problem.rows, problem.columns);
  }
  return problem;
}

// Rows are added one by one, each by the cheapest chain of reassignments. Index 0 stands for the
// row that is being added; rows and columns count from 1.
std::vector<std::size_t> solve(const Problem &problem) {
  const std::size_t rows = problem.rows.size(), columns = problem.columns.size();
  std::vector<double> row_price(rows + 1), column_price(columns + 1);
  std::vector<std::size_t> row_of(columns + 1), previous(columns + 1);
  std::vector<double> slack(columns + 1);
  std::vector<char> visited(columns + 1);
  for (std::size_t added = 1; added <= rows; added++) {
    row_of[0] = added;
    std::fill(slack.begin(), slack.end(), std::numeric_limits<double>::infinity());
    std::fill(visited.begin(), visited.end(), 0);
    std::size_t column = 0;
    do {
      visited[column] = 1;
      const std::size_t row = row_of[column];
      double step = std::numeric_limits<double>::infinity();
      std::size_t nearest = 0;
      for (std::size_t other = 1; other <= columns; other++) {
        if (visited[other])
          continue;
        const double reduced =
            problem.cost(row - 1, other - 1) - row_price[row] - column_price[other];
        if (reduced < slack[other]) {
          slack[other] = reduced;
          previous[other] = column;
        }
        if (slack[other] < step) {
          step = slack[other];
          nearest = other;
        }
      }
      for (std::size_t other = 0; other <= columns; other++) {
        if (visited[other]) {
          row_price[row_of[other]] += step;
          column_price[other] -= step;
        } else {
          slack[other] -= step;
        }
      }
      column = nearest;
    } while (row_of[column] != 0);
    for (; column != 0; column = previous[column])
      row_of[column] = row_of[previous[column]];
  }
  return row_of;
}

}  // namespace

std::vector<int> assign(std::span<const double> gains, std::size_t rows, std::size_t columns) {
  std::vector<int> result(rows, kUnassigned);
  // Which side has more usable lines is only known after reducing.
  Problem problem = reduce(gains, rows, columns, false);
  const bool turned = problem.rows.size() > problem.columns.size();
  if (turned)
    problem = reduce(gains, rows, columns, true);
  const std::vector<std::size_t> row_of = solve(problem);
  for (std::size_t index = 1; index < row_of.size(); index++) {
    if (row_of[index] == 0)
      continue;
    std::size_t row = problem.rows[row_of[index] - 1];
    std::size_t column = problem.columns[index - 1];
    if (turned)
      std::swap(row, column);
    if (is_possible(gains[row * columns + column]))
      result[row] = static_cast<int>(column);
  }
  return result;
}

}  // namespace npc::count
