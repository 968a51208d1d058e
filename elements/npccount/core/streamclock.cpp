// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the time of a live stream near the clock.
#include "npccount/core/streamclock.h"

#include <algorithm>

namespace npc::count {
namespace {

// Less is jitter.
constexpr Time kCatchingUp = std::chrono::milliseconds(100);

}  // namespace

Time StreamClock::map(Time running, Time now, Time window) {
  const Time ahead_most = std::min(window, kAheadMost);
  // The stream's own time is the best there is, as soon as it makes sense again.
  if (shift_ != Time::zero() && fits(running, now, ahead_most))
    shift_ = Time::zero();
  if (!fits(running + shift_, now, ahead_most))
    // Whatever it was set to, since the last frame as much time has passed as the clock says.
    shift_ = (last_ ? last_->time + std::max(now - last_->now, Time::zero()) : now) - running;
  // One that was mapped anew when it happened to be late is not early afterwards.
  if (shift_ != Time::zero() && least_)
    shift_ = std::min(shift_, now - *least_ - running);
  follow(running + shift_, now);
  const Time time = last_ ? std::max(running + shift_, last_->time) : running + shift_;
  last_ = {time, now};
  return time;
}

bool StreamClock::fits(Time time, Time now, Time ahead_most) const {
  return time <= now + ahead_most && (!last_ || time >= last_->time - kOutOfOrder);
}

// Does not let `time` fall behind for ever.
void StreamClock::follow(Time time, Time now) {
  const Time late = now - time;
  least_ = least_ ? std::min(*least_, late) : late;
  const Time most = *least_ + kBehindMost;
  if (late <= most) {
    behind_.reset();
    slow_ = slow_ && late > most - kCatchingUp;
    return;
  }
  if (!behind_ || late < behind_->late - kCatchingUp)
    behind_ = {now, late};
  slow_ = slow_ || now - behind_->since >= kBehindFor;
  if (slow_)
    shift_ += late - most;
}

}  // namespace npc::count
