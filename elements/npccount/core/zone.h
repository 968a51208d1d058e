// SPDX-License-Identifier: LGPL-2.1-or-later
// A part of the picture, and who is in it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/polygon.h"
#include "npccount/core/box.h"
#include "npccount/core/debouncer.h"
#include "npccount/core/line.h"
#include "npccount/core/tracker.h"
#include "npccount/core/window.h"

namespace npc::count {

/// A zone as a user defines it: a polygon in fractions of the frame, 0 to 1, origin at the upper
/// left.
struct ZoneDefinition {
  using Point = Corner;

  std::string name;
  /// The class that is counted.
  std::string label = "person";
  std::vector<Point> points;
  /// Half of the band's width as a share of the frame's height; none: kBandShare body heights.
  std::optional<double> band;
  Time settle = kSettle;

  bool operator==(const ZoneDefinition &) const = default;
};

/// More corners take time and add nothing.
inline constexpr std::size_t kMostCorners = 64;

/// Why a zone cannot work, as a sentence for the user; empty if it can.
std::string error_in(const ZoneDefinition &zone);

/// What a zone saw in a window.
struct ZoneCounts {
  unsigned people = 0;
  unsigned most_people = 0;
  unsigned entered = 0;
  /// Mean length of the stays that ended; zero if none did.
  Time dwell{};
};

/// Counts the tracks of one class whose anchor (the middle of the box's lower edge) is in a
/// polygon.
///
/// A track is in or out as it was when it was first seen, until it settles on the other side of the
/// border, beyond a band along it. To settle inside is an entry. Who is inside when first seen did
/// not enter, with one exception: whose box is then within kBandShare body heights of the left,
/// right or lower edge of the frame came in over that edge, and has entered once they have settled.
///
/// Who is first seen on the border of two zones is in one of them, see contains().
///
/// A stay lasts from border to border. It ends when the track settles outside, or, when it was last
/// seen, with the track: the tracker keeps those that it does not see for a second. Stays in which
/// nothing settled inside are no stays. Sides of the polygon on the frame's edge are no border.
class Zone {
 public:
  explicit Zone(ZoneDefinition definition) : definition_(std::move(definition)) {}

  const ZoneDefinition &definition() const { return definition_; }

  /// Takes in the tracks of one frame.
  void update(Time now, std::span<const Track> tracks, const FrameSize &frame);

  /// How many were in it in the last frame.
  unsigned people() const { return now_; }

  /// What it saw since the last time.
  ZoneCounts close();

  /// Forgets all tracks; stays that go on are not counted.
  void forget() { visits_.clear(); }

  /// How many tracks it knows.
  std::size_t known() const { return visits_.size(); }

 private:
  struct Visit {
    Debouncer settler;
    bool known = false;
    bool inside = false;
    bool arriving = false;  // inside when first seen, but over the frame's edge
    bool settled = false;   // inside, in this stay
    double depth = 0;       // distance to the border, positive inside
    Time since{};           // when the border was last crossed
    Time began{};           // when the stay did
    bool confirmed = false;
    unsigned entries = 0;  // until the track is confirmed
    std::uint64_t frame = 0;
  };

  double depth_of(const Box &box, const FrameSize &frame) const;
  void follow(Visit &visit, Time now, const Box &box, const FrameSize &frame);
  void settle(Visit &visit, Side side);
  void end(const Visit &visit, Time time);

  ZoneDefinition definition_;
  std::unordered_map<std::uint64_t, Visit> visits_;
  std::uint64_t frame_ = 0;
  unsigned now_ = 0;

  std::uint64_t frames_ = 0;  // of the window, as all below
  Histogram people_;
  unsigned entered_ = 0;
  unsigned stays_ = 0;
  Time stayed_{};
};

}  // namespace npc::count
