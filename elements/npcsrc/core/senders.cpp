// SPDX-License-Identifier: LGPL-2.1-or-later
// Which cameras send, and which have fallen silent.
#include "npcsrc/core/senders.h"

#include <algorithm>

namespace npc::source {

bool Senders::note(const Sender &sender, Interval interval, Time now) {
  const auto found = positions_.find(sender);
  if (found == positions_.end()) {
    if (entries_.size() >= kMostSenders) {
      active_ -= entries_.back().is_active ? 1 : 0;
      positions_.erase(entries_.back().sender);
      entries_.pop_back();
    }
    entries_.push_front({sender, {}, false});
    positions_.emplace(sender, entries_.begin());
  } else {
    entries_.splice(entries_.begin(), entries_, found->second);
  }
  Entry &entry = entries_.front();
  // A stranger says any number.
  entry.due = now + std::clamp(std::min(interval, kMost) * kIntervals, kLeast, kMost);
  const bool appears = !std::exchange(entry.is_active, true);
  active_ += appears ? 1 : 0;
  return appears;
}

std::vector<Sender> Senders::silent(Time now) {
  std::vector<Sender> silent;
  for (Entry &entry : entries_) {
    if (!entry.is_active || now < entry.due)
      continue;
    entry.is_active = false;
    active_--;
    silent.push_back(entry.sender);
  }
  return silent;
}

}  // namespace npc::source
