// SPDX-License-Identifier: LGPL-2.1-or-later
// A set of numbers that come mostly one after the other.
#include "base/ranges.h"

#include <algorithm>

namespace npc {
namespace {

// The first range that ends at `number` or later.
auto ending_from(auto &ranges, std::uint64_t number) {
  return std::ranges::lower_bound(ranges, number, {}, &Range::to);
}

}  // namespace

bool Ranges::contains(std::uint64_t number) const {
  return covers({number, number});
}

bool Ranges::covers(Range range) const {
  const auto found = ending_from(ranges_, range.from);
  return found != ranges_.end() && found->from <= range.from && range.to <= found->to;
}

std::uint64_t Ranges::add(Range range) {
  // Neighbours become one range with it.
  const auto begin = ending_from(ranges_, range.from > 0 ? range.from - 1 : 0);
  auto end = begin;
  Range merged = range;
  std::uint64_t there = 0;
  for (; end != ranges_.end() && end->from <= range.to + 1; ++end) {
    merged = {std::min(merged.from, end->from), std::max(merged.to, end->to)};
    const std::uint64_t from = std::max(end->from, range.from), to = std::min(end->to, range.to);
    there += from <= to ? to - from + 1 : 0;
  }
  if (begin == end) {
    ranges_.insert(begin, merged);
  } else {
    *begin = merged;
    ranges_.erase(begin + 1, end);
  }
  return range.size() - there;
}

void Ranges::remove(Range range) {
  auto at = ending_from(ranges_, range.from);
  while (at != ranges_.end() && at->from <= range.to) {
    const Range old = *at;
    at = ranges_.erase(at);
    if (old.to > range.to)
      at = ranges_.insert(at, {range.to + 1, old.to});
    if (old.from < range.from)
      at = ranges_.insert(at, {old.from, range.from - 1}) + 1;
  }
}

std::vector<Range> Ranges::uncovered(Range range) const {
  std::vector<Range> parts;
  std::uint64_t next = range.from;
  for (auto at = ending_from(ranges_, range.from); at != ranges_.end() && at->from <= range.to;
       ++at) {
    if (at->from > next)
      parts.push_back({next, at->from - 1});
    next = at->to + 1;
  }
  if (next <= range.to)
    parts.push_back({next, range.to});
  return parts;
}

std::vector<Range> Ranges::holes() const {
  return empty() ? std::vector<Range>() : uncovered({first(), last()});
}

}  // namespace npc
