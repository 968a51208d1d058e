// SPDX-License-Identifier: LGPL-2.1-or-later
// One updater with its queue and its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "queue.h"
#include "updaters/updater.h"

namespace npc {

/// How a worker waits and what it holds.
struct WorkerOptions {
  std::size_t capacity = 10000;  ///< records that may wait
  std::size_t batch = 250;       ///< records handed over at once
  /// The pause after a failure doubles from the first to the last, less a random part up to half.
  std::chrono::milliseconds retry_first{1000};
  std::chrono::milliseconds retry_last{60000};
  std::chrono::milliseconds idle{1000};  ///< between looks at an open way that nothing uses
};

/// What an updater did until now.
struct UpdaterStats {
  std::string updater;          ///< its URI
  std::uint64_t delivered = 0;  ///< records that the far side confirmed
  std::uint64_t pending = 0;    ///< records that wait
  std::uint64_t dropped = 0;    ///< records that were given up because too many waited
  std::uint64_t failed = 0;     ///< attempts that failed
  bool connected = false;
  std::string last_error;  ///< the last failure, as a sentence; stays after success
};

/// An updater connected or disconnected, or the reason why it is disconnected changed.
struct UpdaterEvent {
  UpdaterStats stats;
  std::string reason;  ///< why it is not connected, as a sentence; else empty
};

/// Delivers records on a thread of its own, and tries again for ever what failed.
class Worker {
 public:
  using Listener = std::function<void(const UpdaterEvent &event)>;

  /// `listener` is called on the worker's thread, without a lock; so is `emptied`, when nothing
  /// waits any more.
  Worker(std::string name, std::unique_ptr<Updater> updater, const WorkerOptions &options,
         Listener listener, std::function<void()> emptied);
  ~Worker();

  void start();
  void request_stop();
  /// Waits until the updater has ended cleanly. What waits stays and is delivered after start().
  void join();

  void push(std::shared_ptr<const Record> record);
  /// Ends the pause after a failure.
  void hurry();
  bool empty() const { return queue_.pending() == 0; }
  UpdaterStats stats() const;

 private:
  void run(std::stop_token stop);
  std::string step(std::stop_token stop);
  Outcome deliver(const std::vector<Record> &batch, std::stop_token stop);
  void connected();
  void disconnected(const std::string &reason);
  void failed(const std::string &why, std::stop_token stop);

  const std::string name_;
  const std::unique_ptr<Updater> updater_;
  const WorkerOptions options_;
  const Listener listener_;
  const std::function<void()> emptied_;
  Queue queue_;

  // Used by the worker's thread only.
  std::optional<Record> first_;
  unsigned failures_in_a_row_ = 0;
  std::string said_;
  std::mt19937 random_;

  // Innermost lock: nothing is called while it is held.
  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  bool hurry_ = false;
  bool connected_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t failed_ = 0;
  std::string last_error_;

  std::jthread thread_;  // Last, so that it ends before what it uses.
};

}  // namespace npc
