// SPDX-License-Identifier: LGPL-2.1-or-later
// sizes: frames per second of the pipeline against the size of the frames.
#include <gst/gst.h>

#include <cstdio>

#include "benchmarks/course.h"
#include "benchmarks/measuring.h"

namespace {

using namespace npc::bench;

const cv::Size kSizes[] = {{320, 240}, {640, 480}, {768, 576}, {1280, 720}, {1920, 1080}};
constexpr int kFrames = 150;  // 470 MB at the largest size

int measure(const Options &options) {
  const std::string clip = clip_or_skip();
  std::vector<std::pair<std::string, std::string>> detectors = {{"HOG", "detector=hog"}};
  if (const auto network = network_properties())
    detectors.emplace_back("yolo-fastest-1.1_body", *network);
  nlohmann::ordered_json json = {{"benchmark", "sizes"}, {"rows", nlohmann::json::array()}};
  std::printf("%-30s %10s %10s %10s\n", "detector", "size", "fps", "ms");
  for (const cv::Size &size : kSizes) {
    const Film film =
        decode(clip, {.size = size, .frames = options.frames > 0 ? options.frames : kFrames});
    for (const auto &[name, properties] : detectors) {
      const Figures figures = run_course(film, {.properties = properties});
      std::printf("%-30s %5dx%-4d %10.1f %10.3f\n", name.c_str(), size.width, size.height,
                  figures.rate(), figures.ms(figures.wall));
      std::fflush(stdout);
      nlohmann::ordered_json row = {
          {"detector", name}, {"width", size.width}, {"height", size.height}};
      row.update(figures.json());
      json["rows"].push_back(std::move(row));
    }
  }
  write_json(options, json);
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char **argv) {
  gst_init(nullptr, nullptr);
  return run(measure, argc, argv);
}
