// SPDX-License-Identifier: LGPL-2.1-or-later
// What one updater gets from a store, and how far it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "npcsink/record.h"
#include "npcsink/refusedrecord.h"
#include "npcsink/store/backlog.h"
#include "npcsink/store/store.h"

namespace npc::sink {

/// The place of one updater in a store: what it has delivered and what not. take() and
/// acknowledge() are called from one thread.
class Cursor {
 public:
  /// `updater` names the place in the store. If it is new there, or if `live_only`, it begins at
  /// the newest record. As long as the file was never read, no other one is known to be new: it
  /// gets all that is in memory.
  Cursor(std::shared_ptr<Store> store, const std::string &updater, bool live_only);
  ~Cursor();
  Cursor(const Cursor &) = delete;
  Cursor &operator=(const Cursor &) = delete;

  /// Waits up to `wait` for records and takes up to `most` of them. Until acknowledge() they are on
  /// their way.
  std::vector<Record> take(std::size_t most, std::chrono::milliseconds wait, std::stop_token stop);

  /// Ends the way of what was taken: the first `confirmed` of it are delivered, the rest waits
  /// again. Those of them that were refused are set aside.
  void acknowledge(std::size_t confirmed, const std::vector<RefusedRecord> &refused);

  std::uint64_t pending() const;
  /// Records that were given up before they could be delivered.
  std::uint64_t dropped() const;
  /// How long ago the oldest record that waits was made, by the system's clock; 0 if none waits.
  std::chrono::milliseconds oldest() const;
  /// For how long at least a record has been waiting since it was pushed or the store was opened.
  std::chrono::milliseconds behind() const;

 private:
  std::vector<Backlog::Entry> read(std::size_t most);

  const std::shared_ptr<Store> store_;
  StoreState &state_;  // of the store
  const Backlog::CursorId id_;
};

}  // namespace npc::sink
