// SPDX-License-Identifier: LGPL-2.1-or-later
// On which of two sides something is, once it has stayed there for long enough.
#pragma once

#include <optional>

#include "npccount/core/box.h"

namespace npc::count {

enum class Side { kNone, kA, kB };

/// Follows a position between two sides with a band between them: below -1 is A, above 1 is B. It
/// settles on a side when it stays there for some time without a break.
///
/// Between two frames the position is taken to change evenly, so frames that lie on that way add
/// nothing: the frame rate does not decide who settles.
class Debouncer {
 public:
  /// The sides on which a step settled; two if it led from one to the other slowly enough.
  struct Settled {
    Side before = Side::kNone;  ///< the side from which the step led away
    Side after = Side::kNone;   ///< the side on which it ended
  };

  /// Goes to @p position, where it is at @p now, not before the last time. From @p settle on a stay
  /// is settled, in each step anew.
  Settled move(Time now, double position, Time settle);

  /// When it was last moved.
  Time time() const { return time_; }

 private:
  Side stay(Side side, double share, Time step, Time settle);

  bool started_ = false;
  Time time_{};
  double position_ = 0;
  Side side_ = Side::kNone;  // of the stay that goes on
  Time stayed_{};
};

/// Half of the band's width where none is set, in body heights: beyond what a standing person's box
/// trembles, well below a step.
inline constexpr double kBandShare = 0.1;

/// Half of the band's width in pixels for a body of @p height; @p band, a share of the frame's
/// height, is what was set.
double half_band(const std::optional<double> &band, double height, const FrameSize &frame);

}  // namespace npc::count
