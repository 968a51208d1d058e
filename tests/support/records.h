// SPDX-License-Identifier: LGPL-2.1-or-later
// Records for tests, as npccount makes them.
#pragma once

#include <gst/npc/npc.h>

#include <memory>
#include <string>

#include "support/owned.h"

namespace npc::test {

/// The JSON of record `seq` of a camera.
inline std::string record_json(guint64 seq, const char *camera = "door") {
  const Owned<GstNpcCounts> counts(gst_npc_counts_new("home", camera, "5f0c"));
  counts->seq = seq;
  counts->time = 1767225600000 + seq * 2000;
  counts->interval = 2000;
  counts->people = counts->people_max = static_cast<guint>(seq % 10);
  const std::unique_ptr<gchar, decltype(&g_free)> json(gst_npc_counts_to_json(counts.get()),
                                                       g_free);
  return json.get();
}

/// A buffer that holds this text.
inline GstBuffer *text_buffer(const std::string &text) {
  return gst_buffer_new_memdup(text.data(), text.size());
}

/// The buffer of record `seq`.
inline GstBuffer *record_buffer(guint64 seq, const char *camera = "door") {
  GstBuffer *buffer = text_buffer(record_json(seq, camera) + "\n");
  GST_BUFFER_PTS(buffer) = seq * 2 * GST_SECOND;
  return buffer;
}

}  // namespace npc::test
