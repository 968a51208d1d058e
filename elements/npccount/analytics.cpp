// SPDX-License-Identifier: LGPL-2.1-or-later
// Detections in GStreamer's own analytics metadata.
#include "npccount/analytics.h"

// Its headers have arrays without a length, which are no C++.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <gst/analytics/analytics.h>
#pragma GCC diagnostic pop

namespace npc::count {

void read_analytics(GstBuffer *buffer, std::vector<count::Detection> &detections) {
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  if (relations == nullptr)
    return;
  gpointer walk = nullptr;
  GstAnalyticsMtd found;
  while (gst_analytics_relation_meta_iterate(relations, &walk, gst_analytics_od_mtd_get_mtd_type(),
                                             &found)) {
    gint x, y, width, height;
    gfloat confidence;
    if (!gst_analytics_od_mtd_get_location(&found, &x, &y, &width, &height, &confidence))
      continue;
    const gchar *label = g_quark_to_string(gst_analytics_od_mtd_get_obj_type(&found));
    detections.push_back({label != nullptr ? label : "",
                          {static_cast<double>(x), static_cast<double>(y),
                           static_cast<double>(width), static_cast<double>(height)},
                          confidence});
  }
}

}  // namespace npc::count
