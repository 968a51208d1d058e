// SPDX-License-Identifier: LGPL-2.1-or-later
// A record on its way out: the texts that updaters send.
#pragma once

#include <string>

namespace npc {

/// One record of counts. Site and camera are valid names, so they need escaping nowhere.
struct Record {
  std::string site;
  std::string camera;
  std::string json;           ///< one line of JSON, without a newline
  std::string line_protocol;  ///< InfluxDB's line protocol, without a newline at the end
};

}  // namespace npc
