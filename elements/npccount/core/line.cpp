// SPDX-License-Identifier: LGPL-2.1-or-later
// A line across the picture, and who crosses it.
#include "npccount/core/line.h"

#include <limits>
#include <utility>

namespace npc::count {
namespace {

// Rounding must not put what is exactly on the line, or on its end, beside it.
constexpr double kExact = 1e-6;

bool is_on_edge(double x, double y) {
  return x == 0 || x == 1 || y == 0 || y == 1;
}

int sign_of(double away) {
  return away > kExact ? 1 : away < -kExact ? -1 : 0;
}

}  // namespace

std::string error_in(const LineDefinition &line) {
  const double length = std::hypot(line.x2 - line.x1, line.y2 - line.y1);
  for (double number : {line.x1, line.y1, line.x2, line.y2})
    if (!(number >= 0 && number <= 1))
      return "The line " + line.name +
             " leaves the frame: x1, y1, x2 and y2 are fractions of it, 0 to 1.";
  if (length == 0)
    return "The line " + line.name + " has no length: its ends are one point.";
  if (line.band && length + kExact < 2 * *line.band)
    return "The line " + line.name +
           " is shorter than its band is wide (twice the value of band): make it longer, or band "
           "smaller.";
  return {};
}

Line::Crossings Line::update(Time now, std::span<const Track> tracks, const FrameSize &frame) {
  Crossings crossings;
  frame_++;
  for (const Track &track : tracks) {
    if (track.label != definition_.label)
      continue;
    Walk &walk = walks_[track.id];
    walk.frame = frame_;
    if (track.last_seen == now)
      follow(walk, now, track.box, frame);
    if (!track.confirmed)
      continue;
    const Crossings ready = std::exchange(walk.waiting, {});
    crossings.in += ready.in;
    crossings.out += ready.out;
  }
  std::erase_if(walks_, [this](const auto &entry) { return entry.second.frame != frame_; });
  return crossings;
}

Line::Position Line::position_of(const Box &box, const FrameSize &frame) const {
  const double x1 = definition_.x1 * frame.width, y1 = definition_.y1 * frame.height;
  const double across = definition_.x2 * frame.width - x1;
  const double down = definition_.y2 * frame.height - y1;
  const double length = std::hypot(across, down);
  const double x = box.centre_x() - x1, y = box.bottom() - y1;
  return {(x * down - y * across) / length, (x * across + y * down) / length};
}

void Line::follow(Walk &walk, Time now, const Box &box, const FrameSize &frame) const {
  const Position to = position_of(box, frame);
  const double half = half_band(definition_.band, box.height, frame);
  const Debouncer::Settled settled = walk.settler.move(now, to.away / half, definition_.settle);
  // In the order in which it happened: it may settle, pass and settle within one step.
  settle(walk, settled.before);
  pass(walk, to, frame);
  settle(walk, settled.after);
}

// Goes straight to a place, maybe through the segment. What touches the line and turns back does
// not pass; what goes along it passes if it met the segment anywhere.
void Line::pass(Walk &walk, const Position &to, const FrameSize &frame) const {
  const Position from = walk.position.value_or(to);
  walk.position = to;
  const int before = sign_of(from.away), after = sign_of(to.away);
  if (before * after <= 0) {
    double first = to.along, last = to.along;
    if (before != 0 && after != 0)
      first = last = from.along + (to.along - from.along) * from.away / (from.away - to.away);
    else if (before == 0 && after == 0)
      first = from.along;
    else if (before == 0)
      first = last = from.along;
    constexpr double kEndless = std::numeric_limits<double>::infinity();
    const double length = std::hypot((definition_.x2 - definition_.x1) * frame.width,
                                     (definition_.y2 - definition_.y1) * frame.height);
    // Feet may be below the picture.
    const double least = is_on_edge(definition_.x1, definition_.y1) ? -kEndless : -kExact;
    const double most = is_on_edge(definition_.x2, definition_.y2) ? kEndless : length + kExact;
    walk.touched |= std::max(first, last) >= least && std::min(first, last) <= most;
  }
  if (after == 0)
    return;
  if (walk.sign != 0 && after != walk.sign && walk.touched)
    walk.through += after;
  walk.sign = after;
  walk.touched = false;
}

void Line::settle(Walk &walk, Side side) {
  if (side == Side::kNone)
    return;
  const Side from = std::exchange(walk.settled, side);
  const int through = std::exchange(walk.through, 0);
  if (from == Side::kNone || from == side || side == walk.counted ||
      (side == Side::kB ? through <= 0 : through >= 0))
    return;
  walk.counted = side;
  (side == Side::kB ? walk.waiting.in : walk.waiting.out)++;
}

}  // namespace npc::count
