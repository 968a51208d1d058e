// SPDX-License-Identifier: LGPL-2.1-or-later
// What the steps of an analysis take.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

namespace npc::detect {

/// Measures one step after the other.
class Stopwatch {
 public:
  /// The time since the last lap, or since the stopwatch was made, in ns.
  std::uint64_t lap() {
    const auto before = std::exchange(last_, Clock::now());
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(last_ - before).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

}  // namespace npc::detect
