// SPDX-License-Identifier: LGPL-2.1-or-later
// pass: one run of the pipeline over the first frames of the clip, for profilers.
#include <gst/gst.h>

#include <cstdio>
#include <opencv2/core.hpp>

#include "benchmarks/course.h"
#include "benchmarks/measuring.h"

namespace {

using namespace npc::bench;

int measure(const Options &options) {
  if (options.threads > 0)
    cv::setNumThreads(options.threads);
  Film film = decode(clip_or_skip(), {.size = {}, .frames = options.still ? 1 : options.frames});
  const Figures figures = run_course(
      film, {.properties = options.properties, .frames = options.frames, .clocks = false});
  std::printf("%d frames, %.3f ms of processor time each\n", figures.frames,
              figures.ms(figures.cpu));
  write_json(options, figures.json());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char **argv) {
  gst_init(nullptr, nullptr);
  return run(measure, argc, argv);
}
