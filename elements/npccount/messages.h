// SPDX-License-Identifier: LGPL-2.1-or-later
// Messages about crossings and thresholds for applications, as structures.
#pragma once

#include <gst/gst.h>

#include "npccount/core/rules.h"
#include "npccount/rulesettings.h"

namespace npc::count {

/// When it was, in each of a stream's times.
struct EventTimes {
  GstClockTime timestamp, stream_time, running_time;
};

/// `npc-crossing`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_event(const count::Crossing &crossing, const EventTimes &times,
                                 const RuleSettings &rules);

/// `npc-threshold`: what the element message of that name holds; `times` are those since when it
/// has been so. Transfer full.
GstStructure *structure_of_event(const count::Alarm &alarm, const EventTimes &times,
                                 const RuleSettings &rules);

}  // namespace npc::count
