// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths of one person over lines and zones, as the tracker would tell of them.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "npccount/core/rules.h"

namespace npc::count {

using namespace std::chrono_literals;

inline constexpr FrameSize kPicture{640, 480};
inline constexpr double kTall = 100;  // of who walks here: the band is 10 pixels to either side

/// Where an anchor is in a frame; nowhere if it is not seen there.
struct Step {
  Time time;
  double x = 0;
  double y = 0;
  bool seen = true;

  bool operator==(const Step &) const = default;
};
using Path = std::vector<Step>;

inline Track track_at(std::uint64_t id, const Step &step, double height = kTall) {
  Track track;
  track.id = id;
  track.label = "person";
  track.box = {step.x - 0.2 * height, step.y - height, 0.4 * height, height};
  track.confirmed = track.present = true;
  track.last_seen = step.time;
  return track;
}

inline LineDefinition line(double x1, double y1, double x2, double y2) {
  LineDefinition definition;
  definition.name = "line";
  definition.x1 = x1;
  definition.y1 = y1;
  definition.x2 = x2;
  definition.y2 = y2;
  return definition;
}

/// x=320, from top to bottom: rightward is in.
inline LineDefinition middle() {
  return line(0.5, 0, 0.5, 1);
}

/// Straight from point to point, a frame every `period`.
struct Point2 {
  double x, y;
};
inline Path straight(Point2 from, Point2 to, double speed, Time period, Time start = {}) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  Path path;
  for (Time time{};; time += period) {
    const double share = length > 0 ? std::min(speed * seconds(time) / length, 1.0) : 1;
    path.push_back(
        {start + time, from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)});
    if (share == 1)
      return path;
  }
}

/// Stays where the path ends.
inline Path &stay(Path &path, Time length, Time period) {
  const Step last = path.back();
  for (Time time = period; time <= length; time += period)
    path.push_back({last.time + time, last.x, last.y});
  return path;
}

struct Crossed {
  int in = 0;
  int out = 0;

  bool operator==(const Crossed &) const = default;
};

/// Walks a path by one track. `check` sees the counts after each frame.
template <typename Check>
Crossed walk(const LineDefinition &definition, const Path &path, Check check) {
  Line line(definition);
  Crossed crossed;
  std::optional<Step> last;
  for (const Step &step : path) {
    if (step.seen)
      last = step;
    if (!last)
      continue;
    const Track track = track_at(1, *last);
    const Line::Crossings now = line.update(step.time, {&track, 1}, kPicture);
    crossed.in += static_cast<int>(now.in);
    crossed.out += static_cast<int>(now.out);
    check(crossed);
  }
  return crossed;
}
inline Crossed walk(const LineDefinition &definition, const Path &path) {
  return walk(definition, path, [](const Crossed &) {});
}

}  // namespace npc::count
