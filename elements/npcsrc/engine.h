// SPDX-License-Identifier: LGPL-2.1-or-later
// What the streaming thread of npcsrc does.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/ratelimit.h"
#include "base/wait.h"
#include "base/warninglimit.h"
#include "gstbase/confirmation.h"
#include "npcsrc/core/coverage.h"
#include "npcsrc/core/gapwatch.h"
#include "npcsrc/core/inflight.h"
#include "npcsrc/core/senders.h"
#include "npcsrc/messages.h"
#include "npcsrc/receivers/receiver.h"
#include "npcsrc/settings.h"

namespace npc::source {

/// A receiver, and the books of what came from it. It posts its news, and why it cannot work, on
/// the bus of the element. start(), stop() and create() do not overlap; all others may be called
/// from any thread.
class Engine {
 public:
  /// `element` outlives it.
  explicit Engine(GstElement *element) : element_(element) {}

  /// READY to PAUSED. Returns whether it went well.
  bool start(const Settings &settings);
  /// PAUSED to READY, also after a start() that failed.
  void stop();

  /// Waits for the next record. To be called again means that the one before was pushed, unless
  /// there was a flush.
  GstFlowReturn create(GstBuffer **buffer) NPC_EXCLUDES(mutex_);

  /// Ends create(), now and from now on until `on` is false.
  void interrupt(bool on) NPC_EXCLUDES(mutex_);
  /// What is being pushed now will not arrive.
  void flush() { flushed_ = true; }
  /// These are stored downstream.
  void confirm(StoredRecords records) NPC_EXCLUDES(mutex_);

  Stats stats() const NPC_EXCLUDES(mutex_);

 private:
  using Clock = std::chrono::steady_clock;

  bool make_receiver_of(const std::string &uri);
  bool make_bell() NPC_EXCLUDES(mutex_);
  void ask_downstream();
  void settle() NPC_EXCLUDES(mutex_);
  void note_stored(const RecordId &id, std::uint64_t windows);
  void take_confirmations() NPC_EXCLUDES(mutex_);
  GstFlowReturn wait() NPC_EXCLUDES(mutex_);
  void note(Reception &came) NPC_EXCLUDES(mutex_);
  void note_refused(const Reception &came) NPC_EXCLUDES(mutex_);
  bool hand_on(GstBuffer **buffer) NPC_EXCLUDES(mutex_);
  bool is_duplicate(const Arrival &arrival);
  void note_sender(const Arrival &arrival);
  bool is_finished();
  void tidy();
  void give_up(const std::vector<Gap> &gaps) NPC_EXCLUDES(mutex_);
  void count_gaps() NPC_EXCLUDES(mutex_);
  void tidy_gaps(std::chrono::nanoseconds patience) NPC_EXCLUDES(mutex_);
  void save();
  void post(GstStructure *structure) const;

  GstElement *const element_;
  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> flushed_ = false;

  // Streaming thread, and state changes while there is none.
  Settings settings_;
  std::unique_ptr<Receiver> receiver_;
  std::deque<Arrival> queue_;             // that came and were not pushed
  std::optional<Arrival> last_;           // that is being pushed
  bool asked_ = false;                    // downstream
  bool confirming_ = false;               // it says what is stored
  std::optional<Clock::time_point> end_;  // the receiver has nothing any more since then
  guint64 pushed_ = 0;
  guint64 lost_ = 0;
  Coverage coverage_;
  InFlight in_flight_;
  GapWatch gap_watch_;
  Senders senders_;
  WarningLimit refusals_;
  std::optional<RateLimit> sender_messages_;
  bool changed_ = false;  // coverage_, since it was saved
  bool save_failed_ = false;
  Clock::time_point next_tidy_, next_save_;

  mutable Mutex mutex_;
  std::unique_ptr<Bell> bell_;  // made once, under the mutex
  std::vector<StoredRecords> confirmed_ NPC_GUARDED_BY(mutex_);
  Stats stats_ NPC_GUARDED_BY(mutex_);
};

}  // namespace npc::source
