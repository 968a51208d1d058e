// SPDX-License-Identifier: LGPL-2.1-or-later
// A record on its way out: its value, the texts that updaters send, and what names it.
#pragma once

#include <gst/npc/npccounts.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace npc::sink {

/// One record of counts. Site, camera and boot are valid names, so they need escaping nowhere.
/// (site, camera, boot, seq) names a record for ever.
struct Record {
  std::string site;
  std::string camera;
  std::string json;           ///< one line of JSON, without a newline
  std::string line_protocol;  ///< InfluxDB's line protocol, without a newline at the end
  std::string boot = {};
  std::int64_t seq = 0;
  std::int64_t time = 0;  ///< end of the window, UTC, in ms since 1970
  /// What the texts say; never null in what an updater is given.
  std::shared_ptr<const GstNpcCounts> counts = {};

  /// What it takes in memory, about. The value takes as much as its JSON, about.
  std::uint64_t bytes() const {
    return sizeof(Record) + site.size() + camera.size() + (counts ? 2 : 1) * json.size() +
           line_protocol.size() + boot.size();
  }
};

/// Reads a record, and writes it anew, so that only what we know of goes out. If it is none,
/// `error` says so in a sentence.
std::optional<Record> read_record(std::string_view json, std::string *error);

/// Makes the rest of a record of its JSON, which stays as it is, unless that was done before.
/// Returns false if it is none.
bool complete_record(Record &record);

}  // namespace npc::sink
