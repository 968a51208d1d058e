// SPDX-License-Identifier: LGPL-2.1-or-later
// What a store says about itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace npc::sink {

struct StoreStats {
  std::string path;
  bool writing = false;        ///< what comes is stored
  std::uint64_t records = 0;   ///< records that are kept
  std::uint64_t unstored = 0;  ///< records in memory only
  bool guarded = false;        ///< all of those outlive the process, but not the machine
  std::uint64_t lost = 0;      ///< records given up before they were stored: memory was full
  std::uint64_t repeated = 0;  ///< records dropped because they were there already
  std::string last_error;      ///< the last failure, as a sentence; stays after success
};

/// The store changed its state.
struct StoreEvent {
  enum class State {
    kWriting,      ///< it writes again
    kFailing,      ///< it cannot write, or for a new reason
    kReplaced,     ///< a damaged file was replaced
    kLosing,       ///< records are given up: memory is full (said at the first and each doubling),
                   ///< or they waited in memory for a store that is gone
    kClockJumped,  ///< the system's clock, by which records get old
    kUnguarded,    ///< what is not stored yet would not outlive the process
  };
  State state;
  StoreStats stats;
  std::string reason;  ///< a sentence, or empty
};

using StoreListener = std::function<void(const StoreEvent &event)>;

}  // namespace npc::sink
