// SPDX-License-Identifier: LGPL-2.1-or-later
// How the light of a picture differs from that of another of the same scene.
#pragma once

#include <opencv2/core.hpp>
#include <optional>

namespace npc {

/// What turns the brightness of one picture into that of another: gain * value + offset.
struct Light {
  float gain = 1;
  float offset = 0;
};

/// What turns `now` into `before` (CV_32FC1, of one size, 0 to 255), whatever moves in up to almost
/// half of them. Nothing if the light has changed too much to be the same scene; no change if they
/// are too dark or too bright to judge by.
std::optional<Light> compare_light(const cv::Mat &now, const cv::Mat &before);

}  // namespace npc
