// SPDX-License-Identifier: LGPL-2.1-or-later
// Which frames are due, where not every one is.
#pragma once

#include <cstdint>
#include <optional>

namespace npc::detect {

/// A grid of times that are `interval` apart, so that frames that come a little late do not make
/// the mean distance longer. Times are in ns.
class Schedule {
 public:
  /// Whether the frame of `time` is due. One that is early by up to `slack` is. An interval of 0
  /// makes every frame due; so does time that goes back, and then the grid begins anew.
  bool is_due(std::uint64_t time, std::uint64_t interval, std::uint64_t slack = 0) {
    const bool backwards = last_ && time < *last_;
    last_ = time;
    const bool known = interval != 0 && !backwards && next_.has_value();
    if (known && time + slack < *next_ && *next_ - time <= interval + slack)
      return false;
    const bool on_grid =
        known && time + slack >= *next_ && (time < *next_ || time - *next_ < interval);
    next_ = (on_grid ? *next_ : time) + interval;
    return true;
  }

  /// Begins the grid anew with a frame that was not waited for.
  void restart(std::uint64_t time, std::uint64_t interval) { next_ = time + interval; }

  /// Makes the next frame due, whatever its time.
  void reset() { next_.reset(); }

 private:
  std::optional<std::uint64_t> last_, next_;
};

}  // namespace npc::detect
