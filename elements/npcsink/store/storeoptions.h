// SPDX-License-Identifier: LGPL-2.1-or-later
// What a store is opened with.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "npcsink/store/database.h"

namespace npc::sink {

struct StoreOptions {
  std::string path;  ///< of the file; empty: in memory
  /// Delivered records that are older go; 0: none goes for its age.
  std::chrono::nanoseconds retention = std::chrono::hours(30 * 24);
  std::uint64_t size = 256 << 20;   ///< bounds the file with its journal, in bytes
  std::uint64_t memory = 16 << 20;  ///< bounds records in memory, with and without a file
  std::uint64_t cache = 8 << 20;    ///< bounds stored records that are kept for quick updaters
  /// Between attempts to write again, doubling from the first to the last.
  std::chrono::milliseconds retry_first{1000};
  std::chrono::milliseconds retry_last{30000};
  std::chrono::milliseconds tidy{60000};          ///< between deletions of old records
  std::chrono::milliseconds disk_timeout{10000};  ///< with a disk that does not answer
  Completer complete;                             ///< none: records are taken as the file has them
  /// Called after each commit, on the thread of the store and without a lock, with the records that
  /// are in the file now, those among them that were there before.
  std::function<void(const std::vector<std::shared_ptr<const Record>> &records)> stored;
  /// In memory, for what a kill of the process must not take before it is stored.
  std::string journals = "/dev/shm";
  /// A crash journal that nobody has used for so long goes if its store is not there any more.
  std::chrono::seconds journal_age = std::chrono::hours(7 * 24);
  /// UTC in ms since 1970; the system's clock if not set.
  std::function<std::int64_t()> clock;
};

}  // namespace npc::sink
