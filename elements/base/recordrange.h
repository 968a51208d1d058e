// SPDX-License-Identifier: LGPL-2.1-or-later
// Records by their numbers, as programs ask one another for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ranges.h"

namespace npc {

/// Records of one run of a camera.
struct RecordRange {
  std::string site;
  std::string camera;
  std::string boot;
  Range range;

  bool operator==(const RecordRange &) const = default;
};

/// Reads `{"site":"…","camera":"…","boot":"…","from":…,"to":…}`, or without `site` and `camera` if
/// they are given. It is a stranger's: nothing if it is anything else.
std::optional<RecordRange> read_record_range(std::string_view json, std::string_view site = {},
                                             std::string_view camera = {});

/// Writes that, with `site` and `camera` if they are wanted.
std::string write_record_range(const RecordRange &records, bool with_names);

}  // namespace npc
