// SPDX-License-Identifier: LGPL-2.1-or-later
// What a pass over a clip is about, and what it gave.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "accuracy/crossings.h"
#include "accuracy/identities.h"
#include "accuracy/score.h"

namespace npc::accuracy {

// The people whom the tracker believes present in a frame.
struct TrackedFrame {
  int frame = 0;
  std::vector<Seen> tracks;
};

// How a clip is darkened: values of 0 to 1 are raised to `gamma`, then noise of this standard
// deviation, of 255, is added. A camera's picture at night is about so.
struct Darkness {
  double gamma = 1;
  double noise = 0;
};

// What a pass is about.
struct PassSettings {
  std::string detector;        // properties of npcdetect as in gst-launch-1.0
  std::string lines, zones;    // npccount's properties
  std::string label;           // the class that is counted
  std::uint64_t interval = 0;  // length of a window in ns
  std::optional<Darkness> dark;
};

// What one pass over a clip gave.
struct Pass {
  std::vector<Window> windows;      // without the truth
  std::vector<Crossing> crossings;  // `in` is plus
  std::vector<TrackedFrame> tracked;
  int entered = 0;               // into the first zone
  double frames_per_second = 0;  // of the clip itself
  int frames = 0;                // that came in
  int analysed = 0;
  double seconds = 0;  // from the start to the end of the stream, decoding included
};

// Frame k is at k / rate seconds, in ns.
int frame_at(std::uint64_t time, double rate);

}  // namespace npc::accuracy
