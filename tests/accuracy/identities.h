// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether the same person keeps the same track: CLEAR MOT (Bernardin and Stiefelhagen, "Evaluating
// Multiple Object Tracking Performance", 2008).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "npccount/core/box.h"

namespace npc::accuracy {

// Somebody in a frame, true or tracked.
struct Seen {
  std::uint64_t id = 0;
  count::Box box;
};

struct Identities {
  int truth = 0;     // boxes of the truth
  int followed = 0;  // of them with a track
  int phantom = 0;   // boxes of tracks that are nobody's
  int switches = 0;  // somebody's track is another than the last one

  // MOTA: 1 less the share of misses, phantoms and switches; may be negative.
  double accuracy() const;
  double followed_share() const;
};

// Takes in frame after frame. Somebody keeps the last track he had as long as both overlap by half
// (IoU); of the others the most, and of those the best, are paired.
class IdentityScore {
 public:
  void add(std::span<const Seen> truth, std::span<const Seen> tracks);
  const Identities &result() const { return result_; }

 private:
  struct Last {
    std::uint64_t track = 0;
    int frame = 0;
  };

  void follow(const Seen &person, const Seen &track);

  Identities result_;
  std::map<std::uint64_t, Last> last_;  // by person
  int frame_ = 0;
};

}  // namespace npc::accuracy
