// SPDX-License-Identifier: LGPL-2.1-or-later
// The record of a window.
#include "npccount/recordbuilder.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace npc::count {
namespace {

std::string new_boot() {
  guint64 number;
  if (getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    number = static_cast<guint64>(g_random_int()) << 32 | g_random_int();
  g_autofree gchar *text = g_strdup_printf("%016" G_GINT64_MODIFIER "x", number);
  return text;
}

CountsPtr new_counts(const std::string &site, const std::string &camera, const std::string &boot) {
  return {gst_npc_counts_new(site.c_str(), camera.c_str(), boot.c_str()), gst_npc_counts_free};
}

guint64 to_milliseconds(count::Time time) {
  return gst_util_uint64_scale_round(static_cast<guint64>(time.count()), 1, GST_MSECOND);
}

void add_rules(GstNpcCounts *counts, const count::RuleCounts &rules) {
  for (const auto &[name, in, out, totals] : rules.lines) {
    GstNpcLineCount *line = gst_npc_counts_add_line(counts, name.c_str());
    line->in = in;
    line->out = out;
    line->in_total = totals.in;
    line->out_total = totals.out;
  }
  for (const auto &[name, seen] : rules.zones) {
    GstNpcZoneCount *zone = gst_npc_counts_add_zone(counts, name.c_str());
    zone->people = seen.people;
    zone->people_max = seen.most_people;
    zone->entered = seen.entered;
    zone->dwell = to_milliseconds(seen.dwell);
  }
}

/// Whether readers take the record in each of its forms.
bool fits(const GstNpcCounts *counts) {
  g_autofree gchar *json = gst_npc_counts_to_json(counts);
  g_autofree gchar *lines = gst_npc_counts_to_line_protocol(counts);
  return std::max(strlen(json), strlen(lines)) <= GST_NPC_RECORD_MAX;
}

}  // namespace

RecordBuilder::RecordBuilder() : boot_(new_boot()) {}

CountsPtr RecordBuilder::build(const count::WindowCounts &window, const count::RuleCounts &rules,
                               const Context &context) const {
  CountsPtr counts = new_counts(context.site, context.camera, boot_);
  counts->seq = seq_;
  counts->time = context.utc / GST_MSECOND;
  counts->interval = to_milliseconds(window.length);
  counts->people = window.people;
  counts->people_max = window.most_people;
  counts->moving = window.moving;
  counts->faces = window.faces;
  for (const auto &[name, count] : window.objects)
    gst_npc_counts_add_object(counts.get(), name.c_str())->count = count;
  add_rules(counts.get(), rules);
  counts->flags = static_cast<GstNpcCountsFlags>(
      (window.partial ? GST_NPC_COUNTS_FLAG_PARTIAL : 0) |
      (window.degraded ? GST_NPC_COUNTS_FLAG_DEGRADED : 0) |
      (window.stalled ? GST_NPC_COUNTS_FLAG_STALLED : 0) |
      (context.clock_unsynced ? GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED : 0));
  // What no reader would take counts for nothing: with many long names, the last classes give way.
  for (guint left = gst_npc_counts_get_n_objects(counts.get()); left > 0 && !fits(counts.get());)
    gst_npc_counts_remove_object(counts.get(), --left);
  return counts;
}

bool does_record_fit(const std::string &site, const std::string &camera,
                     const count::Definitions &definitions) {
  const CountsPtr widest = new_counts(site, camera, std::string(16, '0'));
  widest->seq = widest->interval = G_MAXINT64;
  widest->time = GST_NPC_TIME_MAX;
  widest->people = widest->people_max = widest->moving = widest->faces = G_MAXUINT;
  widest->flags = static_cast<GstNpcCountsFlags>(2 * GST_NPC_COUNTS_FLAG_REPLAYED - 1);  // all
  for (const count::LineDefinition &definition : definitions.lines) {
    GstNpcLineCount *line = gst_npc_counts_add_line(widest.get(), definition.name.c_str());
    line->in = line->out = G_MAXUINT;
    line->in_total = line->out_total = G_MAXINT64;
  }
  for (const count::ZoneDefinition &definition : definitions.zones) {
    GstNpcZoneCount *zone = gst_npc_counts_add_zone(widest.get(), definition.name.c_str());
    zone->people = zone->people_max = zone->entered = G_MAXUINT;
    zone->dwell = G_MAXINT64;
  }
  return fits(widest.get());
}

}  // namespace npc::count
