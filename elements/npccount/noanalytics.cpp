// SPDX-License-Identifier: LGPL-2.1-or-later
// Where there is no gstreamer-analytics-1.0, no detector writes its metadata.
#include "npccount/analytics.h"

namespace npc::count {

void read_analytics(GstBuffer *, std::vector<count::Detection> &) {}

}  // namespace npc::count
