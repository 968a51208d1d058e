// SPDX-License-Identifier: LGPL-2.1-or-later
// Prints what was measured.
#include "report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace npc::accuracy {
namespace {

// Error columns are those of the record's `people`, then those of `moving`.
constexpr const char *kHead = "%-*s %6s %6s %6s %6s %8s %6s %8s %7s %8s %6s";
constexpr const char *kLine = "%-*s %6.2f %+6.2f %5.0f%% %5.0f%% %8.2f %+6.2f %8zu %7d %8.1f %6.1f";

template <typename... Values>
std::string format(const char *form, Values... values) {
  const int length = std::snprintf(nullptr, 0, form, values...);
  std::string text(static_cast<std::size_t>(std::max(length, 0)), '\0');
  std::snprintf(text.data(), text.size() + 1, form, values...);
  return text;
}

double mean(std::span<const Window> windows, int Counts::*number) {
  double sum = 0;
  for (const Window &window : windows)
    sum += window.truth.*number;
  return windows.empty() ? 0 : sum / static_cast<double>(windows.size());
}

double rate(const Pass &pass) {
  return pass.seconds > 0 ? pass.frames / pass.seconds : 0;
}

nlohmann::ordered_json to_json(const Error &error) {
  return {{"mae", error.mean_absolute},
          {"bias", error.bias},
          {"exact", error.exact},
          {"within_one", error.within_one}};
}

nlohmann::ordered_json to_json(const Row &row) {
  auto windows = nlohmann::ordered_json::array();
  for (const Window &window : row.pass.windows)
    windows.push_back({{"first", window.first},
                       {"last", window.last},
                       {"people", window.counted.people},
                       {"true_people", window.truth.people},
                       {"moving", window.counted.moving},
                       {"true_moving", window.truth.moving}});
  return {{"detector", row.detector},
          {"people", to_json(row.people())},
          {"moving", to_json(row.moving())},
          {"frames", row.pass.frames},
          {"analysed", row.pass.analysed},
          {"seconds", row.pass.seconds},
          {"frames_per_second", rate(row.pass)},
          {"windows", std::move(windows)}};
}

}  // namespace

void print_table(std::ostream &out, const ClipReport &report) {
  if (report.rows.empty())
    return;
  const Pass &first = report.rows.front().pass;
  out << format("%s: %d frames at %g a second, windows of %g s; truth: %.2f people, %.2f moving\n",
                report.clip.c_str(), first.frames, first.frames_per_second, report.window_seconds,
                mean(first.windows, &Counts::people), mean(first.windows, &Counts::moving));
  int width = 8;
  for (const Row &row : report.rows)
    width = std::max(width, static_cast<int>(row.detector.size()));
  out << format("%-*s %27s %15s\n", width, "", "people", "moving");
  out << format(kHead, width, "detector", "MAE", "bias", "exact", "+-1", "MAE", "bias", "windows",
                "frames", "seconds", "fps")
      << '\n';
  for (const Row &row : report.rows) {
    const Error people = row.people();
    const Error moving = row.moving();
    out << format(kLine, width, row.detector.c_str(), people.mean_absolute, people.bias,
                  100 * people.exact, 100 * people.within_one, moving.mean_absolute, moving.bias,
                  row.pass.windows.size(), row.pass.analysed, row.pass.seconds, rate(row.pass))
        << '\n';
  }
  out.flush();
}

void write_json(const std::filesystem::path &file, std::span<const ClipReport> reports) {
  auto clips = nlohmann::ordered_json::array();
  for (const ClipReport &report : reports) {
    auto rows = nlohmann::ordered_json::array();
    for (const Row &row : report.rows)
      rows.push_back(to_json(row));
    clips.push_back({{"clip", report.clip},
                     {"window_seconds", report.window_seconds},
                     {"detectors", std::move(rows)}});
  }
  std::ofstream out(file);
  out << clips.dump(1) << '\n';
  out.close();
  if (!out)
    throw std::runtime_error("cannot write " + file.string());
}

}  // namespace npc::accuracy
