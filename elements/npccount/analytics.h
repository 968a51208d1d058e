// SPDX-License-Identifier: LGPL-2.1-or-later
// Detections in GStreamer's own analytics metadata, which there is since 1.24.
#pragma once

#include <gst/gst.h>

#include <vector>

#include "npccount/core/tracker.h"

namespace npc::count {

/// Adds the objects of the buffer's GstAnalyticsRelationMeta, as they are; nothing if npccount was
/// built without gstreamer-analytics-1.0.
void read_analytics(GstBuffer *buffer, std::vector<count::Detection> &detections);

}  // namespace npc::count
