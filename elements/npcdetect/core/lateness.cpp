// SPDX-License-Identifier: LGPL-2.1-or-later
// Which frames of a live source come too late to be looked at.
#include "npcdetect/core/lateness.h"

#include <algorithm>
#include <utility>

namespace npc::detect {
namespace {

// Less is jitter.
constexpr std::int64_t kLessLate = 100'000'000;

}  // namespace

Lateness LatenessMonitor::judge(std::int64_t late, std::int64_t now, Step step) {
  // The first is looked at however late it is.
  if (!looked_)
    looked_ = now - next_look_;
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
  const bool in_vain = note_late(late, now) >= kResynchroniseAfter;
  if (in_vain || step == Step::back) {
    granted_ = late;
    if (in_vain && std::exchange(in_vain_, true))
      tolerance_ = std::min(tolerance_ * 2, kLateMostAtWorst);
    episode_.reset();
    return Lateness::resynchronised;
  }
  return now - *looked_ >= next_look_ ? Lateness::look_anyway : Lateness::drop;
}

// Returns for how long frames have been late without becoming less so.
std::int64_t LatenessMonitor::note_late(std::int64_t late, std::int64_t now) {
  if (!episode_ || late < episode_->least - kLessLate)
    episode_ = {late, late, 0, now};
  // After a look what waited meanwhile becomes less late again: that is neither progress nor in
  // vain.
  else if (late < episode_->expected - kLessLate)
    episode_->expected = late;
  else
    episode_->in_vain += now - episode_->last;
  episode_->last = now;
  return episode_->in_vain;
}

void LatenessMonitor::looked(std::int64_t begin, std::int64_t end) {
  looked_ = end;
  // What comes after it is late by that as well, and not because of others.
  if (episode_) {
    episode_->expected += end - begin;
    episode_->last = end;
  }
  next_look_ = std::max(kLookEvery, (end - begin) * (kShareOfLooks - 1));
}

}  // namespace npc::detect
