// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcdetect found in a clip, kept in a file, and counted again without it.
#pragma once

#include <filesystem>
#include <istream>
#include <ostream>
#include <vector>

#include "accuracy/pass.h"
#include "npccount/core/tracker.h"

namespace npc::accuracy {

// A buffer as it left npcdetect.
struct DetectedFrame {
  count::Time time{};
  count::Time duration{};
  std::vector<count::Detection> detections;
};

// All that came of a clip. Sizes are pixels of the frame, which are square.
struct Recording {
  double width = 0, height = 0;
  double frames_per_second = 0;  // of the clip itself
  int frames = 0;                // that went into npcdetect
  int analysed = 0;
  std::vector<DetectedFrame> detected;

  // Lines of text, numbers in full. Throws std::runtime_error with a sentence.
  void write(std::ostream &out) const;
  static Recording read(std::istream &in);
};

// npccount's core on a recording, as its engine has it on a file: the tracker, the rules, and the
// windows. Throws std::runtime_error if lines or zones cannot be used.
Pass replay(const Recording &recording, const PassSettings &settings);

}  // namespace npc::accuracy
