// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever moves, by comparison with a background that is learned: for views from above, where
// nothing looks like a person.
#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>
#include <optional>
#include <utility>

#include "npcdetect/detectors/blobs.h"
#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/light.h"

namespace npc::detect {
namespace {

// Blobs need no more rows than this, and the cost grows with them.
constexpr int kRows = 240;

// For so long the background is learned and nothing is found. Pictures that come slowly still have
// to be more than one.
constexpr double kWarmUp = 1.0;
constexpr int kWarmUpPictures = 5;

// A Gaussian that makes up a tenth of a pixel's past belongs to the background: what stops is part
// of it after a tenth of this many seconds.
constexpr double kMemory = 300;
constexpr int kGaussians = 4;
// Pictures that the memory of OpenCV's model lasts for by default; it is set, each time.
constexpr int kHistory = 500;
// Squared distance, in variances, from which a pixel is foreground.
constexpr double kThreshold = 20;

// When more than this share of a picture is foreground, the scene has changed.
constexpr double kForegroundMost = 0.6;
// If it stays so for as long, the background is learned anew.
constexpr double kStrange = 1.0;
// Means of as many cells a side show how the light has changed: most of them show background.
constexpr int kCells = 24;
// A change of light is measured at this brightness.
constexpr float kMiddle = 100;
// Share of a lasting change of light that is not followed, so that the reference comes after it.
constexpr float kGainShare = 0.9f;
// No evening out is exact: by so much of the change the threshold grows, in standard deviations.
constexpr double kUnsure = 3;
// From here on a pixel may have been brighter still.
constexpr double kBlownOut = 248;
// A gain below this shows a brighter picture than the background was learned from.
constexpr double kBrighter = 0.97;
// Noise, where more than this is brightness.
constexpr double kSlightly = 8;

// Cracks of up to this share of the picture's height (one in as many) are closed.
constexpr int kCrackShare = 40;
// And what is within this share of a larger blob goes with it.
constexpr int kNearShare = 24;

// Sure of what has moved. What has not can only go on being something that did.
constexpr float kMoving = 0.9f, kResting = 0.3f;

class Motion final : public Detector {
 public:
  explicit Motion(const DetectorSettings &settings)
      : input_(settings.input), label_(settings.classes.front()), least_(settings.least_size) {}

  InputSpec input_spec(cv::Size frame) const override {
    if (!input_.empty())
      return {input_, CV_8UC3};
    const double scale = std::min(1.0, static_cast<double>(kRows) / frame.height);
    return {cv::Size(std::max(1, cvRound(frame.width * scale)),
                     std::max(1, cvRound(frame.height * scale))),
            CV_8UC3};
  }

  DetectorCaps caps() const override {
    DetectorCaps reach;
    reach.every_frame = true;
    return reach;
  }
  void set_time(double seconds) override { time_ = seconds; }

  void forget(const cv::Mat &) override {
    wipe();
    last_.reset();
  }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
    const std::optional<double> last = std::exchange(last_, time_);
    // Time went back, or the picture is another: another stream.
    if (!last || time_ < *last || picture.size() != mask_.size())
      start(picture.size());
    // After a long break nothing is learned at one go.
    const double step = last ? std::clamp(time_ - *last, 0.0, 1.0) : 0;
    learned_for_ += step;
    pictures_++;
    const bool learning = learned_for_ < kWarmUp || pictures_ <= kWarmUpPictures;

    cv::GaussianBlur(picture, smooth_, cv::Size(3, 3), 0);
    const float change = even_out(step);
    const double unsure = 1 + kUnsure * std::abs(std::log(change));
    model_->setVarThreshold(kThreshold * unsure * unsure);
    model_->apply(even_, mask_, learning ? 1.0 / pictures_ : step / kMemory);
    if (learning) {
      mask_.setTo(0);
      return;
    }
    clean(change);
    if (is_strange(step))
      return;
    for (const Blob &blob : blobs_.update(mask_, step)) {
      const float confidence = blob.moved ? kMoving : kResting;
      if (confidence >= floor)
        found.push_back({blob.box, confidence, label_});
    }
  }

 private:
  void wipe() {
    // Pictures that are far from each other make a Gaussian each: all that a pixel has room for.
    for (int i = 0; model_ && i < kGaussians; ++i) {
      even_.create(mask_.size(), CV_8UC3);
      even_.setTo(cv::Scalar::all(255.0 * i / (kGaussians - 1)));
      model_->apply(even_, mask_, i == 0 ? 1 : 0.1);
    }
    model_.reset();
    for (cv::Mat *mat : {&smooth_, &even_, &mask_, &planes_[0], &planes_[1], &planes_[2], &cells_,
                         &reference_, &background_, &darker_}) {
      mat->setTo(0);
      mat->release();
    }
  }

  void start(cv::Size size) {
    wipe();
    learned_for_ = 0;
    pictures_ = 0;
    strange_for_ = 0;
    mask_ = cv::Mat::zeros(size, CV_8UC1);
    lights_.fill({});
    model_ = cv::createBackgroundSubtractorMOG2(kHistory, kThreshold, true);
    model_->setNMixtures(kGaussians);
    blobs_.forget();
    blobs_.configure(std::max(1.0, least_ * size.area()), size.height / kNearShare);
    speck_ = cv::getStructuringElement(cv::MORPH_RECT, cv::Size(3, 3));
    const int crack = std::max(3, size.height / kCrackShare | 1);
    crack_ = cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(crack, crack));
  }

  /// Whether there is more foreground than background. If that lasts, the background is learned
  /// anew.
  bool is_strange(double step) {
    if (cv::countNonZero(mask_) <= kForegroundMost * static_cast<double>(mask_.total())) {
      strange_for_ = 0;
      return false;
    }
    strange_for_ += step;
    if (strange_for_ >= kStrange)
      start(mask_.size());
    return true;
  }

  /// Undoes what exposure and white balance did since the background was learned: `smooth_` becomes
  /// `even_`. Returns by how much the picture had to be brightened, by its most changed channel.
  float even_out(double step) {
    cv::Mat moving;
    cv::resize(smooth_, cells_, cv::Size(kCells, kCells), 0, 0, cv::INTER_AREA);
    cells_.convertTo(cells_, CV_32F);
    // What moved a moment ago says nothing of the light.
    cv::resize(mask_, moving, cells_.size(), 0, 0, cv::INTER_AREA);
    if (reference_.empty())
      cells_.copyTo(reference_);
    cv::Mat before[3], even[3];
    cv::split(smooth_, planes_.data());
    cv::split(cells_, even);
    cv::split(reference_, before);
    float most = 1;
    for (int channel = 0; channel < 3; ++channel) {
      Light &light = lights_[channel];
      light = compare_light(even[channel], before[channel], moving == 0).value_or(light);
      planes_[channel].convertTo(planes_[channel], -1, light.gain, light.offset);
      // The reference comes after what lasts: some of the change is left in it.
      even[channel] = kGainShare * (light.gain * even[channel] + light.offset) +
                      (1 - kGainShare) * even[channel];
      const float change = (light.gain * kMiddle + light.offset) / kMiddle;
      if (change > 0 && std::abs(std::log(change)) > std::abs(std::log(most)))
        most = change;
    }
    cv::merge(planes_.data(), planes_.size(), even_);
    cv::merge(even, 3, cells_);
    cv::accumulateWeighted(cells_, reference_, step / kMemory);
    return most;
  }

  /// Leaves in `mask_` what is surely foreground, in whole pieces.
  void clean(float change) {
    // Shadows have a lower mark of their own.
    cv::threshold(mask_, mask_, 254, 255, cv::THRESH_BINARY);
    if (change < kBrighter)
      leave_out_blown_out();
    cv::morphologyEx(mask_, mask_, cv::MORPH_OPEN, speck_);
    cv::morphologyEx(mask_, mask_, cv::MORPH_CLOSE, crack_);
  }

  /// Where the picture is blown out, evening it out makes it darker than it was: what is darker
  /// than the background there may be the background.
  void leave_out_blown_out() {
    cv::Mat known;
    cv::inRange(smooth_, cv::Scalar::all(0), cv::Scalar::all(kBlownOut), known);
    if (cv::countNonZero(known) == static_cast<int>(known.total()))
      return;
    model_->getBackgroundImage(background_);
    cv::subtract(even_, background_, darker_);
    cv::inRange(darker_, cv::Scalar::all(0), cv::Scalar::all(kSlightly), darker_);
    mask_.setTo(0, darker_ & ~known);
  }

  cv::Size input_;
  std::string label_;
  double least_;
  double time_ = 0, learned_for_ = 0, strange_for_ = 0;
  int pictures_ = 0;
  std::optional<double> last_;
  cv::Ptr<cv::BackgroundSubtractorMOG2> model_;
  cv::Mat smooth_, even_, mask_;
  std::array<cv::Mat, 3> planes_;        // of smooth_
  cv::Mat cells_, background_, darker_;  // scratch, here so that it can be wiped
  std::array<Light, 3> lights_;          // of the last picture, by channel
  cv::Mat reference_;                    // brightness of the background's cells, by channel
  cv::Mat speck_, crack_;
  Blobs blobs_;
};

}  // namespace

std::unique_ptr<Detector> make_motion(const DetectorSettings &settings) {
  if (settings.classes.size() != 1)
    throw DetectorError(DetectorError::Kind::settings,
                        "The detector motion does not tell classes apart: set classes to the one "
                        "name that all it finds is to have.");
  return std::make_unique<Motion>(settings);
}

}  // namespace npc::detect
