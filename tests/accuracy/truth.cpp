// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads hand-made annotations and derives what a perfect counter would say.
#include "accuracy/truth.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

namespace npc::accuracy {
namespace {

struct Row {
  int id = 0;
  TruthBox box;
};

Row parse(const std::string &line, int number) {
  std::istringstream fields(line);
  Row row;
  TruthBox &box = row.box;
  char comma = ',';
  fields >> box.frame >> comma >> row.id >> comma >> box.x >> comma >> box.y >> comma >>
      box.width >> comma >> box.height;
  if (!fields || box.frame < 1 || !(box.width > 0) || !(box.height > 0))
    throw std::runtime_error("line " + std::to_string(number) +
                             " of the truth is not \"frame,id,x,y,width,height,…\": " + line);
  box.frame--;
  return row;
}

// Speed around boxes[index] in box heights per second; 0 for a person seen in one frame only.
double speed(const std::vector<TruthBox> &boxes, std::size_t index, double frames_per_second) {
  const TruthBox &box = boxes[index];
  const int half = std::max(1, static_cast<int>(std::lround(frames_per_second / 2)));
  std::size_t first = index;
  while (first > 0 && boxes[first - 1].frame >= box.frame - half)
    first--;
  std::size_t last = index;
  while (last + 1 < boxes.size() && boxes[last + 1].frame <= box.frame + half)
    last++;
  if (first == last)
    return 0;
  const TruthBox &from = boxes[first];
  const TruthBox &to = boxes[last];
  const double path = std::hypot((to.x + to.width / 2) - (from.x + from.width / 2),
                                 (to.y + to.height) - (from.y + from.height));
  return path / box.height / ((to.frame - from.frame) / frames_per_second);
}

}  // namespace

Truth::Truth(std::istream &lines) {
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    number++;
    if (line.empty())
      continue;
    const Row row = parse(line, number);
    tracks_[row.id].push_back(row.box);
  }
  for (auto &[id, boxes] : tracks_) {
    std::ranges::sort(boxes, {}, &TruthBox::frame);
    const auto twice = std::ranges::adjacent_find(boxes, {}, &TruthBox::frame);
    if (twice != boxes.end())
      throw std::runtime_error("the truth has person " + std::to_string(id) + " twice in frame " +
                               std::to_string(twice->frame + 1));
  }
}

Truth Truth::read(const std::filesystem::path &file) {
  std::ifstream lines(file);
  if (!lines)
    throw std::runtime_error("cannot read the truth " + file.string());
  Truth truth(lines);
  if (truth.tracks_.empty())
    throw std::runtime_error("there is nobody in the truth " + file.string());
  return truth;
}

std::vector<Counts> Truth::counts(int frames, double frames_per_second) const {
  std::vector<Counts> counts(static_cast<std::size_t>(std::max(frames, 0)));
  for (const auto &[id, boxes] : tracks_) {
    for (std::size_t i = 0; i < boxes.size() && boxes[i].frame < frames; i++) {
      Counts &frame = counts[static_cast<std::size_t>(boxes[i].frame)];
      frame.people++;
      if (speed(boxes, i, frames_per_second) > kMovingSpeed)
        frame.moving++;
    }
  }
  return counts;
}

std::vector<std::vector<Seen>> Truth::frames(int frames) const {
  std::vector<std::vector<Seen>> people(static_cast<std::size_t>(std::max(frames, 0)));
  for (const auto &[id, boxes] : tracks_) {
    for (const TruthBox &box : boxes) {
      if (box.frame < frames)
        people[static_cast<std::size_t>(box.frame)].push_back(
            {static_cast<std::uint64_t>(id), {box.x, box.y, box.width, box.height}});
    }
  }
  return people;
}

std::vector<TrueCrossing> Truth::crossings(double pixels, double hysteresis) const {
  std::vector<TrueCrossing> crossings;
  for (const auto &[id, boxes] : tracks_) {
    std::optional<Way> before;
    for (const TruthBox &box : boxes) {
      const double beyond = box.x + box.width / 2 - pixels;
      if (std::abs(beyond) <= hysteresis)
        continue;
      const Way side = beyond > 0 ? Way::kPlus : Way::kMinus;
      if (before && *before != side)
        crossings.push_back({box.frame, box.frame, side});
      before = side;
    }
  }
  return crossings;
}

}  // namespace npc::accuracy
