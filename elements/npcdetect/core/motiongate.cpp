// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a scene changed since it was last looked at closely.
#include "npcdetect/core/motiongate.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>
#include <utility>

namespace npc::detect {
namespace {

// Levels of 256 that a cell must differ by, at least and at most. Below, detectors see nothing
// either; the upper one keeps a restless cell from being blind.
constexpr double kThresholdLeast = 8, kThresholdMost = 32;
// The threshold in units of the noise: about four and a half standard deviations of the difference
// of two frames.
constexpr double kThresholdNoise = 6;
constexpr double kNoiseLeast = 0.5, kNoiseMost = kThresholdMost / kThresholdNoise;
constexpr double kNoiseFirst = 2;
// How fast the estimate of the noise follows, levels a second: slowly, as it is a median, and who
// passes must not count for long.
constexpr double kNoiseRate = 0.5;
// It is learnt from one frame in so many seconds, to save time; and after a longer pause, as if
// from one in so many.
constexpr double kLearnEvery = 0.25, kLearnMost = 1;
// A changed cell counts if at least three of the nine around it changed, itself included.
constexpr double kTogether = 255.0 * 3 / 9 - 1;
// Light is followed by the median of every so many cells.
constexpr int kSample = 5;

}  // namespace

void MotionGate::analyse(const cv::Mat &cells, double seconds) {
  if (reference_.size() != cells.size()) {
    wipe();
    cells.copyTo(now_);
    cells.copyTo(before_);
    cells.copyTo(reference_);
    noise_.create(cells.size(), CV_32FC1);
    noise_.setTo(kNoiseFirst);
    threshold_.create(cells.size(), CV_8UC1);
    threshold_.setTo(kNoiseFirst * kThresholdNoise);
    changed_.create(cells.size(), CV_8UC1);
    changed_.setTo(255);
    changed_.copyTo(moving_);
    return;
  }
  std::swap(now_, before_);
  cells.copyTo(now_);
  follow_light();
  cv::absdiff(now_, reference_, scratch_);
  cv::compare(scratch_, threshold_, scratch_, cv::CMP_GT);
  cv::blur(scratch_, changed_, cv::Size(3, 3), cv::Point(-1, -1), cv::BORDER_REPLICATE);
  cv::compare(changed_, kTogether, changed_, cv::CMP_GE);
  cv::bitwise_and(changed_, scratch_, changed_);
  cv::absdiff(now_, before_, difference_);
  cv::compare(difference_, threshold_, moving_, cv::CMP_GT);
  learn_noise(seconds);
}

/// Moves the reference one level towards the present where most of the picture is on one side of
/// it.
void MotionGate::follow_light() {
  std::array<int, 511> histogram{};
  int count = 0;
  for (int y = 0; y < now_.rows; ++y) {
    const uint8_t *now = now_.ptr(y), *reference = reference_.ptr(y);
    for (int x = y % kSample; x < now_.cols; x += kSample, ++count)
      ++histogram[static_cast<std::size_t>(255 + now[x] - reference[x])];
  }
  std::size_t middle = 0;
  for (int below = histogram[0]; below * 2 <= count && middle < 510; below += histogram[middle])
    ++middle;
  const int median = static_cast<int>(middle) - 255;
  if (median > 0)
    cv::add(reference_, cv::Scalar(1), reference_);
  else if (median < 0)
    cv::subtract(reference_, cv::Scalar(1), reference_);
}

/// Moves each cell's estimate towards what it differs by from one frame to the next: so it comes to
/// rest at the median, which is about one standard deviation, and passers-by weigh little.
void MotionGate::learn_noise(double seconds) {
  unlearnt_ += std::max(seconds, 0.0);
  if (unlearnt_ < kLearnEvery)
    return;
  const double step = kNoiseRate * std::min(std::exchange(unlearnt_, 0.0), kLearnMost);
  difference_.convertTo(below_, CV_32F);
  cv::compare(below_, noise_, scratch_, cv::CMP_GT);
  // +step where it is above, -step elsewhere.
  scratch_.convertTo(below_, CV_32F, 2 * step / 255, -step);
  cv::add(noise_, below_, noise_);
  cv::min(noise_, kNoiseMost, noise_);
  cv::max(noise_, kNoiseLeast, noise_);
  noise_.convertTo(threshold_, CV_8U, kThresholdNoise);
  cv::max(threshold_, kThresholdLeast, threshold_);
}

double MotionGate::share_changed(const cv::Rect &area) const {
  const cv::Rect inside = area & cv::Rect({}, changed_.size());
  return inside.empty() ? 0.0
                        : static_cast<double>(cv::countNonZero(changed_(inside))) / inside.area();
}

void MotionGate::mark_seen(const cv::Rect &area) {
  const cv::Rect inside = area & cv::Rect({}, now_.size());
  now_(inside).copyTo(reference_(inside));
}

void MotionGate::wipe() {
  for (cv::Mat *mat : {&now_, &before_, &reference_, &noise_, &threshold_, &changed_, &moving_,
                       &scratch_, &difference_, &below_}) {
    mat->setTo(0);
    mat->release();
  }
  unlearnt_ = 0;
}

}  // namespace npc::detect
