// SPDX-License-Identifier: LGPL-2.1-or-later
// Pairs the rows of a matrix with its columns so that the sum of gains is the largest.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace npc::count {

/// The column of a row that has none.
inline constexpr int kUnassigned = -1;

/// Finds the pairs of rows and columns with the largest sum of gains; a row and a column are in at
/// most one pair. The result is the same for the same input.
///
/// @param gains one number for each pair, row by row; a pair whose gain is not above zero is never
///        chosen
/// @param rows number of rows
/// @param columns number of columns; `gains` holds `rows * columns` numbers
/// @return for each row its column, or kUnassigned
///
/// Time grows at most with the square of the smaller side times the larger one.
std::vector<int> assign(std::span<const double> gains, std::size_t rows, std::size_t columns);

}  // namespace npc::count
