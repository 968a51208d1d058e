// SPDX-License-Identifier: LGPL-2.1-or-later
// What an updater is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/status.h"
#include "npcsink/record.h"
#include "npcsink/refusedrecord.h"

namespace npc::sink {

class Resends;

/// What became of a delivery.
struct DeliveryResult {
  std::size_t confirmed = 0;  ///< records at the front that need not be sent again
  /// If it failed or was stopped, then at the record behind the confirmed ones. If not, those that
  /// are left, if any, are for the next call.
  Status status;
  /// The remote asks to be left alone for at least this long; 0: it does not.
  std::chrono::milliseconds pause{0};
  std::vector<RefusedRecord> refused{};  ///< among the confirmed
  /// What users should know, as sentences; each is to be said once only.
  std::vector<std::string> notices{};
};

/// What waits for an updater besides the records that it is handed next.
struct BacklogStats {
  std::uint64_t pending = 0;  ///< records
  std::uint64_t dropped = 0;  ///< records given up before they could be delivered
  bool ended = false;         ///< nothing follows: the stream has ended, or not yet begun
};

/// What an updater may know of the sink, besides the records that it is handed.
struct UpdaterContext {
  Record first;                       ///< the first record that there was
  std::chrono::seconds retention{0};  ///< for how long the sink keeps records; 0: without an end
  BacklogStats backlog;               ///< as it is now
  /// Where somebody behind the remote may ask for records once more, for an updater that can take
  /// such requests. Null in tests of updaters.
  Resends *resends = nullptr;
};

/// Takes records to one place. All calls come from one thread, the updater's own, so they may wait;
/// when `stop` is requested they return as soon as they can, with Status::stopped() if they were
/// not done. What fails is tried again by the caller, for ever: an updater keeps no queue and does
/// not retry.
class Updater {
 public:
  virtual ~Updater() = default;

  /// Where the records go, in words; the same for two URIs that mean the same place.
  virtual std::string target() const = 0;

  /// Opens the way anew, whatever is left of the last one.
  virtual Status connect(const UpdaterContext &context, std::stop_token stop) = 0;

  /// Delivers records in their order. After a failure the way is closed.
  virtual DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                                 std::stop_token stop) = 0;

  /// The most records that deliver() gains from.
  virtual std::size_t batch() const { return 250; }

  /// Whether only the newest records mean something to it, as to a lamp: it is then handed no
  /// backlog of an earlier run.
  virtual bool live_only() const { return false; }

  /// For how long a record waits as a rule, where that is longer than for others: only what waits
  /// longer is a backlog then, however many records that are. 0: no longer than for others.
  virtual std::chrono::milliseconds backlog_age() const { return std::chrono::milliseconds(0); }

  /// Called about once a second while the way is open and nothing waits. After a failure the way is
  /// closed.
  virtual Status idle(const UpdaterContext &, std::stop_token) { return {}; }

  /// Ends cleanly, within few seconds. connect() may follow.
  virtual void close() noexcept = 0;
};

}  // namespace npc::sink
