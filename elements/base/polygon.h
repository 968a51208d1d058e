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

/// Whether the point is in the polygon, by the rule of those who fill polygons: its upper and left
/// borders are its own, its lower and right ones are not. So where polygons cover the frame without
/// overlapping, each point is in exactly one, those on shared borders and corners too. What is on
/// the frame's lower or right edge, or beyond any, is taken to be just inside of it.
bool contains(const Corners &points, Corner point);

}  // namespace npc
