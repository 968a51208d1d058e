// SPDX-License-Identifier: LGPL-2.1-or-later
// Crossings of a line as they were, as they were counted, and which of them belong together.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace npc::accuracy {

// A counted crossing is that of somebody if it is within this many seconds of it.
inline constexpr double kMatchSeconds = 1.5;

// Towards larger coordinates (rightward, downward: plus) or smaller ones.
enum class Way { kPlus, kMinus };

struct Crossing {
  double seconds = 0;  // of the clip
  Way way = Way::kPlus;
  std::string line = {};  // its name
};

// A true crossing happened in some frame between first and last, which may be the same.
struct TrueCrossing {
  int first = 0;  // frames, from 0
  int last = 0;
  Way way = Way::kPlus;
};

// Crossings in one direction, or in both.
struct WayScore {
  int truth = 0;
  int counted = 0;
  int matched = 0;

  int missed() const { return truth - matched; }
  int phantom() const { return counted - matched; }
};

struct CrossingScore {
  WayScore plus;
  WayScore minus;

  WayScore both() const {
    return {plus.truth + minus.truth, plus.counted + minus.counted, plus.matched + minus.matched};
  }
  // Harmonic mean of the share of true crossings that were counted and the share of counted ones
  // that are true. 1 if there were none and none was counted.
  double f1() const;
  // Share of phantoms in what was counted; 0 if nothing was.
  double phantom_share() const;
};

// Pairs counted and true crossings of one direction so that most are paired, each at most once: the
// counted ones by time, each with the one that could not wait the longest.
CrossingScore match(std::vector<Crossing> counted, std::vector<TrueCrossing> truth,
                    double frames_per_second);

// A straight line across the whole frame, so laid that `in` is plus.
struct LineAcross {
  std::string name;        // as in "x=0.5"
  std::string definition;  // for npccount's property lines, without its name
};

// Reads "x=0.5" (from top to bottom) or "y=0.5" (from side to side), a fraction of the frame, and
// after a comma further fields for npccount, as in "y=0.5,class=vehicle". Throws
// std::invalid_argument with a sentence.
LineAcross parse_line(const std::string &text);

// Reads the crossings of a clip from a JSON file: the object whose key is `name` or begins with it
// and a space. "events_frame_id_dir" lists [frame from 1, anything, "+" or "-"]; instead "objects"
// lists ["… down" or "… right" or "… up" or "… left", first frame from 0, last frame]. Throws
// std::runtime_error with a sentence.
std::vector<TrueCrossing> read_crossings(const std::filesystem::path &file,
                                         const std::string &name);
std::vector<TrueCrossing> parse_crossings(std::string_view json, const std::string &name);

}  // namespace npc::accuracy
