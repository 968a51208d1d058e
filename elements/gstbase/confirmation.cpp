// SPDX-License-Identifier: LGPL-2.1-or-later
// How a sink that stores records says so to the source that they came from.
#include "gstbase/confirmation.h"

namespace npc {
namespace {

constexpr char kQuery[] = "npc-store";
constexpr char kEvent[] = "npc-stored";

}  // namespace

GstQuery *new_store_query() {
  return gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kQuery));
}

bool is_store_query(GstQuery *query) {
  const GstStructure *structure =
      GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM ? gst_query_get_structure(query) : nullptr;
  return structure != nullptr && gst_structure_has_name(structure, kQuery) != FALSE;
}

GstEvent *new_stored_event(const StoredRecords &records) {
  return gst_event_new_custom(
      GST_EVENT_CUSTOM_UPSTREAM,
      gst_structure_new(kEvent, "site", G_TYPE_STRING, records.site.c_str(), "camera",
                        G_TYPE_STRING, records.camera.c_str(), "boot", G_TYPE_STRING,
                        records.boot.c_str(), "from", G_TYPE_UINT64, records.from, "to",
                        G_TYPE_UINT64, records.to, nullptr));
}

std::optional<StoredRecords> parse_stored_event(GstEvent *event) {
  const GstStructure *structure =
      GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM ? gst_event_get_structure(event) : nullptr;
  if (structure == nullptr || gst_structure_has_name(structure, kEvent) == FALSE)
    return std::nullopt;
  const gchar *site = gst_structure_get_string(structure, "site");
  const gchar *camera = gst_structure_get_string(structure, "camera");
  const gchar *boot = gst_structure_get_string(structure, "boot");
  guint64 from, to;
  if (site == nullptr || camera == nullptr || boot == nullptr ||
      gst_structure_get_uint64(structure, "from", &from) == FALSE ||
      gst_structure_get_uint64(structure, "to", &to) == FALSE || from > to || to > G_MAXINT64)
    return std::nullopt;
  return StoredRecords{site, camera, boot, from, to};
}

}  // namespace npc
