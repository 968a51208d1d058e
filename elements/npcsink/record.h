// SPDX-License-Identifier: LGPL-2.1-or-later
// A record on its way out: the texts that updaters send, and what names it.
#pragma once

#include <cstdint>
#include <string>

namespace npc {

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

  /// What it takes in memory, about.
  std::uint64_t bytes() const {
    return sizeof(Record) + site.size() + camera.size() + json.size() + line_protocol.size() +
           boot.size();
  }
};

}  // namespace npc
