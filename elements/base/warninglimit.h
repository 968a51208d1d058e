// SPDX-License-Identifier: LGPL-2.1-or-later
// Warnings that could come with every frame, in bearable numbers.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

namespace npc {

/// Lets one warning of a kind out at once and then at most one a minute. What comes and goes with
/// every other frame would fill a log within the hour, and says nothing new.
class WarningLimit {
 public:
  /// If a warning may be given now, how many were held back since the last one.
  std::optional<unsigned> ask() {
    const Clock::time_point now = Clock::now();
    if (last_ && now - *last_ < kInterval) {
      held_back_++;
      return std::nullopt;
    }
    last_ = now;
    return std::exchange(held_back_, 0);
  }

  /// The next warning is the first.
  void reset() { *this = WarningLimit(); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kInterval{1};

  std::optional<Clock::time_point> last_;
  unsigned held_back_ = 0;
};

}  // namespace npc
