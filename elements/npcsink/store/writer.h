// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread of the store.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "npcsink/store/storestate.h"

namespace npc::sink {

/// Writes what is in the backlog into the file, many records in one transaction, opens the file
/// again for ever if that fails, and deletes what is too old.
class Writer {
 public:
  /// Opens the file, reads the crash journal of an earlier run and starts the thread. Throws
  /// DatabaseError (kRefused) if the file must not be used, std::system_error if there can be no
  /// more threads.
  explicit Writer(StoreState &state);
  /// Writes what waits.
  ~Writer();
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  /// Says that the disk hangs, if it does, which the thread itself cannot. To be called by any
  /// other thread, now and then.
  void watch_disk() NPC_EXCLUDES(state_.mutex);

 private:
  void run(std::stop_token stop);
  bool has_work() const NPC_REQUIRES(state_.mutex);
  void step() NPC_EXCLUDES(state_.file_mutex, state_.mutex);
  void ensure_open() NPC_REQUIRES(state_.file_mutex);
  void open_file() NPC_REQUIRES(state_.file_mutex);
  void open_journal() NPC_EXCLUDES(state_.mutex);
  void expire_journals();
  Backlog::Batch begin_write() NPC_EXCLUDES(state_.mutex);
  void write(const Backlog::Batch &batch) NPC_REQUIRES(state_.file_mutex);
  std::vector<std::int64_t> commit(const Backlog::Batch &batch, std::int64_t next,
                                   std::int64_t passed) NPC_REQUIRES(state_.file_mutex);
  void failed(const DatabaseError &error, Backlog::Batch batch)
      NPC_EXCLUDES(state_.file_mutex, state_.mutex);
  void tidy() NPC_REQUIRES(state_.file_mutex);
  void watch_clock();
  void add_event(StoreEvent::State state, const std::string &reason);
  void post_events() NPC_EXCLUDES(state_.file_mutex, state_.mutex);

  StoreState &state_;
  const StoreOptions &options_;

  // Used by the thread only, and by the constructor before there is one.
  std::chrono::milliseconds retry_;
  std::chrono::steady_clock::time_point next_attempt_, next_tidy_;
  std::string failure_;          // that was said, since the last success
  std::uint64_t lost_said_ = 0;  // how many were lost when that was said last
  std::size_t written_since_tidy_ = 0;
  std::optional<std::chrono::milliseconds> boot_time_;  // by the system's clock
  std::vector<StoreEvent> events_;                      // to be said, once no lock is held
  std::vector<std::shared_ptr<const Record>> stored_;   // likewise

  std::jthread thread_;  // Last, so that it ends before what it uses.
};

}  // namespace npc::sink
