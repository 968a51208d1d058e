// SPDX-License-Identifier: LGPL-2.1-or-later
// memory: the peak resident set of the whole pipeline between its 10,000th and 100,000th frame.
#include <gst/gst.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "benchmarks/course.h"
#include "benchmarks/measuring.h"

namespace {

using namespace npc::bench;

constexpr int kFrames = 100000;
constexpr int kSamples = 100;

// A busy part of the street, small enough for 100,000 frames within minutes, large enough for
// people.
const cv::Rect kCrop{344, 150, 80, 96};

// In kB.
long resident(const std::string &field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":"))
      return std::stol(line.substr(field.size() + 1));
  }
  throw std::runtime_error("/proc/self/status has no " + field);
}

int measure(const Options &options) {
  const Film film = decode(clip_or_skip(), {.size = {}, .frames = 0, .crop = kCrop});
  const int frames = options.frames > 0 ? options.frames : kFrames;
  const int early = frames / 10;
  long peak_early = 0;
  auto samples = nlohmann::ordered_json::array();
  Course course{.properties = options.properties.empty() ? "detector=hog" : options.properties,
                .frames = frames,
                .rules = true,
                .clocks = false,
                .on_frame = {}};
  course.on_frame = [&](int frame) {
    if (frame == early)
      peak_early = resident("VmHWM");
    if (frame % std::max(frames / kSamples, 1) == 0)
      samples.push_back({frame, resident("VmRSS"), resident("VmHWM")});
  };
  const Figures figures = run_course(film, course);
  const long peak = resident("VmHWM");
  samples.push_back({frames, resident("VmRSS"), peak});
  const double growth =
      100.0 * static_cast<double>(peak - peak_early) / static_cast<double>(peak_early);
  std::printf("%d frames of %dx%d in %.0f s; peak resident set %ld kB at frame %d, %ld kB at %d\n",
              frames, GST_VIDEO_INFO_WIDTH(&film.info), GST_VIDEO_INFO_HEIGHT(&film.info),
              figures.wall, peak_early, early, peak, frames);
  for (const auto &[name, value] : figures.counters)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(value));
  std::printf("\n");
  Verdict verdict;
  verdict.below("growth of the peak resident set, %", growth, 1);
  write_json(options, {{"benchmark", "memory"},
                       {"frames", frames},
                       {"early", early},
                       {"peak_early_kb", peak_early},
                       {"peak_kb", peak},
                       {"growth_percent", growth},
                       {"figures", figures.json()},
                       {"samples", samples},
                       {"requirements", verdict.json()}});
  return verdict.exit_status();
}

}  // namespace

int main(int argc, char **argv) {
  gst_init(nullptr, nullptr);
  return run(measure, argc, argv);
}
