// SPDX-License-Identifier: LGPL-2.1-or-later
// All updaters of a sink together: the core of npcsink.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "worker.h"

namespace npc {

/// How a drain ended.
enum class Drained {
  kAll,          ///< nothing waits any more
  kTimeout,      ///< records still wait
  kInterrupted,  ///< interrupt() was called
};

/// Hands each record to all updaters. No method but drain() and stop() waits.
class Delivery {
 public:
  /// `updaters` are URIs, separated by white space; there may be none. Throws UriError if one is
  /// not understood, or if two deliver to the same place. `listener` is called on the threads of
  /// the updaters.
  Delivery(std::string_view updaters, const Registry &registry, const WorkerOptions &options,
           const Worker::Listener &listener);
  ~Delivery();

  /// Starts the threads. Throws std::system_error if there can be no more threads.
  void start();
  /// Ends all updaters cleanly, at the same time. What waits stays for the next start().
  void stop();

  void push(Record record);

  /// Waits until nothing waits. Ends the pauses after failures first. A timeout longer than a day
  /// counts as a day.
  Drained drain(std::chrono::nanoseconds timeout);
  /// Ends drain(), now and from now on until `on` is false.
  void interrupt(bool on);

  bool empty() const { return workers_.empty(); }
  std::vector<UpdaterStats> stats() const;

 private:
  bool nothing_waits() const;

  // Held before the locks of the workers.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool interrupted_ = false;

  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace npc
