// SPDX-License-Identifier: LGPL-2.1-or-later
// accuracy: counts people in clips whose truth is known, with the pipeline that users run and with
// the original algorithm, and prints how far each is from the truth. ./run finds it its data.
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "clip.h"
#include "original.h"
#include "report.h"

namespace {

using namespace npc::accuracy;

constexpr int kOptionsWrong = 2;

struct Detector {
  std::string name;
  std::string properties;
};

struct Options {
  std::vector<std::string> clips;
  std::vector<std::string> truths;
  std::vector<Detector> detectors;
  std::vector<cv::Size> originals;
  std::map<std::string, double> limits;
  std::string cascade;
  std::string json;
  double window_seconds = 2;
};

// What is wrong with the command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<std::string> take(gchar **values) {
  std::vector<std::string> taken;
  for (gchar **value = values; value != nullptr && *value != nullptr; value++)
    taken.emplace_back(*value);
  g_strfreev(values);
  return taken;
}

std::string take(gchar *value) {
  const std::string taken = value != nullptr ? value : "";
  g_free(value);
  return taken;
}

Detector parse_detector(const std::string &text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw UsageError("--detector " + text + " is not NAME=PROPERTIES");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

cv::Size parse_size(const std::string &text) {
  int width = 0;
  int height = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%dx%d%c", &width, &height, &rest) != 2 || width < 64 ||
      height < 128 || width > 8192 || height > 8192)
    throw UsageError("--original-size " + text +
                     " is not WIDTHxHEIGHT of at least 64x128, the size of HOG's window");
  return {width, height};
}

std::pair<std::string, double> parse_limit(const std::string &text) {
  const auto equals = text.rfind('=');
  const char *number = equals == std::string::npos ? "" : text.c_str() + equals + 1;
  gchar *end = nullptr;
  const double limit = g_ascii_strtod(number, &end);
  if (end == number || *end != '\0' || !(limit > 0))
    throw UsageError("--limit " + text + " is not NAME=ERROR with an error above 0");
  return {text.substr(0, equals), limit};
}

void check(const Options &options) {
  if (options.clips.empty() || options.clips.size() != options.truths.size())
    throw UsageError("name one --truth for each --clip");
  if (!(options.window_seconds > 0 && options.window_seconds <= 3600))
    throw UsageError("--window is from above 0 to 3600 seconds");
  for (const auto &[name, limit] : options.limits) {
    if (std::ranges::find(options.detectors, name, &Detector::name) == options.detectors.end())
      throw UsageError("--limit " + name + ": there is no --detector of that name");
  }
}

Options parse_options(int argc, char **argv) {
  gchar **clips = nullptr;
  gchar **truths = nullptr;
  gchar **detectors = nullptr;
  gchar **originals = nullptr;
  gchar **limits = nullptr;
  gchar *cascade = nullptr;
  gchar *json = nullptr;
  Options options;
  const GOptionEntry entries[] = {
      {"clip", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &clips, "a video; may be repeated", "FILE"},
      {"truth", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &truths,
       "who is where in it: lines frame,id,x,y,width,height", "FILE"},
      {"detector", 0, 0, G_OPTION_ARG_STRING_ARRAY, &detectors,
       "a row of the table: npcdetect with these properties; may be repeated", "NAME=PROPERTIES"},
      {"original-size", 0, 0, G_OPTION_ARG_STRING_ARRAY, &originals,
       "a row of the original algorithm at this size; may be repeated", "WIDTHxHEIGHT"},
      {"limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &limits,
       "exit with 1 if the mean absolute error of this detector is above it", "NAME=ERROR"},
      {"cascade", 0, 0, G_OPTION_ARG_FILENAME, &cascade,
       "haarcascade_frontalface_alt.xml, for the original", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "write the figures there too", "FILE"},
      {"window", 0, 0, G_OPTION_ARG_DOUBLE, &options.window_seconds,
       "length of a window (default: 2)", "SECONDS"},
      {}};
  g_autoptr(GOptionContext) context = g_option_context_new(nullptr);
  g_option_context_set_summary(context, "Measures how far counts are from the truth.");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_option_context_add_group(context, gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  const bool parsed = g_option_context_parse(context, &argc, &argv, &error);
  options.clips = take(clips);
  options.truths = take(truths);
  options.cascade = take(cascade);
  options.json = take(json);
  const auto detector_texts = take(detectors);
  const auto original_texts = take(originals);
  const auto limit_texts = take(limits);
  if (!parsed)
    throw UsageError(error->message);
  if (argc > 1)
    throw UsageError(std::string("'") + argv[1] + "' is not an option");
  for (const std::string &text : detector_texts)
    options.detectors.push_back(parse_detector(text));
  for (const std::string &text : original_texts)
    options.originals.push_back(parse_size(text));
  for (const std::string &text : limit_texts)
    options.limits.insert(parse_limit(text));
  check(options);
  return options;
}

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

ClipReport measure(const std::string &clip, const Truth &truth, const Options &options) {
  ClipReport report;
  report.clip = std::filesystem::path(clip).filename().string();
  report.window_seconds = options.window_seconds;
  for (const cv::Size &size : options.originals)
    report.rows.push_back(measure_original(clip, size, options));
  for (const Detector &detector : options.detectors)
    report.rows.push_back(
        {detector.name, run_pipeline(clip, detector.properties,
                                     static_cast<std::uint64_t>(options.window_seconds * 1e9))});
  for (Row &row : report.rows) {
    compare(row.pass.windows, truth.counts(row.pass.frames, row.pass.frames_per_second));
    if (covered_frames(row.pass.windows) != row.pass.frames)
      throw std::runtime_error(row.detector + ": the records cover " +
                               std::to_string(covered_frames(row.pass.windows)) + " of " +
                               std::to_string(row.pass.frames) + " frames");
  }
  return report;
}

// Says what is worse than it may be; true if nothing is.
bool within_limits(const ClipReport &report, const Options &options) {
  std::optional<double> original;
  for (std::size_t i = 0; i < options.originals.size(); i++) {
    const double error = report.rows[i].people().mean_absolute;
    original = std::min(original.value_or(error), error);
  }
  bool good = true;
  for (std::size_t i = options.originals.size(); i < report.rows.size(); i++) {
    const Row &row = report.rows[i];
    const auto limit = options.limits.find(row.detector);
    if (limit == options.limits.end())
      continue;
    const double error = row.people().mean_absolute;
    if (error > limit->second) {
      std::cerr << "accuracy: " << row.detector << " is off by " << error << " people, more than "
                << limit->second << ".\n";
      good = false;
    }
    if (original && error >= *original) {
      std::cerr << "accuracy: " << row.detector << " is off by " << error
                << " people, the original algorithm by " << *original << ".\n";
      good = false;
    }
  }
  return good;
}

bool run(const Options &options) {
  std::vector<ClipReport> reports;
  bool good = true;
  for (std::size_t i = 0; i < options.clips.size(); i++) {
    reports.push_back(measure(options.clips[i], Truth::read(options.truths[i]), options));
    print_table(std::cout, reports.back());
    good = within_limits(reports.back(), options) && good;
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
