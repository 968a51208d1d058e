// SPDX-License-Identifier: LGPL-2.1-or-later
// Clips of many places with what people marked in them: how many are there, and who crosses a line.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accuracy/crossings.h"
#include "accuracy/truth.h"

namespace npc::accuracy {

// A line across the whole frame, at so many pixels from the left (x) or from above (y).
struct MarkedLine {
  bool is_vertical = true;
  double pixels = 0;
  std::vector<TrueCrossing> crossings;

  // For a clip whose frames have this size.
  LineAcross in(int width, int height, const std::string &label) const;
};

struct MarkedClip {
  std::string name;
  std::string file;
  std::string label = "person";
  std::vector<std::pair<int, int>> present;  // first and last frame of each that is there
  std::map<int, int> framecounts;            // of some frames: each holds until the next one
  std::optional<MarkedLine> line;
  std::string zones;  // npccount's property; each that is present enters the first one once

  bool has_counts() const { return !present.empty() || !framecounts.empty(); }
  // How many are there in each of the frames 0 to frames - 1. Nobody marked who moves.
  std::vector<Counts> counts(int frames) const;
};

// Reads clips from JSON: an object of each clip's "file" (beside the file's folder), "class"
// (default: person), "present" [[first, last], …], "framecounts" {"frame": number}, "lines" {name:
// {"axis": "x" or "y", "pos": pixels, "cross": [[first, last, 1 or -1], …]}} and "zones". Frames
// are counted from 0. Throws std::runtime_error with a sentence.
std::vector<MarkedClip> read_clips(const std::filesystem::path &file);
std::vector<MarkedClip> parse_clips(std::string_view json);

}  // namespace npc::accuracy
