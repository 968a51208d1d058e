// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads true crossings and pairs them with counted ones.
#include "accuracy/crossings.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace npc::accuracy {
namespace {

// Times that agree but for their rounding are the same.
constexpr double kRounding = 1e-6;

WayScore match_way(const std::vector<Crossing> &counted, std::vector<TrueCrossing> truth, Way way,
                   double rate) {
  std::erase_if(truth, [way](const TrueCrossing &crossing) { return crossing.way != way; });
  WayScore score;
  score.truth = static_cast<int>(truth.size());
  for (const Crossing &crossing : counted) {
    if (crossing.way != way)
      continue;
    score.counted++;
    const auto found = std::ranges::find_if(truth, [&](const TrueCrossing &candidate) {
      return crossing.seconds >= candidate.first / rate - kMatchSeconds - kRounding &&
             crossing.seconds <= candidate.last / rate + kMatchSeconds + kRounding;
    });
    if (found == truth.end())
      continue;
    score.matched++;
    truth.erase(found);
  }
  return score;
}

bool ends_with_one_of(const std::string &text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words,
                             [&text](std::string_view word) { return text.ends_with(word); });
}

Way way_of(const std::string &text) {
  if (ends_with_one_of(text, {"+", " down", " right"}))
    return Way::kPlus;
  if (ends_with_one_of(text, {"-", " up", " left"}))
    return Way::kMinus;
  throw std::runtime_error("\"" + text + "\" does not end with a direction");
}

std::vector<TrueCrossing> crossings_of(const nlohmann::json &line) {
  std::vector<TrueCrossing> crossings;
  if (const auto events = line.find("events_frame_id_dir"); events != line.end()) {
    for (const auto &event : *events) {
      const int frame = event.at(0).get<int>() - 1;
      crossings.push_back({frame, frame, way_of(event.at(2).get<std::string>())});
    }
  } else {
    for (const auto &object : line.at("objects"))
      crossings.push_back({object.at(1).get<int>(), object.at(2).get<int>(),
                           way_of(object.at(0).get<std::string>())});
  }
  return crossings;
}

}  // namespace

double CrossingScore::f1() const {
  const WayScore all = both();
  const int sum = all.truth + all.counted;
  return sum == 0 ? 1 : 2.0 * all.matched / sum;
}

double CrossingScore::phantom_share() const {
  const WayScore all = both();
  return all.counted == 0 ? 0 : static_cast<double>(all.phantom()) / all.counted;
}

CrossingScore match(std::vector<Crossing> counted, std::vector<TrueCrossing> truth,
                    double frames_per_second) {
  std::ranges::stable_sort(counted, {}, &Crossing::seconds);
  std::ranges::stable_sort(truth, {}, &TrueCrossing::last);
  return {match_way(counted, truth, Way::kPlus, frames_per_second),
          match_way(counted, truth, Way::kMinus, frames_per_second)};
}

LineAcross parse_line(const std::string &text) {
  const auto comma = std::min(text.find(','), text.size());
  double at = 0;
  const char *end = text.data() + comma;
  const bool named = text.starts_with("x=") || text.starts_with("y=");
  const auto [rest, error] =
      std::from_chars(text.data() + std::min<std::size_t>(2, comma), end, at);
  if (!named || error != std::errc() || rest != end || !(at > 0 && at < 1))
    throw std::invalid_argument("'" + text +
                                "' is no line: write x=0.5 or y=0.5, a fraction of the frame");
  const std::string place = text.substr(2, comma - 2);
  // Who goes from the first end to the second has side A, where `in` begins, on the right hand.
  const std::string ends = text[0] == 'x' ? "x1=" + place + ",y1=0.0,x2=" + place + ",y2=1.0"
                                          : "x1=1.0,y1=" + place + ",x2=0.0,y2=" + place;
  return {text.substr(0, comma), ends + text.substr(comma)};
}

std::vector<TrueCrossing> parse_crossings(std::string_view json, const std::string &name) {
  try {
    const auto clips = nlohmann::json::parse(json);
    for (const auto &[key, line] : clips.items()) {
      if (key == name || key.starts_with(name + " "))
        return crossings_of(line);
    }
  } catch (const nlohmann::json::exception &error) {
    throw std::runtime_error("the crossings are not as they should be: " +
                             std::string(error.what()));
  }
  throw std::runtime_error("the crossings know no clip \"" + name + "\"");
}

std::vector<TrueCrossing> read_crossings(const std::filesystem::path &file,
                                         const std::string &name) {
  std::ifstream in(file);
  if (!in)
    throw std::runtime_error("cannot read the crossings " + file.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return parse_crossings(text, name);
}

}  // namespace npc::accuracy
