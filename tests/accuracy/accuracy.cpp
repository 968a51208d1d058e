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

// A line of the measurement and the truth about it.
struct Measured {
  LineAcross line;
  std::vector<TrueCrossing> crossings;
};

// All that is marked about a clip.
struct Marks {
  Truth truth;
  std::optional<Measured> line;
  std::vector<Measured> sweep;  // vertical lines all over the frame
};

// From x = 0.2 to 0.8: a line where it is easy to cross rightly proves little.
std::vector<Measured> sweep_of(const Truth &truth, int width) {
  std::vector<Measured> sweep;
  for (int i = 4; i <= 16; i++) {
    const std::string at = std::to_string(i / 20.0);
    sweep.push_back({parse_line("x=" + at), truth.crossings(i / 20.0 * width)});
  }
  return sweep;
}

Marks marks_of(const Job &job) {
  Marks marks;
  if (!job.truth.empty()) {
    marks.truth = Truth::read(job.truth);
    marks.sweep = sweep_of(marks.truth, size_of(job.clip).width);
  }
  if (!job.crossings.empty())
    marks.line = {job.line, read_crossings(job.crossings, job.crossings_name)};
  if (job.marked && job.marked->line) {
    const cv::Size size = size_of(job.clip);
    marks.line = {job.marked->line->in(size.width, size.height, job.marked->label),
                  job.marked->line->crossings};
  }
  return marks;
}

// Each with a name, by which its crossings are known.
std::string definitions_of(const Marks &marks) {
  std::string lines = marks.line ? "line," + marks.line->line.definition : "";
  for (std::size_t i = 0; i < marks.sweep.size(); i++)
    lines += (lines.empty() ? "sweep" : "; sweep") + std::to_string(i) + "," +
             marks.sweep[i].line.definition;
  return lines;
}

CrossingScore score_of(const Pass &pass, const std::string &name, const Measured &measured) {
  std::vector<Crossing> counted = pass.crossings;
  std::erase_if(counted, [&](const Crossing &crossing) { return crossing.line != name; });
  return match(std::move(counted), measured.crossings, pass.frames_per_second);
}

// Fills in what the truth says of a row.
void judge(Row &row, const Job &job, const Marks &marks) {
  Pass &pass = row.pass;
  if (job.marked) {
    compare(pass.windows, job.marked->counts(pass.frames));
  } else if (!job.truth.empty()) {
    compare(pass.windows, marks.truth.counts(pass.frames, pass.frames_per_second));
    if (covered_frames(pass.windows) != pass.frames)
      throw std::runtime_error(row.detector + ": the records cover " +
                               std::to_string(covered_frames(pass.windows)) + " of " +
                               std::to_string(pass.frames) + " frames");
  }
  if (pass.tracked.empty())
    return;
  if (marks.line)
    row.crossings = score_of(pass, "line", *marks.line);
  for (std::size_t i = 0; i < marks.sweep.size(); i++)
    row.sweep_f1 = row.sweep_f1.value_or(0) +
                   score_of(pass, "sweep" + std::to_string(i), marks.sweep[i]).f1() /
                       static_cast<double>(marks.sweep.size());
  std::erase_if(pass.crossings, [](const Crossing &crossing) { return crossing.line != "line"; });
  if (!job.truth.empty()) {
    const auto people = marks.truth.frames(pass.frames);
    IdentityScore score;
    for (const auto &[frame, tracks] : pass.tracked)
      score.add(people.at(static_cast<std::size_t>(frame)), tracks);
    row.identities = score.result();
  }
}

ClipReport measure(const Job &job, const Options &options) {
  ClipReport report;
  report.clip = std::filesystem::path(job.clip).filename().string() + (job.dark ? ", dark" : "");
  report.window_seconds = options.window_seconds;
  report.has_people = job.has_counts();
  report.has_moving = !job.truth.empty();
  const Marks marks = marks_of(job);
  if (marks.line) {
    report.line = marks.line->line.name;
    report.crossings = marks.line->crossings;
  }
  if (job.marked && !job.marked->zones.empty())
    report.entered = static_cast<int>(job.marked->present.size());
  for (const cv::Size &size : job.originals)
    report.rows.push_back(measure_original(job.clip, size, options));
  for (const Detector &detector : job.detectors) {
    Row &row = report.rows.emplace_back();
    row.detector = detector.name;
    const PassSettings settings = {detector.properties,
                                   definitions_of(marks),
                                   job.marked ? job.marked->zones : "",
                                   job.marked ? job.marked->label : "person",
                                   static_cast<std::uint64_t>(options.window_seconds * 1e9),
                                   job.dark};
    row.pass = options.recordings.empty() ? run_pipeline(job.clip, settings)
                                          : run_recorded(job.clip, settings, options.recordings);
  }
  for (Row &row : report.rows)
    judge(row, job, marks);
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
    if (limits->second.sweep_f1 && row.sweep_f1.value_or(0) < *limits->second.sweep_f1)
      wrong += "The mean F1 of lines all over the frame is " + std::to_string(*row.sweep_f1) +
               ", less than " + std::to_string(*limits->second.sweep_f1) + ". ";
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
  if (reports.size() > 1)
    print_summary(std::cout, reports);
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
