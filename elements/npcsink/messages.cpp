// SPDX-License-Identifier: LGPL-2.1-or-later
// The structures of npcsink's messages and statistics; their fields are documented in
// gstnpcsink.cpp.
#include "npcsink/messages.h"

namespace npc::sink {
namespace {

const char *name_of(UpdaterEvent::State state) {
  switch (state) {
    case UpdaterEvent::State::kConnected:
      return "connected";
    case UpdaterEvent::State::kDisconnected:
      return "disconnected";
    case UpdaterEvent::State::kBacklog:
      return "backlog";
    case UpdaterEvent::State::kCaughtUp:
      return "caught-up";
    case UpdaterEvent::State::kRefused:
      return "refused";
    case UpdaterEvent::State::kNotice:
      return "notice";
    case UpdaterEvent::State::kDropped:
      return "dropped";
    case UpdaterEvent::State::kNotAnswered:
      return "not-answered";
  }
  return "";
}

const char *name_of(StoreEvent::State state) {
  switch (state) {
    case StoreEvent::State::kWriting:
      return "writing";
    case StoreEvent::State::kFailing:
      return "failing";
    case StoreEvent::State::kReplaced:
      return "replaced";
    case StoreEvent::State::kLosing:
      return "losing";
    case StoreEvent::State::kClockJumped:
      return "clock-jumped";
    case StoreEvent::State::kUnguarded:
      return "unguarded";
  }
  return "";
}

guint64 oldest_of(const UpdaterStats &stats) {
  return static_cast<guint64>(stats.oldest.count());
}

GstStructure *structure_of(const UpdaterStats &stats) {
  return gst_structure_new(
      "npc-updater-stats", "updater", G_TYPE_STRING, stats.updater.c_str(), "delivered",
      G_TYPE_UINT64, guint64{stats.delivered}, "pending", G_TYPE_UINT64, guint64{stats.pending},
      "oldest", G_TYPE_UINT64, oldest_of(stats), "dropped", G_TYPE_UINT64, guint64{stats.dropped},
      "refused", G_TYPE_UINT64, guint64{stats.refused}, "failed", G_TYPE_UINT64,
      guint64{stats.failed}, "resent", G_TYPE_UINT64, guint64{stats.resent}, "requests-refused",
      G_TYPE_UINT64, guint64{stats.requests_refused}, "connected", G_TYPE_BOOLEAN,
      static_cast<gboolean>(stats.connected), "last-error", G_TYPE_STRING, stats.last_error.c_str(),
      nullptr);
}

GstStructure *structure_of(const StoreStats &stats) {
  return gst_structure_new("npc-store-stats", "path", G_TYPE_STRING, stats.path.c_str(), "writing",
                           G_TYPE_BOOLEAN, static_cast<gboolean>(stats.writing), "records",
                           G_TYPE_UINT64, guint64{stats.records}, "unstored", G_TYPE_UINT64,
                           guint64{stats.unstored}, "guarded", G_TYPE_BOOLEAN,
                           static_cast<gboolean>(stats.guarded), "lost", G_TYPE_UINT64,
                           guint64{stats.lost}, "repeated", G_TYPE_UINT64, guint64{stats.repeated},
                           "last-error", G_TYPE_STRING, stats.last_error.c_str(), nullptr);
}

}  // namespace

GstStructure *structure_of_event(const UpdaterEvent &event) {
  const UpdaterStats &stats = event.stats;
  return gst_structure_new(
      "npc-updater", "updater", G_TYPE_STRING, stats.updater.c_str(), "state", G_TYPE_STRING,
      name_of(event.state), "reason", G_TYPE_STRING, event.reason.c_str(), "pending", G_TYPE_UINT64,
      guint64{stats.pending}, "oldest", G_TYPE_UINT64, oldest_of(stats), "dropped", G_TYPE_UINT64,
      guint64{stats.dropped}, "refused", G_TYPE_UINT64, guint64{stats.refused}, nullptr);
}

GstStructure *structure_of_event(const StoreEvent &event) {
  const StoreStats &stats = event.stats;
  return gst_structure_new("npc-store", "store", G_TYPE_STRING, stats.path.c_str(), "state",
                           G_TYPE_STRING, name_of(event.state), "reason", G_TYPE_STRING,
                           event.reason.c_str(), "unstored", G_TYPE_UINT64, guint64{stats.unstored},
                           "lost", G_TYPE_UINT64, guint64{stats.lost}, nullptr);
}

GstStructure *structure_of_stats(guint64 received, guint64 refused, const StoreStats &store,
                                 const std::vector<UpdaterStats> &updaters) {
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_ARRAY);
  for (const UpdaterStats &stats : updaters) {
    GValue item = G_VALUE_INIT;
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&item, structure_of(stats));
    gst_value_array_append_and_take_value(&list, &item);
  }
  GValue kept = G_VALUE_INIT;
  g_value_init(&kept, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&kept, structure_of(store));
  GstStructure *structure = gst_structure_new("npc-sink-stats", "received", G_TYPE_UINT64, received,
                                              "refused", G_TYPE_UINT64, refused, nullptr);
  gst_structure_take_value(structure, "store", &kept);
  gst_structure_take_value(structure, "updaters", &list);
  return structure;
}

}  // namespace npc::sink
