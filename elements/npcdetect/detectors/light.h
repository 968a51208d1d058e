// SPDX-License-Identifier: LGPL-2.1-or-later
// How the light of a picture differs from that of another of the same scene.
#pragma once

#include <opencv2/core.hpp>
#include <optional>

namespace npc::detect {

/// What turns the brightness of one picture into that of another: gain * value + offset.
struct Light {
  float gain = 1;
  float offset = 0;
};

/// What turns `now` into `before` (CV_32FC1, of one size, 0 to 255), whatever moves in up to almost
/// half of them. Only values where `still` (CV_8UC1, the same size) is not 0 are looked at, if they
/// are enough. Nothing if that is unknown: too much is too dark or too bright, or it is not the
/// same scene.
std::optional<Light> compare_light(const cv::Mat &now, const cv::Mat &before, const cv::Mat &still);

}  // namespace npc::detect
