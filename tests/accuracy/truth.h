// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is where in a clip, as people marked it by hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <map>
#include <vector>

#include "accuracy/crossings.h"
#include "accuracy/identities.h"

namespace npc::accuracy {

// Faster than this is moving, in box heights per second: the definition of the record's `moving`.
inline constexpr double kMovingSpeed = 0.2;

struct TruthBox {
  int frame = 0;  // from 0
  double x = 0;   // pixels: left edge, upper edge, width, height
  double y = 0;
  double width = 0;
  double height = 0;
};

// What a record says of a moment or of a window, in truth or as counted.
struct Counts {
  int people = 0;
  int moving = 0;
};

class Truth {
 public:
  // Nobody.
  Truth() = default;
  // Reads lines "frame,id,x,y,width,height,…" (MOTChallenge): frames from 1, pixels, one line for
  // each person in each frame, in any order. Throws std::runtime_error with the number of a line
  // that is not so.
  explicit Truth(std::istream &lines);
  static Truth read(const std::filesystem::path &file);

  // Each person's boxes, in the order of their frames.
  const std::map<int, std::vector<TruthBox>> &tracks() const { return tracks_; }

  // For each of the frames 0 to frames - 1 how many people are there, and how many of them are
  // moving: their anchor (bottom centre) covers more than kMovingSpeed, measured over the second
  // around the frame, or over what there is of it where the track begins or ends.
  std::vector<Counts> counts(int frames, double frames_per_second) const;

  // Who is in each of the frames 0 to frames - 1.
  std::vector<std::vector<Seen>> frames(int frames) const;

  // Who crosses the vertical line at so many pixels from the left: a bottom centre that was more
  // than `hysteresis` pixels on one side of it and now is as far on the other.
  std::vector<TrueCrossing> crossings(double pixels, double hysteresis = 10) const;

 private:
  std::map<int, std::vector<TruthBox>> tracks_;
};

}  // namespace npc::accuracy
