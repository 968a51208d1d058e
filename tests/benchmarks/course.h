// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in memory, and the whole pipeline run on them.
#pragma once

#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/owned.h"

namespace npc::bench {

// Decoded frames, I420.
struct Film {
  GstVideoInfo info{};
  std::vector<test::Owned<GstBuffer>> frames;

  int size() const { return static_cast<int>(frames.size()); }
  cv::Mat bgr(int frame) const;
};

// Which part of a clip, and how large.
struct Cut {
  cv::Size size{};  // scaled to this; empty: as it is
  int frames = 0;   // at most so many; 0: all
  cv::Rect crop{};  // before scaling, in pixels of a frame of 768x576; empty: the whole
};

// Decodes a clip. Throws std::runtime_error with the reason.
Film decode(const std::string &clip, const Cut &cut = {});

// One frame of a film again and again, with noise of this deviation in its luma: sixteen pictures
// that take turns, one and the same without noise.
Film still(const Film &film, int frame, double noise);

// What a run took, in seconds.
struct Figures {
  int frames = 0;
  double wall = 0;    // from the first frame in npcdetect to the end of the stream
  double cpu = 0;     // of all threads meanwhile
  double detect = 0;  // in npcdetect, without what comes after it
  double count = 0;
  double sink = 0;
  std::vector<std::pair<std::string, double>> stages;           // npcdetect's own clocks
  std::vector<std::pair<std::string, std::uint64_t>> counters;  // the rest of its stats

  double rate() const { return frames / wall; }
  double ms(double seconds) const { return 1000 * seconds / frames; }
  double stage(const std::string &name) const;
  // Share of npcdetect's time outside of the detectors in the whole.
  double own_share() const { return (detect - stage("detect-time")) / wall; }
  nlohmann::ordered_json json() const;
};

struct Course {
  std::string properties{};             // of npcdetect
  int frames = 0;                       // films are repeated; 0: the film once
  bool rules = false;                   // three lines and a zone in npccount
  bool clocks = true;                   // without, only wall and cpu are taken
  std::function<void(int)> on_frame{};  // before each frame is handed over
};

// appsrc ! npcdetect ! npccount ! npcsink updaters=file:…, as fast as it goes. Throws
// std::runtime_error with the pipeline's own reason.
Figures run_course(const Film &film, const Course &course);

// A line for each stage: ms a frame and share of the whole.
void print_budget(const std::string &title, const Figures &figures);

}  // namespace npc::bench
