// SPDX-License-Identifier: LGPL-2.1-or-later
// A clip through the real pipeline, and the same clip frame by frame.
#pragma once

#include <functional>
#include <opencv2/core.hpp>
#include <string>

#include "accuracy/recording.h"

namespace npc::accuracy {

// Runs `filesrc ! decodebin ! npcdetect PROPERTIES ! npccount ! fakesink` as fast as it goes and
// collects the records and crossings that npccount posts. Tracks are not on the bus: npccount's
// core runs once more on the detections as they leave npcdetect, and must come to the same counts.
// Throws std::runtime_error with the reason if it does not, or if there is no record to be had.
Pass run_pipeline(const std::string &clip, const PassSettings &settings);

// The same from detections alone: those in the file `folder`/NAME, where NAME tells clip, detector
// and the plugin npcdetect is in apart, or else found by npcdetect and written there first.
Pass run_recorded(const std::string &clip, const PassSettings &settings,
                  const std::filesystem::path &folder);

// The size of its frames. Throws std::runtime_error if the clip cannot be decoded.
cv::Size size_of(const std::string &clip);

// Hands each frame, CV_8UC3 BGR, to `see`, and returns how many there were and how long it took; no
// windows. Throws std::runtime_error if the clip cannot be decoded.
Pass each_frame(const std::string &clip, const std::function<void(const cv::Mat &)> &see);

}  // namespace npc::accuracy
