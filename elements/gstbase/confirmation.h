// SPDX-License-Identifier: LGPL-2.1-or-later
// How a sink that stores records says so to the source that they came from.
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

namespace npc {

// A source asks downstream, by the query `npc-store`, whether somebody will say what is stored. A
// sink that answers it then sends upstream, for each range of records that it has stored, an event
// `npc-stored`. Where nobody answers, a source takes for stored what was pushed without a failure.
// See docs/architecture.md, "What is stored".

/// Records of one series, from `from` to `to`, both among them.
struct StoredRecords {
  std::string site;
  std::string camera;
  std::string boot;
  guint64 from = 0;
  guint64 to = 0;
};

/// The question. Transfer full.
GstQuery *new_store_query();
bool is_store_query(GstQuery *query);

/// The event. Transfer full.
GstEvent *new_stored_event(const StoredRecords &records);
/// What such an event says; nothing if it is another one, or says something impossible.
std::optional<StoredRecords> parse_stored_event(GstEvent *event);

}  // namespace npc
