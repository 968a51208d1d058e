// SPDX-License-Identifier: LGPL-2.1-or-later
// Which records were given up before they were stored.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace npc::sink {

/// A set of ids, as ranges. Ids are added in rising order.
class LostIds {
 public:
  /// Adds an id. What is up to `passed` may be forgotten: every cursor has counted it.
  void add(std::int64_t id, std::int64_t passed) {
    if (!ranges_.empty() && ranges_.back().end == id) {
      ranges_.back().end++;
      return;
    }
    std::erase_if(ranges_, [passed](const Range &range) { return range.end <= passed + 1; });
    ranges_.push_back({id, id + 1});
  }

  void shift(std::int64_t by) {
    for (Range &range : ranges_) {
      range.begin += by;
      range.end += by;
    }
  }

  /// How many there are behind `after`, up to `last`.
  std::int64_t count(std::int64_t after, std::int64_t last) const {
    std::int64_t count = 0;
    for (const Range &range : ranges_) {
      count += std::max<std::int64_t>(
          std::min(last, range.end - 1) - std::max(after, range.begin - 1), 0);
    }
    return count;
  }

 private:
  // From `begin` up to, without, `end`.
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };

  std::vector<Range> ranges_;
};

}  // namespace npc::sink
