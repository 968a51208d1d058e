// SPDX-License-Identifier: LGPL-2.1-or-later
// Messages about the store and the updaters for applications, as structures.
#pragma once

#include <gst/gst.h>

#include <vector>

#include "npcsink/store/storeevent.h"
#include "npcsink/worker.h"

namespace npc::sink {

/// `npc-updater`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_event(const UpdaterEvent &event);

/// `npc-store`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_event(const StoreEvent &event);

/// `npc-sink-stats`: the value of the property `stats`. Transfer full.
GstStructure *structure_of_stats(guint64 received, guint64 refused, const StoreStats &store,
                                 const std::vector<UpdaterStats> &updaters);

}  // namespace npc::sink
