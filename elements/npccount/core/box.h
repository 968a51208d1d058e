// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes in pixels, and how much of one lies in another.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

namespace npc::count {

/// A point in buffer time, or a length of it.
using Time = std::chrono::nanoseconds;

/// Length of @p time in seconds.
inline double seconds(Time time) {
  return std::chrono::duration<double>(time).count();
}

/// An upright rectangle in pixels; it may lie outside of the frame.
struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
  double centre_x() const { return x + width / 2; }
  double centre_y() const { return y + height / 2; }
  double area() const { return width * height; }
};

/// Width and height of the frame in pixels.
struct FrameSize {
  double width = 0;
  double height = 0;
};

/// Area that two boxes share, in square pixels.
inline double shared_area(const Box &a, const Box &b) {
  const double width = std::min(a.right(), b.right()) - std::max(a.x, b.x);
  const double height = std::min(a.bottom(), b.bottom()) - std::max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/// Shared area over the area of both together, 0 to 1.
inline double overlap(const Box &a, const Box &b) {
  const double shared = shared_area(a, b);
  return shared > 0 ? shared / (a.area() + b.area() - shared) : 0;
}

}  // namespace npc::count
