// SPDX-License-Identifier: LGPL-2.1-or-later
// Messages about crossings and thresholds for applications, as structures.
#include "npccount/messages.h"

namespace npc::count {

GstStructure *structure_of_event(const count::Crossing &crossing, const EventTimes &times,
                                 const RuleSettings &rules) {
  return gst_structure_new(
      "npc-crossing", "timestamp", G_TYPE_UINT64, times.timestamp, "stream-time", G_TYPE_UINT64,
      times.stream_time, "running-time", G_TYPE_UINT64, times.running_time, "site", G_TYPE_STRING,
      rules.site().c_str(), "camera", G_TYPE_STRING, rules.camera().c_str(), "line", G_TYPE_STRING,
      crossing.line.c_str(), "direction", G_TYPE_STRING, crossing.in ? "in" : "out", "class",
      G_TYPE_STRING, crossing.label.c_str(), "in_total", G_TYPE_UINT64, crossing.totals.in,
      "out_total", G_TYPE_UINT64, crossing.totals.out, nullptr);
}

GstStructure *structure_of_event(const count::Alarm &alarm, const EventTimes &times,
                                 const RuleSettings &rules) {
  return gst_structure_new(
      "npc-threshold", "timestamp", G_TYPE_UINT64, times.timestamp, "stream-time", G_TYPE_UINT64,
      times.stream_time, "running-time", G_TYPE_UINT64, times.running_time, "duration",
      G_TYPE_UINT64, static_cast<guint64>(alarm.held.count()), "site", G_TYPE_STRING,
      rules.site().c_str(), "camera", G_TYPE_STRING, rules.camera().c_str(), "threshold",
      G_TYPE_STRING, alarm.threshold.c_str(), "zone", G_TYPE_STRING, alarm.zone.c_str(), "class",
      G_TYPE_STRING, alarm.label.c_str(), "state", G_TYPE_STRING, alarm.above ? "above" : "below",
      "people", G_TYPE_UINT, alarm.people, nullptr);
}

}  // namespace npc::count
