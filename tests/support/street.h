// SPDX-License-Identifier: LGPL-2.1-or-later
// A street for the tracker: who is seen, when, and how badly.
#pragma once

#include <functional>
#include <random>
#include <set>

#include "npccount/core/tracker.h"
#include "npccount/core/window.h"

namespace npc::count {

using namespace std::chrono_literals;
using Detections = std::vector<Detection>;

inline constexpr FrameSize kFrame{640, 480};
inline constexpr double kHeight = 100;

inline Detection person(double centre_x, double bottom, double height = kHeight,
                        bool weak = false) {
  return {"person",
          {centre_x - 0.2 * height, bottom - height, 0.4 * height, height},
          weak ? 0.3 : 0.8,
          weak};
}

inline Detection weak_person(double centre_x, double bottom) {
  return person(centre_x, bottom, kHeight, true);
}

// What a detector that moves every edge a little makes of it.
inline Detection shaken(Detection detection, std::mt19937 &random, double share) {
  std::normal_distribution<double> noise(0, share * detection.box.height);
  detection.box.x += noise(random);
  detection.box.y += noise(random);
  return detection;
}

// As npcdetect does it: boxes are cut at the frame's edge, and what is outside is not seen at all.
inline Detections clipped(const Detections &detections) {
  Detections result;
  for (Detection detection : detections) {
    Box &box = detection.box;
    const double right = std::min(box.right(), kFrame.width);
    const double bottom = std::min(box.bottom(), kFrame.height);
    box.x = std::max(box.x, 0.0);
    box.y = std::max(box.y, 0.0);
    box.width = right - box.x;
    box.height = bottom - box.y;
    if (box.width >= 1 && box.height >= 1)
      result.push_back(detection);
  }
  return result;
}

struct Street {
  Tracker tracker;
  std::set<std::uint64_t> ids;

  Street() { tracker.set_frame_size(kFrame); }

  const std::vector<Track> &show(Time time, const Detections &detections) {
    tracker.update(time, clipped(detections));
    for (const Track &track : tracker.tracks())
      if (track.present)
        ids.insert(track.id);
    return tracker.tracks();
  }
  FrameCounts counts() const { return count_tracks(tracker.tracks()); }

  // Frames every `step` up to but not including `end`; `scene` says what is seen at so many
  // seconds.
  void play(Time step, Time end, const std::function<Detections(double)> &scene,
            const std::function<void(double)> &check = {}) {
    for (Time time{}; time < end; time += step) {
      show(time, scene(seconds(time)));
      if (check)
        check(seconds(time));
    }
  }
};

inline constexpr Time kRates[] = {33333333ns, 100ms, 200ms, 500ms, 1s, 2s};

}  // namespace npc::count
