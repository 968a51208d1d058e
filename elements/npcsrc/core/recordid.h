// SPDX-License-Identifier: LGPL-2.1-or-later
// What names a record.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace npc::source {

/// The records of one run of a counter, numbered from 0.
struct Series {
  std::string site;
  std::string camera;
  std::string boot;

  auto operator<=>(const Series &) const = default;
};

/// Names a record for ever.
struct RecordId {
  Series series;
  std::uint64_t seq = 0;

  auto operator<=>(const RecordId &) const = default;
};

}  // namespace npc::source
