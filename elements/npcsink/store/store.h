// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps records until every updater has delivered them, over power cuts and full disks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/recordrange.h"
#include "npcsink/record.h"
#include "npcsink/store/storeevent.h"
#include "npcsink/store/storeoptions.h"
#include "npcsink/store/storestate.h"
#include "npcsink/store/writer.h"

namespace npc::sink {

/// How a drain ended.
enum class Drained {
  kAll,          ///< nothing waits any more
  kTimeout,      ///< records still wait
  kInterrupted,  ///< interrupt() was called
};

/// Records in the order of arrival, in an SQLite file or in memory, with a Cursor for each updater.
///
/// What push() takes is written by a thread of the store, many records in one transaction, and
/// updaters get it after that. While the file cannot be written they get it from memory, which is
/// bounded, and the store tries again for ever. All methods may be called from any thread.
class Store {
 public:
  using Listener = StoreListener;

  /// Opens the store. One that fails for now is no error: `listener` is called, on the thread of
  /// the store or of an updater, without a lock. Throws DatabaseError (kRefused) if it must not be
  /// used, std::system_error if there can be no more threads.
  Store(StoreOptions options, Listener listener);
  /// Writes what waits. No cursor may be left.
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  /// Takes a record. Waits only while half of the memory is full of records that a working disk
  /// has not taken yet, and no longer than 100 ms.
  void push(Record record);

  /// Waits until all that was pushed before is stored, or known not to be storable.
  bool flush(std::chrono::nanoseconds timeout);

  /// Waits until all cursors are at the end. A timeout longer than a day counts as a day.
  Drained drain(std::chrono::nanoseconds timeout);
  /// Ends drain(), now and from now on until `on` is false.
  void interrupt(bool on);

  /// Records that are in the file.
  struct Found {
    std::vector<Record> records;  ///< of those asked for, the highest numbers first
    /// The lowest number that was looked at, if there may be more below it.
    std::optional<std::uint64_t> lowest_read;
    std::optional<std::uint64_t> first;  ///< the lowest number of their run of the camera
  };
  /// Looks for up to `most` records. Reads the file, for which the writer waits: to be asked for
  /// few at a time. Nothing while records may be elsewhere, because the file cannot be used.
  std::optional<Found> find(const RecordRange &wanted, std::size_t most);

  StoreStats stats() const { return state_.stats(); }
  std::chrono::nanoseconds retention() const { return state_.options.retention; }

 private:
  friend class Cursor;

  StoreState state_;
  Writer writer_;  // Last, so that its thread ends before what it uses.
};

}  // namespace npc::sink
