// SPDX-License-Identifier: LGPL-2.1-or-later
// How old gaps are.
#include "npcsrc/core/gapwatch.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace npc::source {

GapWatch::News GapWatch::update(const std::vector<Gap> &gaps, std::chrono::nanoseconds patience,
                                Time now, bool asks) {
  News news;
  std::map<Series, Numbers> followed;
  for (const Gap &gap : gaps) {
    Followed state{.to = gap.range.to, .since = now, .ask = now + kGrace};
    // What is left of one that was filled in part is as old as that.
    if (const auto series = gaps_.find(gap.series); series != gaps_.end()) {
      auto before = series->second.upper_bound(gap.range.to);
      if (before != series->second.begin() && (--before)->second.to >= gap.range.from)
        state = before->second;
      state.to = gap.range.to;
    }
    if (now - state.since >= patience) {
      news.old.push_back(gap);
      continue;
    }
    if (!state.said && now - state.since >= kGrace) {
      state.said = true;
      news.found.push_back(gap);
    }
    if (asks && now >= state.ask && news.ask.size() < kMostAsked) {
      news.ask.push_back(gap);
      state.ask = now + state.pause;
      state.pause = std::min(2 * state.pause, kLastPause);
    }
    followed[gap.series].emplace(gap.range.from, state);
  }
  gaps_ = std::move(followed);
  return news;
}

}  // namespace npc::source
