// SPDX-License-Identifier: LGPL-2.1-or-later
// All updaters of a sink together: the core of npcsink.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "npcsink/store/store.h"
#include "npcsink/updaters/registry.h"
#include "npcsink/worker.h"

namespace npc::sink {

/// Brings each record of a store to all updaters. No method but drain() and stop() waits.
class Dispatcher {
 public:
  /// `updaters` are URIs, separated by white space; there may be none. Throws UriError if one is
  /// not understood, or if two deliver to the same place. `listener` is called on the threads of
  /// the updaters.
  Dispatcher(std::string_view updaters, const Registry &registry, std::shared_ptr<Store> store,
             const WorkerOptions &options, const Worker::Listener &listener);
  ~Dispatcher();

  /// Starts the threads. Throws std::system_error if there can be no more threads.
  void start();
  /// Ends all updaters cleanly, at the same time. What waits stays for the next start().
  void stop();

  /// Waits until nothing waits. Ends the pauses after failures first. A timeout longer than a day
  /// counts as a day. The store's interrupt() ends it.
  Drained drain(std::chrono::nanoseconds timeout);

  /// Whether there is no stream that more records come from: updaters may say so to their readers
  /// once all is delivered.
  void set_ended(bool ended);

  bool empty() const { return workers_.empty(); }
  std::vector<UpdaterStats> stats() const;

 private:
  void watch(std::stop_token stop);

  const std::shared_ptr<Store> store_;
  const std::chrono::milliseconds watch_interval_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::jthread watcher_;  // Last, so that it ends before what it uses.
};

}  // namespace npc::sink
