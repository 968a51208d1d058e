// SPDX-License-Identifier: LGPL-2.1-or-later
// The camera's side of LoRa, without a radio: it is given records, times and what the radio says,
// and says what the radio is to do.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "transport/lora/frame/block.h"
#include "transport/lora/frame/frame.h"
#include "transport/lora/frame/sealing.h"
#include "transport/lora/radio/airtime.h"
#include "transport/lora/radio/dutybudget.h"
#include "transport/lora/sender/backlog.h"
#include "transport/lora/sender/bootnumbers.h"

namespace npc::lora {

struct SenderSettings {
  std::uint8_t camera = 1;
  bool phase = false;  ///< of the key: see camerasfile.h
  Modulation modulation;
  std::uint32_t duty = 10000;               ///< millionths
  std::chrono::milliseconds period{30000};  ///< a block is as long; it never depends on the counts
  std::uint32_t window_ms = 2000;           ///< of the counter
  std::size_t lines = 1;           ///< 0 to 4; each frame has as many of them as fit, in turn
  std::size_t history = 1;         ///< blocks; see counts_frame_bytes()
  bool ack = true;                 ///< whether to listen for acks, and send again what was lost
  std::size_t most_pending = 240;  ///< blocks, before old ones are merged
  std::uint64_t seed = 0;          ///< of the random delays: different for each camera and start
};

/// Whether such a camera can be.
Status check_settings(const SenderSettings &settings);
/// Bytes of the longest frame that it will send: see RadioPlan.
std::size_t most_frame_bytes(const SenderSettings &settings);

/// A window of the counter, as its record says it.
struct Record {
  std::string boot;
  std::uint64_t seq = 0;
  Block window;  ///< seq and windows are set by the sender
};

/// What the radio is to do now.
struct Action {
  enum class Kind {
    kWait,   ///< nothing, and to listen; ask again at `until`, and after anything has happened
    kSense,  ///< detect activity on the channel (CAD), and call sensed()
    kSend,   ///< send `frame`, and call sent() or failed()
  };
  Kind kind = Kind::kWait;
  Time until = Time::max();
  Bytes frame;
};

/// When to send what: the newest block as soon as it is over; after it, one that was lost. Each
/// after a random delay, so that cameras that start together do not stay in step, and when nobody
/// else is sending.
class Sender {
 public:
  /// The settings are such as check_settings() finds nothing wrong with. Throws std::runtime_error
  /// if libsodium does not work.
  Sender(const SenderSettings &settings, const Key &key, Time now);

  /// The boot numbers, which must outlive the process. Nothing is sent while they have changed and
  /// are not saved.
  std::string state() const { return numbers_.state(); }
  bool must_save() const { return must_save_; }
  void saved() { must_save_ = false; }
  /// Before the first record. If it fails, nothing has changed.
  Status restore(std::string_view state) { return numbers_.restore(state); }

  /// Takes the next record. Fails if it cannot be sent.
  Status add(const Record &record);
  /// No more records will come: what there is of a block is sent.
  void flush();
  /// How many records, from the first that was added on, need not be kept any more: the gateway has
  /// them, or without acks, they were sent.
  std::uint64_t confirmed() const;
  /// Windows that were given up, because there were too many boots or blocks.
  std::uint64_t windows_given_up() const { return backlog_.windows_given_up(); }

  Action next(Time now);
  void sensed(bool is_busy, Time now);
  /// The frame is out. `airtime` is how long it took, if the radio knows.
  void sent(Time airtime = Time(0));
  void failed() { step_ = Step::kIdle; }
  /// Something was received. False if it is no ack for this camera.
  bool received(std::span<const std::uint8_t> bytes);

  std::size_t pending() const { return backlog_.size(); }
  std::uint32_t windows_per_block() const { return windows_per_block_; }

 private:
  /// What is known of a stretch of windows: see BootNumbers.
  struct Boot {
    std::uint32_t start = 0;         // what is before it, the gateway need not wait for
    std::vector<LineTotals> totals;  // before window `start`
    std::uint32_t next_seq = 0;      // of the next record
    std::vector<LineCounts> lines;   // of the last record
    std::size_t hellos_due = 0;      // frames
    bool hello_known = false;        // to the gateway
    std::uint64_t next_hello = 0, hello_step = 0;  // in fresh frames
    std::int64_t covered = -1;                     // by the newest ack, without a hole
  };
  enum class Step { kIdle, kDelay, kSense, kSending };
  struct Choice {
    std::uint32_t hello_of = 0;  // a boot's id, or
    std::optional<BlockKey> block;
    bool is_fresh = false;
  };

  Status find_stretch(const Record &record, const BootNumbers::Stretch **found);
  void begin_boot(std::uint32_t id, const Block &window);
  void end_block();
  void ask_for_hello(Boot *boot);
  Time silent_from() const;
  std::optional<Choice> choose(Time now) const;
  Time delay_before(const Choice &choice);
  std::optional<Bytes> make_frame(const Choice &choice, Time now);
  HelloFrame make_hello(std::uint32_t id) const;
  CountsFrame make_counts(const Choice &choice, Time now) const;
  void begin_sending(Time now);
  void take_ack(const AckFrame &ack);
  void close_hole(std::uint32_t id, Boot *boot);
  double random() { return std::uniform_real_distribution<double>(0, 1)(generator_); }
  Time airtime_of(std::size_t bytes) const { return time_on_air(settings_.modulation, bytes); }

  const SenderSettings settings_;
  const Keys keys_;
  const std::uint32_t windows_per_block_;
  const std::size_t lines_in_frame_;
  const std::size_t hello_parts_;
  const Time longest_;  // airtime
  DutyBudget budget_;
  std::mt19937_64 generator_;

  BootNumbers numbers_;
  bool must_save_ = false;
  std::map<std::uint32_t, Boot> boots_;  // by id
  std::vector<Block> windows_;           // of the block that is not over yet
  std::uint32_t current_ = 0;            // the boot that they are of
  std::uint64_t records_ = 0;            // that were added
  Backlog backlog_;

  Step step_ = Step::kIdle;
  Time ready_{0};
  int tries_ = 0;  // that found the channel busy
  std::optional<Choice> sending_;
  Bytes frame_;
  Time taken_{0};    // from the budget for it
  Time sent_at_{0};  // the last frame
  std::uint64_t fresh_sent_ = 0, blocks_made_ = 0, blocks_at_ack_ = 0;
  int resent_ = 1;  // since the last fresh one; the first one is fresh
};

}  // namespace npc::lora
