// SPDX-License-Identifier: LGPL-2.1-or-later
// Which frames of a live source come too late to be looked at.
#include "lateness.h"

#include <algorithm>
#include <utility>

namespace npc {
namespace {

// Less is jitter.
constexpr std::int64_t kLessLate = 100'000'000;

}  // namespace

Lateness LatenessMonitor::judge(std::int64_t late, std::int64_t now, Step step) {
  if (!looked_)
    looked_ = now;
  if (step == Step::ahead)
    granted_ = late;
  else if (step == Step::back)
    granted_ = std::max<std::int64_t>(granted_, 0);
  // Whoever came with less delay once can do so again.
  granted_ = std::min(granted_, std::max<std::int64_t>(late, 0));
  const std::int64_t excess = late - granted_;
  if (excess <= tolerance_) {
    // To drop frames helped.
    if (episode_) {
      tolerance_ = kLateMost;
      in_vain_ = false;
    }
    episode_.reset();
    return Lateness::in_time;
  }
  if (!episode_ || late < episode_->late - kLessLate)
    episode_ = {now, late};
  const bool in_vain = now - episode_->since >= kResynchroniseAfter;
  if (in_vain || step == Step::back) {
    granted_ = late;
    if (in_vain && std::exchange(in_vain_, true))
      tolerance_ = std::min(tolerance_ * 2, kLateMostAtWorst);
    episode_.reset();
    return Lateness::resynchronised;
  }
  return now - *looked_ >= next_look_ ? Lateness::look_anyway : Lateness::drop;
}

void LatenessMonitor::looked(std::int64_t begin, std::int64_t end) {
  looked_ = end;
  // What comes after it is late by that as well, and not because of others.
  if (episode_)
    episode_ = {episode_->since + (end - begin), episode_->late + (end - begin)};
  next_look_ = std::max(kLookEvery, (end - begin) * (kShareOfLooks - 1));
}

}  // namespace npc
