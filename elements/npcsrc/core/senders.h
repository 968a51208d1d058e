// SPDX-License-Identifier: LGPL-2.1-or-later
// Which cameras send, and which have fallen silent.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace npc::source {

/// A camera, by its names.
struct Sender {
  std::string site;
  std::string camera;

  auto operator<=>(const Sender &) const = default;
};

/// Notices when a camera appears, and when nothing comes from it any more.
class Senders {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Interval = std::chrono::milliseconds;

  /// A camera is silent after so many of its intervals, but not sooner than after kLeast: records
  /// wait for a commit, a network, a busy machine.
  static constexpr int kIntervals = 3;
  static constexpr Interval kLeast{10000}, kMost{3600000};
  /// Those that were silent for longest are forgotten.
  static constexpr std::size_t kMostSenders = 4096;

  /// A record came. Returns whether the camera is new, or was silent.
  bool note(const Sender &sender, Interval interval, Time now);
  /// Those that have fallen silent since the last call.
  std::vector<Sender> silent(Time now);

  /// Those that are not silent.
  std::size_t active() const { return active_; }
  void clear() { *this = Senders(); }

 private:
  struct Entry {
    Sender sender;
    Time due;  // silent then
    bool is_active = false;
  };
  using Position = std::list<Entry>::iterator;

  std::list<Entry> entries_;  // the one that was heard last is the first
  std::map<Sender, Position> positions_;
  std::size_t active_ = 0;
};

}  // namespace npc::source
