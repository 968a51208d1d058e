// SPDX-License-Identifier: LGPL-2.1-or-later
// Polygons in fractions of the frame.
#pragma once

#include <vector>

namespace npc {

/// A point in fractions of the frame: 0 to 1, origin at the upper left.
struct Corner {
  double x = 0;
  double y = 0;

  bool operator==(const Corner &) const = default;
};
using Corners = std::vector<Corner>;

/// Whether sides of the polygon, of three corners or more, cross or touch others than their
/// neighbours.
bool crosses_itself(const Corners &points);

}  // namespace npc
