// SPDX-License-Identifier: LGPL-2.1-or-later
// Medians over windows, and the errors of counts against them.
#include "accuracy/score.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace npc::accuracy {

int median(std::vector<int> values) {
  if (values.empty())
    return 0;
  std::ranges::sort(values);
  const int sum = values[(values.size() - 1) / 2] + values[values.size() / 2];
  return (sum + 1) / 2;
}

Counts median_counts(std::span<const Counts> frames, int first, int last) {
  std::vector<int> people;
  std::vector<int> moving;
  const int end = std::min(last, static_cast<int>(frames.size()));
  for (int frame = std::max(first, 0); frame < end; frame++) {
    people.push_back(frames[static_cast<std::size_t>(frame)].people);
    moving.push_back(frames[static_cast<std::size_t>(frame)].moving);
  }
  return {median(std::move(people)), median(std::move(moving))};
}

std::vector<Window> cut_windows(std::span<const Counts> frames, int length) {
  std::vector<Window> windows;
  const int end = static_cast<int>(frames.size());
  for (int first = 0; first < end; first += length) {
    const int last = std::min(first + length, end);
    windows.push_back({first, last, median_counts(frames, first, last), {}});
  }
  return windows;
}

void compare(std::vector<Window> &windows, std::span<const Counts> truth) {
  for (Window &window : windows)
    window.truth = median_counts(truth, window.first, window.last);
}

Error error_of(std::span<const Window> windows, int Counts::*number) {
  Error error;
  if (windows.empty())
    return error;
  for (const Window &window : windows) {
    const int difference = window.counted.*number - window.truth.*number;
    error.mean_absolute += std::abs(difference);
    error.bias += difference;
    error.exact += difference == 0;
    error.within_one += std::abs(difference) <= 1;
  }
  const auto total = static_cast<double>(windows.size());
  return {error.mean_absolute / total, error.bias / total, error.exact / total,
          error.within_one / total};
}

std::string complaint(double error, double limit, std::optional<double> original) {
  std::ostringstream text;
  if (error > limit)
    text << "It is off by " << error << " people, more than " << limit << ". ";
  if (original && error >= *original)
    text << "It is off by " << error << " people, the original algorithm by " << *original << ". ";
  return text.str();
}

std::string complaint(const CrossingScore &score, std::optional<double> least_f1,
                      std::optional<double> phantoms) {
  std::ostringstream text;
  if (least_f1 && score.f1() < *least_f1)
    text << "The F1 of its crossings is " << score.f1() << ", less than " << *least_f1 << ". ";
  if (phantoms && score.phantom_share() >= *phantoms)
    text << "Of the crossings that it counted " << 100 * score.phantom_share()
         << " % are phantoms, not less than " << 100 * *phantoms << " %. ";
  return text.str();
}

int covered_frames(std::span<const Window> windows) {
  int covered = 0;
  for (const Window &window : windows)
    covered += window.last - window.first;
  return covered;
}

}  // namespace npc::accuracy
