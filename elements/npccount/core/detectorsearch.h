// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether there may be no detector at all.
#pragma once

#include "npccount/core/box.h"

namespace npc::count {

/// Waits for the first detection in video: without a detector before npccount it looks like an
/// empty room.
class DetectorSearch {
 public:
  /// Video in which nothing was ever found for this long may have no detector.
  static constexpr Time kLongest = std::chrono::seconds(10);

  /// Frames follow that may or may not have been through a detector.
  void begin() { state_ = State::begun; }
  /// They have been through one for sure.
  void end() { state_ = State::over; }
  /// Time begins anew.
  void restart() {
    if (state_ == State::timed)
      state_ = State::begun;
  }

  /// Takes in a frame.
  /// @return true, once, if nothing was found for too long
  bool note(Time now, bool found) {
    if (found || state_ == State::over) {
      state_ = State::over;
      return false;
    }
    if (state_ == State::begun)
      since_ = now;
    state_ = now - since_ < kLongest ? State::timed : State::over;
    return state_ == State::over;
  }

 private:
  enum class State {
    over,
    begun,  // no frame yet
    timed,
  };

  State state_ = State::over;
  Time since_{};  // of the first frame
};

}  // namespace npc::count
