// SPDX-License-Identifier: LGPL-2.1-or-later
// What the time of the stream is in the world.
#pragma once

#include <cstdint>
#include <optional>

#include "npccount/core/box.h"

namespace npc::count {

/// Turns running time into UTC. The system's clock is followed when it is set, not when it is
/// nudged: windows stay evenly spaced.
class UtcClock {
 public:
  /// The clock was set if it differs from what was expected by more than this.
  static constexpr Time kStep = std::chrono::milliseconds(100);

  /// @param now the running time by the pipeline's clock
  /// @param utc what the system's clock says now, in ns since 1970
  /// @return UTC at `running`, in ns since 1970; not negative
  std::int64_t at(Time running, Time now, std::int64_t utc) {
    const std::int64_t base = utc - now.count();
    if (!base_ || std::chrono::abs(Time(base - *base_)) > kStep)
      base_ = base;
    return std::max<std::int64_t>(*base_ + running.count(), 0);
  }

  /// Running time begins anew.
  void reset() { base_.reset(); }

 private:
  std::optional<std::int64_t> base_;  // UTC at running time 0
};

}  // namespace npc::count
