// SPDX-License-Identifier: LGPL-2.1-or-later
// How the light of a picture differs from that of another of the same scene.
#include "npcdetect/detectors/light.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace npc::detect {
namespace {

// Between these a camera's answer to light is about linear.
constexpr float kDark = 8, kBright = 240;
// Beyond this gain, either way, exposure has not changed, the scene has.
constexpr float kGainMost = 4;
// Share of the values that must be usable.
constexpr std::size_t kUsableShare = 8;
// Residuals beyond so many standard deviations are things that move (Tukey's biweight).
constexpr float kTukey = 4;
// The least standard deviation of a residual: quantisation, noise.
constexpr float kNoise = 1;
// An offset is believed less than a gain: one in so many values is taken to say that black stays
// black. It decides where all values are alike.
constexpr double kOffsetRare = 4000;
constexpr int kRounds = 4;

struct Pair {
  float now, before;
};

float median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::vector<Pair> usable_pairs(const cv::Mat &now, const cv::Mat &before, const cv::Mat &still) {
  const auto is_usable = [](float value) { return value > kDark && value < kBright; };
  std::vector<Pair> pairs;
  for (int row = 0; row < now.rows; ++row) {
    for (int column = 0; column < now.cols; ++column) {
      const Pair pair = {now.at<float>(row, column), before.at<float>(row, column)};
      if (still.at<uchar>(row, column) != 0 && is_usable(pair.now) && is_usable(pair.before))
        pairs.push_back(pair);
    }
  }
  return pairs;
}

/// One step of weighted least squares from `light`.
Light refine(const std::vector<Pair> &pairs, const Light &light) {
  std::vector<float> residuals;
  for (const Pair &pair : pairs)
    residuals.push_back(std::abs(light.gain * pair.now + light.offset - pair.before));
  const float reach = kTukey * std::max(kNoise, 1.4826f * median(residuals));
  double weights = static_cast<double>(pairs.size()) / kOffsetRare, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double share = residuals[i] / reach;
    if (share >= 1)
      continue;
    const double weight = (1 - share * share) * (1 - share * share);
    weights += weight;
    x += weight * pairs[i].now;
    y += weight * pairs[i].before;
    xx += weight * pairs[i].now * pairs[i].now;
    xy += weight * pairs[i].now * pairs[i].before;
  }
  const double determinant = weights * xx - x * x;
  if (!(determinant > 1e-9 * weights * xx))
    return light;
  return {static_cast<float>((weights * xy - x * y) / determinant),
          static_cast<float>((xx * y - x * xy) / determinant)};
}

}  // namespace

std::optional<Light> compare_light(const cv::Mat &now, const cv::Mat &before,
                                   const cv::Mat &still) {
  const std::size_t enough = now.total() / kUsableShare;
  std::vector<Pair> pairs = usable_pairs(now, before, still);
  if (pairs.size() < enough)
    pairs = usable_pairs(now, before, cv::Mat::ones(now.size(), CV_8UC1));
  if (pairs.empty() || pairs.size() < enough)
    return std::nullopt;
  std::vector<float> ratios;
  for (const Pair &pair : pairs)
    ratios.push_back(pair.before / pair.now);
  Light light = {median(ratios), 0};
  for (int round = 0; round < kRounds; ++round)
    light = refine(pairs, light);
  if (!(light.gain < kGainMost && light.gain > 1 / kGainMost))
    return std::nullopt;
  return light;
}

}  // namespace npc::detect
