// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a live stream has fallen silent.
#include "npccount/core/activitymonitor.h"

namespace npc::count {

void ActivityMonitor::note(std::optional<Time> clock, std::optional<Time> stream,
                           std::optional<Time> length) {
  clock_ = clock.value_or(clock_);
  stream_ = stream;
  length_ = length.value_or(length_);
}

std::optional<ActivityMonitor::Silence> ActivityMonitor::check(Time clock) {
  // As after a pause, which ends for the sink before it does for us.
  clock_ = std::min(clock_, clock);
  if (clock < due())
    return std::nullopt;
  if (!stream_)
    return Silence{clock, clock, clock - clock_};
  return Silence{*stream_ + lasting(), *stream_ + (clock - clock_), clock - clock_};
}

}  // namespace npc::count
