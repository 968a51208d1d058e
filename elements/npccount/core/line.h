// SPDX-License-Identifier: LGPL-2.1-or-later
// A line across the picture, and who crosses it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "npccount/core/box.h"
#include "npccount/core/debouncer.h"
#include "npccount/core/tracker.h"

namespace npc::count {

/// How long somebody must stay on a side of a line or zone where nothing else is set.
inline constexpr Time kSettle = std::chrono::milliseconds(200);

/// A line as a user defines it: a segment in fractions of the frame, 0 to 1, origin at the upper
/// left. Who goes along it from the first point to the second has side A on the right hand, and
/// side B on the left.
struct LineDefinition {
  std::string name;
  /// The class that is counted.
  std::string label = "person";
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  /// Half of the band's width as a share of the frame's height; none: kBandShare body heights.
  std::optional<double> band;
  Time settle = kSettle;

  bool operator==(const LineDefinition &) const = default;
};

/// Why a line cannot work, as a sentence for the user; empty if it can.
std::string error_in(const LineDefinition &line);

/// Counts the tracks of one class that cross a segment.
///
/// A track that has settled on one side and then settles on the other crossed the line, if its
/// anchor's path (the middle of the box's lower edge) led through the segment, ends included, and
/// not round it. An end on the frame's edge has no beyond. Crossings of one track alternate: who
/// goes round an end and crosses again in the same direction was already counted.
///
/// Paths begin when a track is first seen, but only confirmed tracks are counted. Frames in which a
/// track is not seen are bridged by a straight way. What is kept of a track goes with it.
class Line {
 public:
  struct Crossings {
    unsigned in = 0;   ///< from A to B
    unsigned out = 0;  ///< from B to A
  };

  explicit Line(LineDefinition definition) : definition_(std::move(definition)) {}

  const LineDefinition &definition() const { return definition_; }

  /// Takes in the tracks of one frame. @return who crossed, or was found to have crossed
  Crossings update(Time now, std::span<const Track> tracks, const FrameSize &frame);

  /// Forgets all tracks.
  void forget() { walks_.clear(); }

  /// How many tracks it knows.
  std::size_t known() const { return walks_.size(); }

 private:
  // Where an anchor is: how far from the line, B positive, and how far along it, in pixels.
  struct Position {
    double away = 0;
    double along = 0;
  };
  struct Walk {
    Debouncer settler;
    std::optional<Position> position;
    int sign = 0;          // the side of the bare line, when it was last beside it
    bool touched = false;  // met the segment since then
    int through = 0;       // through the segment to B less through it to A, since it settled
    Side settled = Side::kNone;
    Side counted = Side::kNone;  // where the last crossing led
    Crossings waiting;           // until the track is confirmed
    std::uint64_t frame = 0;
  };

  Position position_of(const Box &box, const FrameSize &frame) const;
  void follow(Walk &walk, Time now, const Box &box, const FrameSize &frame) const;
  void pass(Walk &walk, const Position &to, const FrameSize &frame) const;
  static void settle(Walk &walk, Side side);

  LineDefinition definition_;
  std::unordered_map<std::uint64_t, Walk> walks_;
  std::uint64_t frame_ = 0;
};

}  // namespace npc::count
