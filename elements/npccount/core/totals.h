// SPDX-License-Identifier: LGPL-2.1-or-later
// How many have crossed each line since the beginning, kept in a file over restarts.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"

namespace npc::count {

struct LineTotals {
  std::uint64_t in = 0;
  std::uint64_t out = 0;

  bool operator==(const LineTotals &) const = default;
};

/// Totals by the name of the line.
using Totals = std::map<std::string, LineTotals>;

/// Names that are remembered, those of lines that are no longer defined among them.
inline constexpr std::size_t kMostTotals = 500;

/// Reads the totals of a file that save_totals() wrote; without a file there are none, and all is
/// well.
///
/// A file that cannot be read or is not of that kind is renamed to `<path>.bad`, so that nothing of
/// it is lost.
/// @param totals replaced; empty if it failed
Status load_totals(const std::string &path, Totals &totals);

/// Writes the totals so that after a power cut there is either the old file or the new one.
Status save_totals(const std::string &path, const Totals &totals);

}  // namespace npc::count
