// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads what people marked in clips.
#include "accuracy/clips.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace npc::accuracy {
namespace {

using nlohmann::ordered_json;

MarkedLine line_of(const ordered_json &json) {
  MarkedLine line;
  line.is_vertical = json.at("axis") == "x";
  line.pixels = json.at("pos");
  for (const auto &crossing : json.at("cross"))
    line.crossings.push_back(
        {crossing.at(0), crossing.at(1), crossing.at(2).get<int>() > 0 ? Way::kPlus : Way::kMinus});
  return line;
}

MarkedClip clip_of(const std::string &name, const ordered_json &json) {
  MarkedClip clip;
  clip.name = name;
  clip.file = json.at("file");
  clip.label = json.value("class", clip.label);
  clip.zones = json.value("zones", "");
  for (const auto &interval : json.value("present", ordered_json::array()))
    clip.present.emplace_back(interval.at(0), interval.at(1));
  const ordered_json framecounts = json.value("framecounts", ordered_json::object());
  for (const auto &[frame, count] : framecounts.items())
    clip.framecounts[std::stoi(frame)] = count;
  const ordered_json lines = json.value("lines", ordered_json::object());
  if (lines.size() > 1)
    throw std::runtime_error("the clip " + name + " has more than one line");
  if (!lines.empty())
    clip.line = line_of(lines.front());
  return clip;
}

}  // namespace

LineAcross MarkedLine::in(int width, int height, const std::string &label) const {
  std::ostringstream text;
  text << (is_vertical ? "x=" : "y=") << pixels / (is_vertical ? width : height);
  return parse_line(label == "person" ? text.str() : text.str() + ",class=" + label);
}

std::vector<Counts> MarkedClip::counts(int frames) const {
  std::vector<Counts> counts(static_cast<std::size_t>(std::max(frames, 0)));
  for (int frame = 0; frame < frames; frame++) {
    Counts &each = counts[static_cast<std::size_t>(frame)];
    for (const auto &[first, last] : present)
      each.people += frame >= first && frame <= last;
    const auto next = framecounts.upper_bound(frame);
    if (next != framecounts.begin())
      each.people += std::prev(next)->second;
  }
  return counts;
}

std::vector<MarkedClip> parse_clips(std::string_view json) {
  try {
    std::vector<MarkedClip> clips;
    const ordered_json all = ordered_json::parse(json);
    for (const auto &[name, clip] : all.items())
      clips.push_back(clip_of(name, clip));
    return clips;
  } catch (const std::logic_error &error) {
    throw std::runtime_error("the clips are not as they should be: " + std::string(error.what()));
  } catch (const nlohmann::json::exception &error) {
    throw std::runtime_error("the clips are not as they should be: " + std::string(error.what()));
  }
}

std::vector<MarkedClip> read_clips(const std::filesystem::path &file) {
  std::ifstream in(file);
  if (!in)
    throw std::runtime_error("cannot read the clips " + file.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::vector<MarkedClip> clips = parse_clips(text);
  for (MarkedClip &clip : clips)
    clip.file = (file.parent_path().parent_path() / clip.file).string();
  return clips;
}

}  // namespace npc::accuracy
