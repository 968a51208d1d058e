// SPDX-License-Identifier: LGPL-2.1-or-later
// All lines, zones and thresholds of a camera, and the totals of its lines.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "npccount/core/line.h"
#include "npccount/core/threshold.h"
#include "npccount/core/totals.h"
#include "npccount/core/tracker.h"
#include "npccount/core/zone.h"

namespace npc::count {

/// What a user defines. Each is sound, and no two lines, zones or thresholds share a name.
struct Definitions {
  std::vector<LineDefinition> lines;
  std::vector<ZoneDefinition> zones;
  std::vector<ThresholdDefinition> thresholds{};
};

/// Why they cannot work together, as a sentence for the user; empty if they can.
std::string error_in(const Definitions &definitions);

/// Somebody crossed a line.
struct Crossing {
  std::string line;
  std::string label;
  /// From A to B.
  bool in = false;
  /// With this crossing.
  LineTotals totals;
};

/// There are too many, or no longer.
struct Alarm {
  std::string threshold;
  std::string zone;  ///< empty: the frame
  std::string label;
  unsigned people = 0;
  bool above = false;
  Time held{};  ///< for so long it has been so
};

/// What happened in a frame.
struct Events {
  std::vector<Crossing> crossings;  ///< in the order of the lines
  std::vector<Alarm> alarms;        ///< in the order of the thresholds
};

/// What lines and zones saw in a window, in the order of their definition.
struct RuleCounts {
  struct OfLine {
    std::string name;
    unsigned in = 0;
    unsigned out = 0;
    LineTotals totals;
  };
  struct OfZone {
    std::string name;
    ZoneCounts counts;
  };

  std::vector<OfLine> lines;
  std::vector<OfZone> zones;
};

/// Counts by lines and zones, and watches thresholds. Not for use from several threads at once.
class Rules {
 public:
  /// Counts by these from now on. A line or zone that is not changed goes on; a line that keeps its
  /// name keeps its counts of the open window, a threshold its state. Totals of names that are gone
  /// stay, up to kMostTotals names, for the line may come back.
  void define(const Definitions &definitions);

  /// Takes in the tracks of one frame.
  Events update(Time now, std::span<const Track> tracks, const FrameSize &frame);

  /// Ends a window. @return what was seen in it
  RuleCounts close();

  /// Forgets all tracks.
  void forget_tracks();
  /// Forgets all tracks and the open window. Totals stay, and the states of thresholds.
  void forget();

  const Totals &totals() const { return totals_; }
  void set_totals(Totals totals);
  /// Totals of a line begin at 0 again; those of all lines if @p name is empty.
  void reset_totals(const std::string &name);

 private:
  struct LineCounter {
    Line line;
    unsigned in = 0;  // of the window
    unsigned out = 0;
  };

  std::vector<Alarm> watch(Time now, std::span<const Track> tracks);
  void list_totals();

  std::vector<LineCounter> line_counters_;
  std::vector<Zone> zones_;
  std::vector<Threshold> thresholds_;
  Totals totals_;
};

}  // namespace npc::count
