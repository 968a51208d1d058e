// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line of the measurement.
#pragma once

#include <map>
#include <opencv2/core.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "accuracy/clip.h"
#include "accuracy/clips.h"
#include "accuracy/crossings.h"

namespace npc::accuracy {

struct Detector {
  std::string name;
  std::string properties;  // of npcdetect
};

// How bad a detector may be.
struct Limits {
  std::optional<double> mean_absolute;  // at most
  std::optional<double> f1;             // at least
  std::optional<double> phantom_share;  // below
  std::optional<double> sweep_f1;       // at least
};

// A clip, its truth, and what is to count in it.
struct Job {
  std::string clip;
  std::string truth;      // empty: nobody marked people in it
  std::string crossings;  // empty: nobody marked crossings in it
  std::string crossings_name;
  LineAcross line;
  std::optional<MarkedClip> marked;  // in place of all those
  std::optional<Darkness> dark;      // the clip is darkened first
  std::vector<Detector> detectors;
  std::vector<cv::Size> originals;
  std::map<std::string, Limits> limits;  // by a detector's name

  bool has_counts() const { return marked ? marked->has_counts() : !truth.empty(); }
  bool has_line() const { return marked ? marked->line.has_value() : !line.name.empty(); }
};

struct Options {
  std::vector<Job> jobs;
  std::size_t group = 0;  // the first job that options belong to, while they are read
  std::string cascade;
  std::string json;
  std::string recordings;  // folder of detections; empty: the whole pipeline runs
  double window_seconds = 2;
};

// What is wrong with the command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Initialises GStreamer too, whose options are taken. Throws UsageError.
Options parse_options(int argc, char **argv);

}  // namespace npc::accuracy
