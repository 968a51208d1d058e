// SPDX-License-Identifier: LGPL-2.1-or-later
// A part of the picture, and who is in it.
#include "npccount/core/zone.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace npc::count {
namespace {

using Point = ZoneDefinition::Point;

// Rounding must not make a zone thinner than its band.
constexpr double kExact = 1e-6;
// Detections are rounded to pixels.
constexpr double kPixel = 1;
// How far in or out somebody on the border is, in pixels: the sign decides.
constexpr double kLeastDepth = 1e-6;
// In the middle of a zone without a border.
constexpr double kDeep = 1e6;

// Whoever steps over this side leaves the frame, not the zone.
bool is_on_edge(const Point &a, const Point &b) {
  return (a.x == b.x && (a.x == 0 || a.x == 1)) || (a.y == b.y && (a.y == 0 || a.y == 1));
}

double squared_distance(const Point &a, const Point &b, const Point &point) {
  const double across = b.x - a.x, down = b.y - a.y;
  const double share =
      ((point.x - a.x) * across + (point.y - a.y) * down) / (across * across + down * down);
  const double nearest = std::clamp(share, 0.0, 1.0);
  const double x = point.x - a.x - nearest * across, y = point.y - a.y - nearest * down;
  return x * x + y * y;
}

// The boxes of those who are cut off by the frame's edge need not reach it: networks are as unsure
// there as everywhere, so the share of the body that is the band along a border is one here too.
bool came_over_edge(const Box &box, const FrameSize &frame) {
  const double near = std::max(kPixel, kBandShare * box.height);
  return box.x <= near || box.right() >= frame.width - near || box.bottom() >= frame.height - near;
}

}  // namespace

std::string error_in(const ZoneDefinition &zone) {
  const std::string name = "The zone " + zone.name;
  if (zone.points.size() < 3)
    return name + " needs at least three corners.";
  if (zone.points.size() > kMostCorners)
    return name + " has more than " + std::to_string(kMostCorners) + " corners: leave some out.";
  Point least{1, 1}, most{0, 0};
  for (const Point &point : zone.points) {
    if (!(point.x >= 0 && point.x <= 1 && point.y >= 0 && point.y <= 1))
      return name + " leaves the frame: corners are fractions of it, 0 to 1.";
    least = {std::min(least.x, point.x), std::min(least.y, point.y)};
    most = {std::max(most.x, point.x), std::max(most.y, point.y)};
  }
  if (crosses_itself(zone.points))
    return name + " crosses or touches itself: list its corners in order, each once.";
  if (zone.band && std::min(most.x - least.x, most.y - least.y) + kExact < 2 * *zone.band)
    return name +
           " is thinner than its band (twice the value of band): make it larger, or band smaller.";
  return {};
}

void Zone::update(Time now, std::span<const Track> tracks, const FrameSize &frame) {
  unsigned people = 0;
  frame_++;
  for (const Track &track : tracks) {
    if (track.label != definition_.label)
      continue;
    Visit &visit = visits_[track.id];
    visit.frame = frame_;
    visit.confirmed = track.confirmed;
    if (track.last_seen == now)
      follow(visit, now, track.box, frame);
    if (track.confirmed)
      entered_ += std::exchange(visit.entries, 0);
    if (visit.inside && track.present)
      people++;
  }
  std::erase_if(visits_, [this](const auto &entry) {
    const Visit &visit = entry.second;
    if (visit.frame == frame_)
      return false;
    end(visit, visit.settler.time());
    return true;
  });
  now_ = people;
  people_.add(people);
  frames_++;
}

ZoneCounts Zone::close() {
  ZoneCounts counts;
  counts.people = people_.median(frames_);
  counts.most_people = people_.most();
  counts.entered = std::exchange(entered_, 0);
  if (stays_ > 0)
    counts.dwell = stayed_ / stays_;
  frames_ = 0;
  people_ = Histogram();
  stays_ = 0;
  stayed_ = Time::zero();
  return counts;
}

// Distance of the anchor to the border in pixels, positive inside and never 0.
double Zone::depth_of(const Box &box, const FrameSize &frame) const {
  // Feet may be below the picture.
  const Point anchor{std::clamp(box.centre_x(), 0.0, frame.width),
                     std::clamp(box.bottom(), 0.0, frame.height)};
  double border = kDeep * kDeep;
  const std::vector<Point> &points = definition_.points;
  for (std::size_t i = 0; i < points.size(); i++) {
    const Point &from = points[i], &to = points[(i + 1) % points.size()];
    const Point a{from.x * frame.width, from.y * frame.height};
    const Point b{to.x * frame.width, to.y * frame.height};
    if (!is_on_edge(from, to))
      border = std::min(border, squared_distance(a, b, anchor));
  }
  const double depth = std::max(std::sqrt(border), kLeastDepth);
  return contains(points, {anchor.x / frame.width, anchor.y / frame.height}) ? depth : -depth;
}

void Zone::follow(Visit &visit, Time now, const Box &box, const FrameSize &frame) {
  const double depth = depth_of(box, frame);
  const double half = half_band(definition_.band, box.height, frame);
  const Time last = visit.settler.time();
  const Debouncer::Settled settled = visit.settler.move(now, depth / half, definition_.settle);
  if (!std::exchange(visit.known, true)) {
    visit.inside = depth > 0;
    visit.arriving = visit.inside && came_over_edge(box, frame);
    visit.since = visit.began = now;
    visit.depth = depth;
  }
  // In the order in which it happened: it may settle, cross and settle within one step.
  settle(visit, settled.before);
  const double before = std::exchange(visit.depth, depth);
  if ((before > 0) != (depth > 0)) {
    const double step = static_cast<double>((now - last).count());
    visit.since = last + Time(static_cast<Time::rep>(before / (before - depth) * step));
  }
  settle(visit, settled.after);
}

void Zone::settle(Visit &visit, Side side) {
  if (side == Side::kA && visit.inside) {
    end(visit, visit.since);
    visit.inside = visit.arriving = visit.settled = false;
  } else if (side == Side::kB) {
    if (!visit.inside)
      visit.began = visit.since;
    if (!visit.inside || std::exchange(visit.arriving, false))
      visit.entries++;
    visit.inside = visit.settled = true;
  }
}

void Zone::end(const Visit &visit, Time time) {
  if (!visit.inside || !visit.settled || !visit.confirmed)
    return;
  stays_++;
  stayed_ += std::max(time - visit.began, Time::zero());
}

}  // namespace npc::count
