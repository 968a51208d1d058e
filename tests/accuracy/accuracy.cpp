// SPDX-License-Identifier: LGPL-2.1-or-later
// accuracy: counts people in clips whose truth is known, with the pipeline that users run and with
// the original algorithm, and prints how far each is from the truth. ./run finds it its data.
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "accuracy/clip.h"
#include "accuracy/identities.h"
#include "accuracy/options.h"
#include "accuracy/original.h"
#include "accuracy/report.h"

namespace {

using namespace npc::accuracy;

constexpr int kOptionsWrong = 2;

std::string find_cascade(const std::string &given) {
  if (!given.empty())
    return given;
  for (const char *folder : {"/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades",
                             "/usr/local/share/opencv4/haarcascades"}) {
    const auto file = std::filesystem::path(folder) / "haarcascade_frontalface_alt.xml";
    if (std::filesystem::exists(file))
      return file.string();
  }
  throw std::runtime_error(
      "haarcascade_frontalface_alt.xml is not there: install opencv-data, or name it with "
      "--cascade");
}

Row measure_original(const std::string &clip, cv::Size size, const Options &options) {
  Original original(size, find_cascade(options.cascade));
  std::vector<Counts> frames;
  Row row;
  row.detector = "original " + std::to_string(size.width) + "x" + std::to_string(size.height);
  row.pass = each_frame(clip, [&](const cv::Mat &frame) {
    const OriginalCounts counts = original.count(frame);
    frames.push_back({counts.people, counts.moving});
  });
  const auto length =
      static_cast<int>(std::lround(options.window_seconds * row.pass.frames_per_second));
  row.pass.windows = cut_windows(frames, std::max(length, 1));
  return row;
}

// Fills in what the truth says of a row.
void judge(Row &row, const Job &job, const Truth &truth) {
  Pass &pass = row.pass;
  if (!job.truth.empty()) {
    compare(pass.windows, truth.counts(pass.frames, pass.frames_per_second));
    if (covered_frames(pass.windows) != pass.frames)
      throw std::runtime_error(row.detector + ": the records cover " +
                               std::to_string(covered_frames(pass.windows)) + " of " +
                               std::to_string(pass.frames) + " frames");
  }
  if (!pass.tracked.empty() && !job.truth.empty()) {
    const auto people = truth.frames(pass.frames);
    IdentityScore score;
    for (const auto &[frame, tracks] : pass.tracked)
      score.add(people.at(static_cast<std::size_t>(frame)), tracks);
    row.identities = score.result();
  }
}

ClipReport measure(const Job &job, const Options &options) {
  ClipReport report;
  report.clip = std::filesystem::path(job.clip).filename().string();
  report.window_seconds = options.window_seconds;
  report.has_people = !job.truth.empty();
  report.line = job.line.name;
  const Truth truth = report.has_people ? Truth::read(job.truth) : Truth();
  if (!job.crossings.empty())
    report.crossings = read_crossings(job.crossings, job.crossings_name);
  for (const cv::Size &size : job.originals)
    report.rows.push_back(measure_original(job.clip, size, options));
  for (const Detector &detector : job.detectors) {
    Row &row = report.rows.emplace_back();
    row.detector = detector.name;
    row.pass = run_pipeline(job.clip, detector.properties, job.line.definition,
                            static_cast<std::uint64_t>(options.window_seconds * 1e9));
    if (!job.crossings.empty())
      row.crossings = match(row.pass.crossings, report.crossings, row.pass.frames_per_second);
  }
  for (Row &row : report.rows)
    judge(row, job, truth);
  return report;
}

// Says what is worse than it may be; true if nothing is.
bool within_limits(const ClipReport &report, const Job &job) {
  std::optional<double> original;
  for (std::size_t i = 0; i < job.originals.size(); i++) {
    const double error = report.rows[i].people().mean_absolute;
    original = std::min(original.value_or(error), error);
  }
  bool good = true;
  for (std::size_t i = job.originals.size(); i < report.rows.size(); i++) {
    const Row &row = report.rows[i];
    const auto limits = job.limits.find(row.detector);
    if (limits == job.limits.end())
      continue;
    std::string wrong;
    if (limits->second.mean_absolute)
      wrong = complaint(row.people().mean_absolute, *limits->second.mean_absolute, original);
    if (row.crossings)
      wrong += complaint(*row.crossings, limits->second.f1, limits->second.phantom_share);
    if (!wrong.empty())
      std::cerr << "accuracy: " << report.clip << ", " << row.detector << ": " << wrong << "\n";
    good = good && wrong.empty();
  }
  return good;
}

bool run(const Options &options) {
  std::vector<ClipReport> reports;
  bool good = true;
  for (const Job &job : options.jobs) {
    reports.push_back(measure(job, options));
    print_table(std::cout, reports.back());
    good = within_limits(reports.back(), job) && good;
  }
  if (!options.json.empty())
    write_json(options.json, reports);
  return good;
}

}  // namespace

int main(int argc, char **argv) {
  try {
    const Options options = parse_options(argc, argv);
    return run(options) ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const UsageError &error) {
    std::cerr << "accuracy: " << error.what() << ". See --help.\n";
    return kOptionsWrong;
  } catch (const std::exception &error) {
    std::cerr << "accuracy: " << error.what() << ".\n";
    return EXIT_FAILURE;
  }
}
