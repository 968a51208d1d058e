// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcdetect found in a clip, kept in a file, and counted again without it.
#include "accuracy/recording.h"

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "npccount/core/rules.h"
#include "npccount/core/window.h"
#include "npccount/ruleparser.h"

namespace npc::accuracy {
namespace {

using namespace count;

constexpr const char *kHead = "npc-detections";
constexpr int kVersion = 1;
// More detections of a frame, or more frames, are a file that is something else.
constexpr std::size_t kMost = 10'000'000;

Definitions definitions_of(const PassSettings &settings) {
  Definitions definitions;
  std::string error;
  if (!read_lines(settings.lines.c_str(), definitions.lines, error) ||
      !read_zones(settings.zones.c_str(), definitions.zones, error) ||
      !(error = error_in(definitions)).empty())
    throw std::runtime_error(error);
  return definitions;
}

int objects_of(const WindowCounts &window, const std::string &label) {
  for (const WindowCounts::Object &object : window.objects)
    if (object.name == label)
      return static_cast<int>(object.count);
  return 0;
}

// Takes in frames, and what lines, zones and windows say of them.
class Counting {
 public:
  Counting(const Recording &recording, const PassSettings &settings)
      : recording_(recording), settings_(settings), window_(Time(settings.interval)) {
    pass_.frames_per_second = recording.frames_per_second;
    pass_.frames = recording.frames;
    pass_.analysed = recording.analysed;
    tracker_.set_frame_size(frame_);
    rules_.define(definitions_of(settings));
    if (!recording.detected.empty())
      origin_ = recording.detected.front().time;
  }

  void take(const DetectedFrame &frame) {
    last_ = std::max(last_, frame.time);
    if (const auto closed = window_.advance(last_))
      close(*closed);
    tracker_.update(last_, frame.detections);
    for (const count::Crossing &crossing :
         rules_.update(last_, tracker_.tracks(), frame_).crossings)
      pass_.crossings.push_back(
          {seconds(frame.time - origin_), crossing.in ? Way::kPlus : Way::kMinus, crossing.line});
    window_.add(last_, frame.duration, count_tracks(tracker_.tracks()));
    TrackedFrame &tracked = pass_.tracked.emplace_back();
    tracked.frame = frame_of(frame.time);
    for (const Track &track : tracker_.tracks())
      if (track.present && track.label == kPersonLabel)
        tracked.tracks.push_back({track.id, track.box});
  }

  Pass finish() {
    if (const auto closed = window_.finish())
      close(*closed);
    return std::move(pass_);
  }

 private:
  int frame_of(Time time) const {
    return frame_at(static_cast<std::uint64_t>((time - origin_).count()),
                    recording_.frames_per_second);
  }

  void close(const WindowCounts &window) {
    Counts counted = {static_cast<int>(window.people), static_cast<int>(window.moving)};
    if (settings_.label != kPersonLabel)
      counted = {objects_of(window, settings_.label), 0};
    pass_.windows.push_back({frame_of(window.start),
                             std::min(frame_of(window.start + window.length), pass_.frames),
                             counted,
                             {}});
    const RuleCounts rules = rules_.close();
    if (!rules.zones.empty())
      pass_.entered += static_cast<int>(rules.zones.front().counts.entered);
  }

  const Recording &recording_;
  const PassSettings &settings_;
  FrameSize frame_{recording_.width, recording_.height};
  Tracker tracker_;
  Rules rules_;
  count::Window window_;
  Time origin_{}, last_{};
  Pass pass_;
};

// Reads what follows, or throws.
template <typename... Values>
void take(std::istream &in, Values &...values) {
  if (!(in >> ... >> values))
    throw std::runtime_error("a recording of detections is torn");
}

}  // namespace

int frame_at(std::uint64_t time, double rate) {
  return static_cast<int>(std::lround(static_cast<double>(time) / 1e9 * rate));
}

void Recording::write(std::ostream &out) const {
  out.precision(std::numeric_limits<double>::max_digits10);
  out << kHead << ' ' << kVersion << ' ' << width << ' ' << height << ' ' << frames_per_second
      << ' ' << frames << ' ' << analysed << ' ' << detected.size() << '\n';
  for (const DetectedFrame &frame : detected) {
    out << frame.time.count() << ' ' << frame.duration.count() << ' ' << frame.detections.size()
        << '\n';
    for (const Detection &one : frame.detections)
      out << one.label << ' ' << one.box.x << ' ' << one.box.y << ' ' << one.box.width << ' '
          << one.box.height << ' ' << one.confidence << ' ' << one.weak << '\n';
  }
  if (!out.flush())
    throw std::runtime_error("a recording of detections cannot be written");
}

Recording Recording::read(std::istream &in) {
  Recording recording;
  std::string head;
  int version = 0;
  std::size_t count = 0;
  take(in, head, version, recording.width, recording.height, recording.frames_per_second,
       recording.frames, recording.analysed, count);
  if (head != kHead || version != kVersion || count > kMost)
    throw std::runtime_error("this is no recording of detections");
  for (std::size_t i = 0; i < count; i++) {
    DetectedFrame &frame = recording.detected.emplace_back();
    Time::rep time = 0, duration = 0;
    std::size_t found = 0;
    take(in, time, duration, found);
    frame.time = Time(time);
    frame.duration = Time(duration);
    for (std::size_t k = 0; k < std::min(found, kMost); k++) {
      Detection &one = frame.detections.emplace_back();
      take(in, one.label, one.box.x, one.box.y, one.box.width, one.box.height, one.confidence,
           one.weak);
    }
  }
  return recording;
}

Pass replay(const Recording &recording, const PassSettings &settings) {
  Counting counting(recording, settings);
  for (const DetectedFrame &frame : recording.detected)
    counting.take(frame);
  return counting.finish();
}

}  // namespace npc::accuracy
