// SPDX-License-Identifier: LGPL-2.1-or-later
// Polygons in fractions of the frame.
#include "base/polygon.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace npc {
namespace {

double turn(const Corner &a, const Corner &b, const Corner &c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

bool is_within(const Corner &a, const Corner &b, const Corner &point) {
  return std::min(a.x, b.x) <= point.x && point.x <= std::max(a.x, b.x) &&
         std::min(a.y, b.y) <= point.y && point.y <= std::max(a.y, b.y);
}

int sign(double number) {
  return (number > 0) - (number < 0);
}

// Whether two sides have a point in common.
bool do_meet(const Corner &a, const Corner &b, const Corner &c, const Corner &d) {
  const int ab_c = sign(turn(a, b, c)), ab_d = sign(turn(a, b, d));
  const int cd_a = sign(turn(c, d, a)), cd_b = sign(turn(c, d, b));
  if (ab_c * ab_d < 0 && cd_a * cd_b < 0)
    return true;
  return (ab_c == 0 && is_within(a, b, c)) || (ab_d == 0 && is_within(a, b, d)) ||
         (cd_a == 0 && is_within(c, d, a)) || (cd_b == 0 && is_within(c, d, b));
}

}  // namespace

bool crosses_itself(const Corners &points) {
  const std::size_t size = points.size();
  const auto at = [&](std::size_t i) -> const Corner & { return points[i % size]; };
  for (std::size_t i = 0; i < size; i++) {
    // A side that goes back on the one before it.
    const Corner &a = at(i), &b = at(i + 1), &c = at(i + 2);
    if (a == b || (turn(a, b, c) == 0 && (is_within(a, b, c) || is_within(b, c, a))))
      return true;
    for (std::size_t j = i + 2; j < size && j + 1 < size + i; j++)
      if (do_meet(a, b, at(j), at(j + 1)))
        return true;
  }
  return false;
}

bool contains(const Corners &points, Corner point) {
  // The largest number below 1.
  constexpr double kLast = 1 - std::numeric_limits<double>::epsilon() / 2;
  point = {std::clamp(point.x, 0.0, kLast), std::clamp(point.y, 0.0, kLast)};
  bool inside = false;
  for (std::size_t i = 0; i < points.size(); i++) {
    const Corner &a = points[i], &b = points[(i + 1) % points.size()];
    if ((a.y > point.y) == (b.y > point.y))
      continue;
    // From above to below whichever way the corners are listed, so that rounding is the same for
    // both polygons that have this side.
    const bool is_left = a.y < b.y ? turn(a, b, point) > 0 : turn(b, a, point) > 0;
    inside = inside != is_left;
  }
  return inside;
}

}  // namespace npc
