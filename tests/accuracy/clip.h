// SPDX-License-Identifier: LGPL-2.1-or-later
// A clip through the real pipeline, and the same clip frame by frame.
#pragma once

#include <cstdint>
#include <functional>
#include <opencv2/core.hpp>
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

// Runs `filesrc ! decodebin ! npcdetect PROPERTIES ! npccount ! fakesink` as fast as it goes and
// collects the records and crossings that npccount posts. Tracks are not on the bus: npccount's
// tracker runs once more on the detections as they leave npcdetect. Throws std::runtime_error with
// the reason if there is no record to be had.
Pass run_pipeline(const std::string &clip, const PassSettings &settings);

// The size of its frames. Throws std::runtime_error if the clip cannot be decoded.
cv::Size size_of(const std::string &clip);

// Hands each frame, CV_8UC3 BGR, to `see`, and returns how many there were and how long it took; no
// windows. Throws std::runtime_error if the clip cannot be decoded.
Pass each_frame(const std::string &clip, const std::function<void(const cv::Mat &)> &see);

}  // namespace npc::accuracy
