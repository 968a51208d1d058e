// SPDX-License-Identifier: LGPL-2.1-or-later
// What the parts of a store share, and its locks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "npcsink/store/backlog.h"
#include "npcsink/store/crashjournal.h"
#include "npcsink/store/database.h"
#include "npcsink/store/storeevent.h"
#include "npcsink/store/storefile.h"
#include "npcsink/store/storeoptions.h"

namespace npc::sink {

/// The backlog and the file, each with its lock, for those who push, the writer and the cursors.
struct StoreState {
  StoreState(StoreOptions options, StoreListener listener);

  /// By the clock of the options.
  std::int64_t now() const;
  StoreStats stats() const NPC_EXCLUDES(mutex);
  /// The file could not be read: the writer opens it anew.
  void fail_read(const DatabaseError &error) NPC_EXCLUDES(mutex);
  /// Takes what has left the backlog out of the journal.
  void forget(const Backlog::Removed &removed) NPC_REQUIRES(mutex);

  const StoreOptions options;
  const StoreListener listener;  ///< called without a lock

  /// Held for as long as the disk takes; never by who pushes.
  Mutex file_mutex NPC_ACQUIRED_BEFORE(mutex);
  StoreFile file NPC_GUARDED_BY(file_mutex);

  /// Held for short: nothing waits for a disk and nothing is called under it.
  mutable Mutex mutex;
  std::condition_variable_any work;     ///< for the writer
  std::condition_variable_any changed;  ///< for all others
  Backlog backlog NPC_GUARDED_BY(mutex);
  /// Of the records in the backlog that are not stored. May be missing.
  std::unique_ptr<CrashJournal> journal NPC_GUARDED_BY(mutex);
  /// Why a cursor could not read the file, for the writer.
  std::optional<DatabaseError> read_error NPC_GUARDED_BY(mutex);
  std::string last_error NPC_GUARDED_BY(mutex);
  /// Since when the writer waits for the disk, and whether it was said that this takes too long.
  std::optional<std::chrono::steady_clock::time_point> busy_since NPC_GUARDED_BY(mutex);
  bool stalled NPC_GUARDED_BY(mutex) = false;
  bool interrupted NPC_GUARDED_BY(mutex) = false;
};

}  // namespace npc::sink
