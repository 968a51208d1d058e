// SPDX-License-Identifier: LGPL-2.1-or-later
// What the parts of a store share.
#include "npcsink/store/storestate.h"

#include <utility>

namespace npc::sink {

StoreState::StoreState(StoreOptions options, StoreListener listener)
    : options(std::move(options)),
      listener(std::move(listener)),
      file(this->options.path, this->options.size, this->options.complete),
      backlog({.memory = this->options.memory, .cache = this->options.cache}) {}

std::int64_t StoreState::now() const {
  if (options.clock)
    return options.clock();
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

StoreStats StoreState::stats() const {
  Lock lock(mutex);
  const Backlog::Counts counts = backlog.counts();
  StoreStats stats;
  stats.path = options.path;
  stats.writing = backlog.is_storing() && !stalled;
  stats.records = counts.records;
  stats.unstored = counts.unstored;
  stats.guarded = journal && journal->whole();
  stats.lost = counts.lost;
  stats.repeated = counts.repeated;
  stats.last_error = last_error;
  return stats;
}

void StoreState::fail_read(const DatabaseError &error) {
  {
    Lock lock(mutex);
    read_error = error;
    backlog.close();
  }
  work.notify_one();
}

void StoreState::forget(const Backlog::Removed &removed) {
  if (!journal)
    return;
  if (removed.front > 0)
    journal->remove(removed.front);
  for (std::size_t i = 0; i < removed.behind; i++)
    journal->remove_behind(removed.kept);
}

}  // namespace npc::sink
