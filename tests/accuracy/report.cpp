// SPDX-License-Identifier: LGPL-2.1-or-later
// Prints what was measured.
#include "accuracy/report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace npc::accuracy {
namespace {

// Error columns are those of the record's `people`, then those of `moving`.
constexpr const char *kHead = "%-*s %6s %6s %6s %6s";
constexpr const char *kMovingHead = " %8s %6s";
constexpr const char *kCostHead = " %8s %7s %8s %6s";
constexpr const char *kLine = "%-*s %6.2f %+6.2f %5.0f%% %5.0f%%";
constexpr const char *kMovingLine = " %8.2f %+6.2f";
constexpr const char *kCostLine = " %8zu %7d %8.1f %6.1f";

// Those of a direction: counted, true, missed, phantom.
constexpr const char *kCrossHead = "%-*s %7s %5s %6s %7s  %7s %5s %6s %7s %6s";
constexpr const char *kCrossLine = "%-*s %7d %5d %6d %7d  %7d %5d %6d %7d %6.2f";

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

nlohmann::ordered_json to_json(const WayScore &score) {
  return {{"counted", score.counted},
          {"true", score.truth},
          {"missed", score.missed()},
          {"phantom", score.phantom()}};
}

nlohmann::ordered_json to_json(const Row &row) {
  nlohmann::ordered_json json = {{"detector", row.detector},
                                 {"people", to_json(row.people())},
                                 {"moving", to_json(row.moving())}};
  if (row.crossings)
    json["crossings"] = {{"plus", to_json(row.crossings->plus)},
                         {"minus", to_json(row.crossings->minus)},
                         {"f1", row.crossings->f1()},
                         {"phantom_share", row.crossings->phantom_share()}};
  if (row.sweep_f1)
    json["sweep_f1"] = *row.sweep_f1;
  if (row.identities)
    json["identities"] = {{"switches", row.identities->switches},
                          {"boxes", row.identities->truth},
                          {"followed", row.identities->followed},
                          {"phantom", row.identities->phantom},
                          {"mota", row.identities->accuracy()}};
  json["frames"] = row.pass.frames;
  json["analysed"] = row.pass.analysed;
  json["seconds"] = row.pass.seconds;
  json["frames_per_second"] = rate(row.pass);
  json["clip_frames_per_second"] = row.pass.frames_per_second;
  auto windows = nlohmann::ordered_json::array();
  for (const Window &window : row.pass.windows)
    windows.push_back({{"first", window.first},
                       {"last", window.last},
                       {"people", window.counted.people},
                       {"true_people", window.truth.people},
                       {"moving", window.counted.moving},
                       {"true_moving", window.truth.moving}});
  json["windows"] = std::move(windows);
  auto events = nlohmann::ordered_json::array();
  for (const Crossing &crossing : row.pass.crossings)
    events.push_back({crossing.seconds, crossing.way == Way::kPlus ? "+" : "-"});
  json["crossing_events"] = std::move(events);
  return json;
}

void print_people(std::ostream &out, const ClipReport &report, int width) {
  const Pass &first = report.rows.front().pass;
  const std::string moving =
      report.has_moving ? format(", %.2f moving", mean(first.windows, &Counts::moving)) : "";
  out << format("windows of %g s; truth: %.2f of them%s\n", report.window_seconds,
                mean(first.windows, &Counts::people), moving.c_str());
  if (report.has_moving)
    out << format("%-*s %27s %15s\n", width, "", "people", "moving");
  out << format(kHead, width, "detector", "MAE", "bias", "exact", "+-1");
  if (report.has_moving)
    out << format(kMovingHead, "MAE", "bias");
  out << format(kCostHead, "windows", "frames", "seconds", "fps") << '\n';
  for (const Row &row : report.rows) {
    const Error people = row.people();
    out << format(kLine, width, row.detector.c_str(), people.mean_absolute, people.bias,
                  100 * people.exact, 100 * people.within_one);
    if (report.has_moving)
      out << format(kMovingLine, row.moving().mean_absolute, row.moving().bias);
    out << format(kCostLine, row.pass.windows.size(), row.pass.analysed, row.pass.seconds,
                  rate(row.pass))
        << '\n';
  }
}

void print_crossings(std::ostream &out, const ClipReport &report, int width) {
  const bool down = report.line.starts_with('y');
  out << format("%-*s %28s  %28s\n", width, ("line " + report.line).c_str(),
                down ? "downward" : "rightward", down ? "upward" : "leftward");
  out << format(kCrossHead, width, "detector", "counted", "true", "missed", "phantom", "counted",
                "true", "missed", "phantom", "F1");
  if (report.has_people)
    out << format(" %5s %8s %6s", "IDSW", "followed", "MOTA");
  out << '\n';
  for (const Row &row : report.rows) {
    if (!row.crossings)
      continue;
    const WayScore &plus = row.crossings->plus;
    const WayScore &minus = row.crossings->minus;
    out << format(kCrossLine, width, row.detector.c_str(), plus.counted, plus.truth, plus.missed(),
                  plus.phantom(), minus.counted, minus.truth, minus.missed(), minus.phantom(),
                  row.crossings->f1());
    if (row.identities)
      out << format(" %5d %7.1f%% %6.2f", row.identities->switches,
                    100 * row.identities->followed_share(), row.identities->accuracy());
    out << '\n';
  }
}

}  // namespace

void print_table(std::ostream &out, const ClipReport &report) {
  if (report.rows.empty())
    return;
  const Pass &first = report.rows.front().pass;
  out << format("%s: %d frames at %g a second\n", report.clip.c_str(), first.frames,
                first.frames_per_second);
  int width = static_cast<int>(report.line.size()) + 5;
  for (const Row &row : report.rows)
    width = std::max(width, static_cast<int>(row.detector.size()));
  if (report.has_people)
    print_people(out, report, width);
  if (!report.line.empty())
    print_crossings(out, report, width);
  out << '\n';
  out.flush();
}

void print_summary(std::ostream &out, std::span<const ClipReport> reports) {
  struct Line {
    const ClipReport *report;
    const Row *row;
    double badness;  // of people, in people; of crossings, in shares of them
  };
  std::vector<Line> lines;
  std::size_t width = 8, clip_width = 4;
  for (const ClipReport &report : reports)
    for (const Row &row : report.rows) {
      const double people = report.has_people ? row.people().mean_absolute : 0;
      const double crossings = row.crossings ? 1 - row.crossings->f1() : 0;
      lines.push_back({&report, &row, std::max(people, crossings)});
      width = std::max(width, row.detector.size());
      clip_width = std::max(clip_width, report.clip.size());
    }
  std::ranges::stable_sort(lines, std::greater(), &Line::badness);
  const auto cell = [](bool there, const char *form, double value) {
    return there ? format(form, value) : std::string("-");
  };
  const char *form = "%-*s %-*s %6s %6s %6s %6s %6s %6s %8s\n";
  const int clips = static_cast<int>(clip_width), detectors = static_cast<int>(width);
  out << format(form, clips, "clip", detectors, "detector", "MAE", "bias", "exact", "+-1", "F1",
                "sweep", "entered");
  for (const Line &line : lines) {
    const Error error = line.row->people();
    const bool people = line.report->has_people;
    const auto &crossings = line.row->crossings;
    const bool zone = line.report->entered > 0;
    out << format(
        form, clips, line.report->clip.c_str(), detectors, line.row->detector.c_str(),
        cell(people, "%.2f", error.mean_absolute).c_str(),
        cell(people, "%+.2f", error.bias).c_str(),
        cell(people, "%.0f%%", 100 * error.exact).c_str(),
        cell(people, "%.0f%%", 100 * error.within_one).c_str(),
        cell(crossings.has_value(), "%.2f", crossings ? crossings->f1() : 0).c_str(),
        cell(line.row->sweep_f1.has_value(), "%.2f", line.row->sweep_f1.value_or(0)).c_str(),
        (zone ? format("%d of %d", line.row->pass.entered, line.report->entered) : std::string("-"))
            .c_str());
  }
  out.flush();
}

void write_json(const std::filesystem::path &file, std::span<const ClipReport> reports) {
  auto clips = nlohmann::ordered_json::array();
  for (const ClipReport &report : reports) {
    auto rows = nlohmann::ordered_json::array();
    for (const Row &row : report.rows)
      rows.push_back(to_json(row));
    auto crossings = nlohmann::ordered_json::array();
    for (const TrueCrossing &crossing : report.crossings)
      crossings.push_back({crossing.first, crossing.last, crossing.way == Way::kPlus ? "+" : "-"});
    clips.push_back({{"clip", report.clip},
                     {"window_seconds", report.window_seconds},
                     {"has_people", report.has_people},
                     {"line", report.line},
                     {"true_crossings", std::move(crossings)},
                     {"detectors", std::move(rows)}});
  }
  std::ofstream out(file);
  out << clips.dump(1) << '\n';
  out.close();
  if (!out)
    throw std::runtime_error("cannot write " + file.string());
}

}  // namespace npc::accuracy
