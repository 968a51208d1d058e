// SPDX-License-Identifier: LGPL-2.1-or-later
// The structures of npcsink's message and statistics; their fields are documented in
// gstnpcsink.cpp.
#include "report.h"

namespace npc {

GstStructure *structure_of_event(const UpdaterEvent &event) {
  const UpdaterStats &stats = event.stats;
  return gst_structure_new("npc-updater", "updater", G_TYPE_STRING, stats.updater.c_str(), "state",
                           G_TYPE_STRING, stats.connected ? "connected" : "disconnected", "reason",
                           G_TYPE_STRING, event.reason.c_str(), "pending", G_TYPE_UINT64,
                           guint64{stats.pending}, "dropped", G_TYPE_UINT64, guint64{stats.dropped},
                           nullptr);
}

GstStructure *structure_of_stats(guint64 received, guint64 refused,
                                 const std::vector<UpdaterStats> &updaters) {
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_ARRAY);
  for (const UpdaterStats &stats : updaters) {
    GValue item = G_VALUE_INIT;
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(
        &item,
        gst_structure_new("npc-updater-stats", "updater", G_TYPE_STRING, stats.updater.c_str(),
                          "delivered", G_TYPE_UINT64, guint64{stats.delivered}, "pending",
                          G_TYPE_UINT64, guint64{stats.pending}, "dropped", G_TYPE_UINT64,
                          guint64{stats.dropped}, "failed", G_TYPE_UINT64, guint64{stats.failed},
                          "connected", G_TYPE_BOOLEAN, static_cast<gboolean>(stats.connected),
                          "last-error", G_TYPE_STRING, stats.last_error.c_str(), nullptr));
    gst_value_array_append_and_take_value(&list, &item);
  }
  GstStructure *structure = gst_structure_new("npc-sink-stats", "received", G_TYPE_UINT64, received,
                                              "refused", G_TYPE_UINT64, refused, nullptr);
  gst_structure_take_value(structure, "updaters", &list);
  return structure;
}

}  // namespace npc
