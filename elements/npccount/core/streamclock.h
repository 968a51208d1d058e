// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the time of a live stream near the clock.
#pragma once

#include <optional>

#include "npccount/core/box.h"

namespace npc::count {

/// Timestamps of a live stream are made by a camera, and cameras set their clocks, start anew at 0
/// or claim another frame rate than they have. This gives times that never go back, are never much
/// ahead of the clock and never fall behind it for ever. A stream that is merely late keeps its own
/// times, for those say when a picture was taken.
class StreamClock {
 public:
  /// Times that go back by no more than this are out of order: time stands still for them.
  static constexpr Time kOutOfOrder = std::chrono::seconds(1);
  /// A stream that is later than it has ever been by more than this, for kBehindFor and without
  /// catching up, has a slow clock. What is held up on its way for a moment comes all at once then.
  static constexpr Time kBehindMost = std::chrono::seconds(3);
  static constexpr Time kBehindFor = std::chrono::seconds(1);

  /// A stream that is ahead of the clock by more than this, or by more than a window, has leapt.
  static constexpr Time kAheadMost = std::chrono::seconds(2);

  /// @param running what the timestamp of a frame says
  /// @param now what the clock says
  /// @param window length of the windows
  /// @return the time of the frame
  Time map(Time running, Time now, Time window);

  /// How far the times are from what the timestamps say.
  Time shift() const { return shift_; }

  /// The next frame is the first.
  void reset() { *this = StreamClock(); }

 private:
  struct Frame {
    Time time, now;
  };
  struct Behind {
    Time since, late;
  };

  bool fits(Time time, Time now, Time ahead_most) const;
  void follow(Time time, Time now);

  Time shift_{};
  std::optional<Frame> last_;
  std::optional<Time> least_;     // that the stream was late by
  std::optional<Behind> behind_;  // it is too late, and has not caught up since
  bool slow_ = false;             // its clock is: it is kept at kBehindMost
};

}  // namespace npc::count
