// SPDX-License-Identifier: LGPL-2.1-or-later
// speed: the pipeline beside the original algorithm on the same frames, and on a still scene.
#include <gst/gst.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "accuracy/original.h"
#include "benchmarks/course.h"
#include "benchmarks/measuring.h"

namespace {

using namespace npc::bench;

// Of the original, which takes most of a second each: spread evenly over the clip, in three parts
// between the runs of ours, so that other work on the machine meets all of them.
constexpr int kOriginalFrames = 60;
constexpr int kParts = 3;

constexpr double kNoise = 2;  // deviation of the luma, of 255: a sensor in daylight

class OriginalRun {
 public:
  explicit OriginalRun(const Film &film)
      : film_(film),
        original_({GST_VIDEO_INFO_WIDTH(&film.info), GST_VIDEO_INFO_HEIGHT(&film.info)},
                  cascade()) {
    // The first frame has no flow: it costs less than the others.
    original_.count(film_.bgr(0));
  }

  void run_part() {
    for (int i = 0; i < kOriginalFrames / kParts; i++, frames_++) {
      const cv::Mat frame = film_.bgr(frames_ * film_.size() / kOriginalFrames);
      const Stopwatch stopwatch;
      const double cpu = cpu_seconds();
      original_.count(frame);
      seconds_ += stopwatch.seconds();
      cpu_ += cpu_seconds() - cpu;
    }
  }

  double rate() const { return frames_ / seconds_; }
  double cpu_ms() const { return 1000 * cpu_ / frames_; }
  nlohmann::ordered_json json() const {
    return {{"frames", frames_},
            {"frames_per_second", rate()},
            {"ms", 1000 / rate()},
            {"cpu_ms", cpu_ms()}};
  }

 private:
  static std::string cascade() {
    for (const char *folder : {"/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades",
                               "/usr/local/share/opencv4/haarcascades"}) {
      const auto file = std::filesystem::path(folder) / "haarcascade_frontalface_alt.xml";
      if (std::filesystem::exists(file))
        return file.string();
    }
    throw std::runtime_error("haarcascade_frontalface_alt.xml is not there: install opencv-data");
  }

  const Film &film_;
  npc::accuracy::Original original_;
  int frames_ = 0;
  double seconds_ = 0;
  double cpu_ = 0;
};

struct Contender {
  std::string name;
  std::string properties;
  double times_original;  // at least
};

nlohmann::ordered_json measure_still(const Film &film, const Contender &contender, double moving,
                                     Verdict &verdict) {
  nlohmann::ordered_json json;
  for (const double noise : {0.0, kNoise}) {
    const Film scene = still(film, film.size() / 2, noise);
    const Figures figures =
        run_course(scene, {.properties = contender.properties, .frames = film.size()});
    const std::string title = contender.name + ", still scene" + (noise > 0 ? " with noise" : "");
    print_budget(title, figures);
    verdict.at_least(title + ", times as fast as the clip", figures.rate() / moving, 20);
    json[noise > 0 ? "noisy" : "still"] = figures.json();
  }
  return json;
}

int measure(const Options &options) {
  const std::string clip = clip_or_skip();
  double load = 0;
  getloadavg(&load, 1);
  const Film film = decode(clip, {.size = {}, .frames = options.frames});
  std::vector<Contender> contenders = {{"HOG", "detector=hog", 12}};
  if (const auto network = network_properties())
    contenders.push_back({"yolo-fastest-1.1_body", *network, 30});
  else
    std::printf("Without the network: yolo-fastest-1.1_body is not below NPC_SHARED.\n");

  OriginalRun original(film);
  original.run_part();
  std::vector<Figures> moving;
  for (const Contender &contender : contenders) {
    moving.push_back(run_course(film, {.properties = contender.properties}));
    original.run_part();
  }
  if (contenders.size() < kParts - 1)
    original.run_part();
  std::printf(
      "original algorithm at %dx%d: %.2f frames a second, %.1f ms a frame (processor time %.1f "
      "ms), "
      "over %d frames\n",
      GST_VIDEO_INFO_WIDTH(&film.info), GST_VIDEO_INFO_HEIGHT(&film.info), original.rate(),
      1000 / original.rate(), original.cpu_ms(), kOriginalFrames);

  Verdict verdict;
  nlohmann::ordered_json json = {{"benchmark", "speed"},
                                 {"width", GST_VIDEO_INFO_WIDTH(&film.info)},
                                 {"height", GST_VIDEO_INFO_HEIGHT(&film.info)},
                                 {"load_before", load},
                                 {"processors", cv::getNumberOfCPUs()},
                                 {"original", original.json()}};
  for (std::size_t i = 0; i < contenders.size(); i++) {
    const Contender &contender = contenders[i];
    print_budget(contender.name, moving[i]);
    std::printf(
        "%.1f times as fast as the original by processor time, whoever else has the machine\n",
        original.cpu_ms() / moving[i].ms(moving[i].cpu));
    verdict.at_least(contender.name + ", times as fast as the original",
                     moving[i].rate() / original.rate(), contender.times_original);
    verdict.below(contender.name + ", npcdetect outside of detectors, % of the whole",
                  100 * moving[i].own_share(), 5);
    nlohmann::ordered_json row = {{"detector", contender.name}, {"clip", moving[i].json()}};
    row.update(measure_still(film, contender, moving[i].rate(), verdict));
    json["detectors"].push_back(std::move(row));
  }
  json["requirements"] = verdict.json();
  write_json(options, json);
  return verdict.exit_status();
}

}  // namespace

int main(int argc, char **argv) {
  gst_init(nullptr, nullptr);
  return run(measure, argc, argv);
}
