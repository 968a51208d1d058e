// SPDX-License-Identifier: LGPL-2.1-or-later
// A set of numbers that come mostly one after the other.
#pragma once

#include <cstdint>
#include <vector>

namespace npc {

/// Numbers from `from` to `to`, both among them.
struct Range {
  std::uint64_t from = 0;
  std::uint64_t to = 0;

  std::uint64_t size() const { return to - from + 1; }
  bool operator==(const Range &) const = default;
};

/// A set of numbers below 2^63, kept as the ranges that it consists of.
class Ranges {
 public:
  bool contains(std::uint64_t number) const;
  bool covers(Range range) const;
  /// Adds all numbers of a range. Returns how many were not there.
  std::uint64_t add(Range range);
  /// Takes all numbers of a range out.
  void remove(Range range);
  /// Takes the lowest range out. There must be one.
  void drop_lowest() { ranges_.erase(ranges_.begin()); }
  void clear() { ranges_.clear(); }

  /// The numbers of a range that are not in the set.
  std::vector<Range> uncovered(Range range) const;
  /// The numbers between the first and the last that are not in the set.
  std::vector<Range> holes() const;

  bool empty() const { return ranges_.empty(); }
  /// The lowest and the highest number. There must be one.
  std::uint64_t first() const { return ranges_.front().from; }
  std::uint64_t last() const { return ranges_.back().to; }
  /// In order; between two of them there is at least one number that is in none.
  const std::vector<Range> &list() const { return ranges_; }
  bool operator==(const Ranges &) const = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace npc
