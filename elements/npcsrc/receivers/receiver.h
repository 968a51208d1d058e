// SPDX-License-Identifier: LGPL-2.1-or-later
// What a receiver is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "npcsrc/core/coverage.h"
#include "npcsrc/core/recordid.h"

namespace npc::source {

/// A record that came.
struct Arrival {
  RecordId id;
  std::string json;                       ///< one line, without a newline
  std::chrono::milliseconds time{0};      ///< the end of its window, since 1970
  std::chrono::milliseconds interval{0};  ///< the length of its window; 0: not known
  std::uint64_t ticket = 0;               ///< for Receiver::stored()
  /// How many numbers, up to its own, it stands for: some senders merge records. 0: not known.
  std::uint64_t windows = 1;
};

/// The connection of a receiver that has one was made, or lost.
struct LinkNews {
  bool connected = false;
  std::string reason;  ///< why it is not, as a sentence
};

/// What came in one call.
struct Reception {
  std::vector<Arrival> records;
  std::uint64_t refused = 0;  ///< texts that are no records
  std::string reason;         ///< why the last of them was refused, as a sentence
  /// Senders that were turned away: why, as sentences.
  std::vector<std::string> senders;
  std::vector<LinkNews> news;
  std::vector<std::string> warnings;  ///< what users should know, as sentences
  /// Records that are missing where nobody else can notice it: before the first one that came.
  std::vector<Gap> gaps;
  std::vector<Gap> lost;         ///< records that are lost for good
  std::vector<Gap> unavailable;  ///< that a sender says not to have: what is missing of it is lost
  bool ended = false;            ///< nothing will come any more
};

/// Takes records from one place. All calls come one after the other, so it needs no lock.
class Receiver {
 public:
  virtual ~Receiver() = default;

  /// Where the records come from, in words.
  virtual std::string origin() const = 0;

  /// Whether others take records of the same senders, so that numbers that do not come here are
  /// not missing.
  virtual bool is_one_of_many() const { return false; }

  /// Whether senders can be asked for records.
  virtual bool can_ask() const { return false; }
  /// Asks the senders of missing records for them, as far as that is possible now. Who asks, asks
  /// again if they do not come.
  virtual void ask(const std::vector<Gap> &) {}

  /// Opens the way. It is closed.
  virtual Status open() = 0;

  /// Waits until something came, which is added to `came`; until `bell` can be read; or until
  /// `until`. It does not keep the caller busy for longer than few milliseconds besides, or than a
  /// radio needs for a frame. A failure
  /// is one for good, after which the way is closed: what a receiver can get over it deals with by
  /// itself.
  virtual Status receive(Reception &came, int bell,
                         std::chrono::steady_clock::time_point until) = 0;

  /// A record that receive() has returned is in the store: its sender may forget it. Called for
  /// each, also for one that came twice, unless the record was lost.
  virtual void stored(const RecordId &id, std::uint64_t ticket) = 0;

  /// Closes the way. What is not stored by then a sender that can will send again. open() may
  /// follow.
  virtual void close() noexcept = 0;
};

}  // namespace npc::source
