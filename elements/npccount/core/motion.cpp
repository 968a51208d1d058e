// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a tracked box is, where it will be, and how fast its feet go.
#include "npccount/core/motion.h"

namespace npc::count {
namespace {

using namespace std::chrono_literals;

// SORT (Bewley 2016), DeepSORT (Wojke 2017) and ByteTrack (Zhang 2022) weigh noise by the height of
// the box: 1/20 for a position, 1/160 for a rate, for each frame of a video at 30 frames a second.
constexpr double kFramesPerSecond = 30;
constexpr double kPosition = 1.0 / 20;
constexpr double kRate = kFramesPerSecond / 160;  // heights per second
constexpr double kPositionDrift = kPosition * kPosition * kFramesPerSecond;
constexpr double kRateDrift = kRate * kRate * kFramesPerSecond;
constexpr double kFirstPosition = 2 * kPosition;
constexpr double kFirstRate = 10 * kRate;
// People come nearer much more slowly than they walk past.
constexpr double kSizeRate = 0.1;
// A box born at the edge of the frame may be a small part of the whole.
constexpr double kFirstHidden = 0.5;

// Detections are rounded to pixels.
constexpr double kEdge = 1;

constexpr Time kSpeedSpan = 1s;
constexpr Time kSpeedSpanMost = 2s;
constexpr Time kSpeedSpanLeast = 500ms;
constexpr std::size_t kSpeedSamples = 4;
// At 30 frames a second every second one: more cost time and add nothing.
constexpr Time kSampleDistance = 50ms;

struct Cut {
  bool left, right, top, bottom;

  Cut(const Box &box, const FrameSize &frame)
      : left(box.x <= kEdge),
        right(box.right() >= frame.width - kEdge),
        top(box.y <= kEdge),
        bottom(box.bottom() >= frame.height - kEdge) {}
  bool across() const { return left || right; }
  bool along() const { return top || bottom; }
};

double median(std::vector<double> &numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  if (numbers.size() % 2 == 1)
    return *middle;
  return (*std::max_element(numbers.begin(), middle) + *middle) / 2;
}

}  // namespace

Coordinate::Coordinate(double value, double deviation, double rate_deviation)
    : value_(value),
      value_variance_(deviation * deviation),
      rate_variance_(rate_deviation * rate_deviation) {}

void Coordinate::predict(double step, double value_drift, double rate_drift) {
  value_ += rate_ * step;
  value_variance_ += step * (2 * covariance_ + step * rate_variance_) + value_drift * step +
                     rate_drift * step * step * step / 3;
  covariance_ += step * rate_variance_ + rate_drift * step * step / 2;
  rate_variance_ += rate_drift * step;
}

void Coordinate::correct(double value, double deviation) {
  const double variance = value_variance_ + deviation * deviation;
  const double gain = value_variance_ / variance;
  const double rate_gain = covariance_ / variance;
  const double surprise = value - value_;
  value_ += gain * surprise;
  rate_ += rate_gain * surprise;
  rate_variance_ -= rate_gain * covariance_;
  covariance_ *= 1 - gain;
  value_variance_ *= 1 - gain;
}

Motion::Motion(Time now, const Box &box, const FrameSize &frame)
    : x_(box.centre_x(), kFirstPosition * box.height, kFirstRate * box.height),
      bottom_(box.bottom(), kFirstPosition * box.height, kFirstRate * box.height),
      width_(box.width, (Cut(box, frame).across() ? kFirstHidden : kFirstPosition) * box.height,
             kSizeRate * kFirstRate * box.height),
      height_(box.height, (Cut(box, frame).along() ? kFirstHidden : kFirstPosition) * box.height,
              kSizeRate * kFirstRate * box.height) {
  remember(now, box.centre_x(), box.bottom());
}

void Motion::predict(Time step) {
  const double length = seconds(step);
  const double height = height_.value(), width = width_.value();
  const double drift = kPositionDrift * height * height;
  const double rate_drift = kRateDrift * height * height;
  x_.predict(length, drift, rate_drift);
  bottom_.predict(length, drift, rate_drift);
  width_.predict(length, drift, kSizeRate * kSizeRate * rate_drift);
  height_.predict(length, drift, kSizeRate * kSizeRate * rate_drift);
  // A rate that was measured over frames must not shrink a box to nothing while it is unseen.
  width_.limit(width / 2, width * 2);
  height_.limit(height / 2, height * 2);
}

void Motion::correct(Time now, const Box &box, const FrameSize &frame) {
  const Cut cut(box, frame);
  const double deviation = kPosition * height_.value();
  const double width = width_.value(), height = height_.value();

  // What is left of a box that is cut off is a lower bound.
  if (!cut.across() || box.width > width)
    width_.correct(box.width, deviation);
  if (!cut.along() || box.height > height)
    height_.correct(box.height, deviation);

  double x = box.centre_x();
  if (cut.left && cut.right)
    x = x_.value();
  else if (cut.left)
    x = box.right() - std::max(width, box.width) / 2;
  else if (cut.right)
    x = box.x + std::max(width, box.width) / 2;
  double bottom = box.bottom();
  if (cut.bottom)
    bottom = cut.top ? std::max(bottom, bottom_.value()) : box.y + std::max(height, box.height);
  x_.correct(x, deviation);
  bottom_.correct(bottom, deviation);
  remember(now, x, bottom);
}

Box Motion::box() const {
  const double width = width_.value(), height = height_.value();
  return {x_.value() - width / 2, bottom_.value() - height, width, height};
}

void Motion::remember(Time now, double x, double bottom) {
  if (!samples_.empty() && now - samples_.back().time < kSampleDistance)
    return;
  samples_.push_back({now, x, bottom, height_.value()});
  // About a second, but at few frames a second it takes more for a box that jitters to stand still.
  auto first = samples_.begin();
  while (samples_.end() - first > 2) {
    const Time span = now - (first + 1)->time;
    const auto rest = static_cast<std::size_t>(samples_.end() - first) - 1;
    if (span < kSpeedSpan || (rest < kSpeedSamples && span < kSpeedSpanMost))
      break;
    ++first;
  }
  samples_.erase(samples_.begin(), first);
  speed_ = measure_speed();
}

double Motion::measure_speed() const {
  const Time span = samples_.back().time - samples_.front().time;
  if (span < kSpeedSpanLeast || (span < kSpeedSpan && samples_.size() < kSpeedSamples))
    return 0;
  std::vector<double> across, along, heights;
  const std::size_t count = samples_.size();
  across.reserve(count * (count - 1) / 2);
  along.reserve(count * (count - 1) / 2);
  for (std::size_t later = 0; later < count; later++) {
    heights.push_back(samples_[later].height);
    for (std::size_t earlier = 0; earlier < later; earlier++) {
      const double length = seconds(samples_[later].time - samples_[earlier].time);
      across.push_back((samples_[later].x - samples_[earlier].x) / length);
      along.push_back((samples_[later].bottom - samples_[earlier].bottom) / length);
    }
  }
  return std::hypot(median(across), median(along)) / median(heights);
}

}  // namespace npc::count
