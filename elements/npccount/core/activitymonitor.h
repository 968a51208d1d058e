// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a live stream has fallen silent.
#pragma once

#include <optional>

#include "npccount/core/box.h"

namespace npc::count {

/// Knows when the last sign of life, a frame or a gap, has come, and how long it lasts. A stream
/// from which nothing comes for kTimeout beyond that is silent.
///
/// There are two kinds of times: those of the stream, as its frames have them, and those of the
/// clock when they came.
class ActivityMonitor {
 public:
  /// A camera that delivers nothing for this long hangs, or is gone.
  static constexpr Time kTimeout = std::chrono::seconds(5);
  /// Frames and gaps that claim to last longer than this are not believed to.
  static constexpr Time kLongest = std::chrono::seconds(60);

  struct Silence {
    Time since;    ///< up to this time of the stream there was something
    Time reached;  ///< where the stream would be by now
    Time length;   ///< by the clock, since the last sign of life
  };

  /// There is a sign of life.
  /// @param clock what the clock says; none: there is no clock
  /// @param stream the time that the stream has come to; none: it has none yet
  /// @param length how long it lasts; none: as long as the last one
  void note(std::optional<Time> clock, std::optional<Time> stream, std::optional<Time> length = {});

  /// Another stream begins. By the clock, the last sign of life was when it was.
  void forget_stream() { stream_.reset(); }

  /// @param clock what the clock says
  /// @return none if the stream is not silent
  std::optional<Silence> check(Time clock);

  /// When, by the clock, it will be silent if nothing comes.
  Time due() const { return clock_ + lasting() + kTimeout; }

 private:
  Time lasting() const { return stream_ ? std::min(length_, kLongest) : Time::zero(); }

  Time clock_{};
  std::optional<Time> stream_;
  Time length_{};
};

}  // namespace npc::count
