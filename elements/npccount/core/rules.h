// SPDX-License-Identifier: LGPL-2.1-or-later
// All lines and zones of a camera, and the totals of its lines.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "line.h"
#include "totals.h"
#include "tracker.h"
#include "zone.h"

namespace npc::count {

/// Lines and zones as a user defines them. Each is sound, and no two lines or zones share a name.
struct Definitions {
  std::vector<LineDefinition> lines;
  std::vector<ZoneDefinition> zones;
};

/// Somebody crossed a line.
struct Crossing {
  std::string line;
  std::string label;
  /// From A to B.
  bool in = false;
  /// With this crossing.
  LineTotals totals;
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

/// Counts by lines and zones. Not for use from several threads at once.
class Rules {
 public:
  /// Counts by these from now on. A line or zone that is not changed goes on; a line that keeps its
  /// name keeps its counts of the open window. Totals of names that are gone stay, up to
  /// kMostTotals names, for the line may come back.
  void define(const Definitions &definitions);

  /// Takes in the tracks of one frame. @return who crossed which line, in the order of definition
  std::vector<Crossing> update(Time now, std::span<const Track> tracks, const FrameSize &frame);

  /// Ends a window. @return what was seen in it
  RuleCounts close();

  /// Forgets all tracks.
  void forget_tracks();
  /// Forgets all tracks and the open window. Totals stay.
  void forget();

  const Totals &totals() const { return totals_; }
  void set_totals(Totals totals);
  /// Totals of a line begin at 0 again; those of all lines if @p name is empty.
  void reset_totals(const std::string &name);

 private:
  struct Gate {
    Line line;
    unsigned in = 0;  // of the window
    unsigned out = 0;
  };

  void list_totals();

  std::vector<Gate> gates_;
  std::vector<Zone> zones_;
  Totals totals_;
};

}  // namespace npc::count
