// SPDX-License-Identifier: LGPL-2.1-or-later
// One updater with its cursor and its thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "npcsink/resends.h"
#include "npcsink/store/cursor.h"
#include "npcsink/store/store.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// How a worker waits and when it says that it is behind.
struct WorkerOptions {
  /// The pause after a failure doubles from the first to the last, less a random part up to half.
  std::chrono::milliseconds retry_first{1000};
  std::chrono::milliseconds retry_last{60000};
  std::chrono::milliseconds idle{1000};  ///< between looks at an open way that nothing uses
  /// A backlog is worth a message when so many records wait, or one for so long.
  std::uint64_t backlog = 1000;
  std::chrono::milliseconds backlog_age{60000};
};

/// What an updater did until now.
struct UpdaterStats {
  std::string updater;                  ///< its URI
  std::uint64_t delivered = 0;          ///< records that the remote confirmed, without the refused
  std::uint64_t pending = 0;            ///< records that wait
  std::uint64_t dropped = 0;            ///< records that were given up because too many waited
  std::uint64_t refused = 0;            ///< records that the remote never takes
  std::uint64_t failed = 0;             ///< attempts that failed
  std::uint64_t resent = 0;             ///< records that were asked for, and delivered once more
  std::uint64_t requests_refused = 0;   ///< requests for records that nobody can do
  std::chrono::milliseconds oldest{0};  ///< since the oldest record that waits was made
  bool connected = false;
  std::string last_error;  ///< the last failure, as a sentence; stays after success
};

/// Something about an updater changed.
struct UpdaterEvent {
  enum class State {
    kConnected,
    kDisconnected,  ///< or the reason why it is disconnected changed
    kBacklog,       ///< many records wait; again at each doubling
    kCaughtUp,      ///< after a backlog nothing waits any more
    kRefused,       ///< the remote never takes a record; once for each reason
    kNotice,        ///< nothing is wrong, but users should know
    kDropped,       ///< records were given up; again at each doubling
    kNotAnswered,   ///< a request for records is refused; once for each reason
  };
  State state;
  UpdaterStats stats;
  std::string reason;  ///< a sentence, or empty
};

/// Delivers records on a thread of its own, and tries again for ever what failed.
class Worker {
 public:
  using Listener = std::function<void(const UpdaterEvent &event)>;

  /// `listener` is called on the worker's thread, or on that which calls watch(). It may ask for
  /// stats().
  Worker(std::string name, std::unique_ptr<Updater> updater, std::shared_ptr<Store> store,
         const WorkerOptions &options, Listener listener);
  ~Worker();

  void start();
  void request_stop();
  /// Waits until the updater has ended cleanly. What waits stays and is delivered after start().
  void join();

  /// Ends the pause after a failure, but not one that the remote has asked for.
  void retry_now();
  /// Whether there is no stream that more records come from, for BacklogStats.
  void set_ended(bool ended);
  /// Says if the updater is behind, or is no longer, by then. To be called now and then from
  /// another thread: the worker's own may be in a delivery that does not end.
  void watch();
  UpdaterStats stats() const;

 private:
  void run(std::stop_token stop);
  DeliveryResult step(std::stop_token stop);
  bool ended() const;
  DeliveryResult deliver(std::span<const Record> batch, std::stop_token stop);
  void acknowledge(std::size_t taken, const DeliveryResult &outcome);
  void tell_complaints();
  void connected();
  void disconnected(const std::string &reason);
  void failed(const DeliveryResult &outcome, std::stop_token stop);
  bool is_behind(const UpdaterStats &now) const;

  const std::string name_;
  const std::unique_ptr<Updater> updater_;
  const WorkerOptions options_;
  const Listener listener_;
  const std::chrono::seconds retention_;
  Cursor cursor_;
  Resends resends_;

  // Used by the worker's thread only.
  std::optional<UpdaterContext> context_;  // none before the first record
  bool open_ = false;
  bool in_doubt_ = false;  // an open way failed, and none has worked since
  unsigned failures_in_a_row_ = 0;
  std::string said_, refusal_said_;
  std::mt19937 random_;

  // Outermost lock: held while the listener is called, so that events reach it in their order.
  Mutex watching_ NPC_ACQUIRED_BEFORE(mutex_);
  std::uint64_t backlog_said_ NPC_GUARDED_BY(watching_) = 0;
  std::uint64_t dropped_said_ NPC_GUARDED_BY(watching_) = 0;

  // Innermost lock: nothing is called while it is held.
  mutable Mutex mutex_;
  std::condition_variable_any woken_;
  bool retry_now_ NPC_GUARDED_BY(mutex_) = false;
  bool ended_ NPC_GUARDED_BY(mutex_) = false;
  bool connected_ NPC_GUARDED_BY(mutex_) = false;
  std::optional<std::chrono::steady_clock::time_point> delivering_since_ NPC_GUARDED_BY(mutex_);
  std::uint64_t delivered_ NPC_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ NPC_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_ NPC_GUARDED_BY(mutex_) = 0;
  std::string last_error_ NPC_GUARDED_BY(mutex_);

  std::jthread thread_;  // Last, so that it ends before what it uses.
};

}  // namespace npc::sink
