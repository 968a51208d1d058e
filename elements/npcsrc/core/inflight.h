// SPDX-License-Identifier: LGPL-2.1-or-later
// Records that are on their way to the store.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "base/ranges.h"
#include "npcsrc/core/recordid.h"

namespace npc::source {

/// Records that were pushed and are not known to be stored, and who waits to learn that they are.
class InFlight {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Names who waits.
  using Ticket = std::uint64_t;

  /// For a while after it was pushed, a record that comes again is not pushed again. Something
  /// downstream may have dropped it, so that does not last.
  static constexpr std::chrono::seconds kPatience{30};
  static constexpr std::size_t kMost = 65536;

  struct Stored {
    RecordId id;
    Ticket ticket;
    std::uint64_t windows;  ///< as in add()
  };

  /// Adds a record that is pushed now, and stands for so many numbers up to its own. If there are
  /// too many, the oldest are no longer in flight.
  void add(const RecordId &id, Ticket ticket, Time now, std::uint64_t windows = 1);
  /// Whether it was pushed not long ago; `ticket` then waits for it too.
  bool join(const RecordId &id, Ticket ticket, Time now);
  /// The store has these. Returns who waited for them, in the order of their numbers.
  std::vector<Stored> take(const Series &series, Range range);

  bool has_any() const { return !series_.empty(); }

 private:
  struct Entry {
    Time since;
    std::uint64_t windows;
    std::vector<Ticket> tickets;
  };
  using Numbers = std::map<std::uint64_t, Entry>;

  void expire(Time now);

  std::map<Series, Numbers> series_;
  // In the order in which they were added; those that are stored stay until they are the oldest.
  std::deque<std::pair<RecordId, Time>> order_;
};

}  // namespace npc::source
