// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever moves, by comparison with a background that is learned: for views from above, where
// nothing looks like a person.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>
#include <optional>
#include <utility>

#include "blobs.h"
#include "detector.h"

namespace npc {
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
// Pictures that the memory of OpenCV's model lasts for where it is not told; it is, each time.
constexpr int kHistory = 500;
// Squared distance, in variances, from which a pixel is foreground.
constexpr double kThreshold = 20;

// Beyond these, light has not changed, the scene has.
constexpr float kGainMost = 4;
constexpr double kForegroundMost = 0.6;
// Means of as many cells a side tell how bright it is: more than half of them show background.
constexpr int kCells = 24;
// Between these a camera's answer to light is about linear.
constexpr float kDark = 16, kBright = 235;
// From here on a pixel may have been brighter still.
constexpr double kBlownOut = 248;
// A gain below this shows a brighter picture than the background was learned from.
constexpr double kBrighter = 0.97;
// Noise, where more than this is brightness.
constexpr double kSlightly = 8;

// Cracks of up to this share of the picture's height (one in as many) are closed.
constexpr int kCrackShare = 40;
// Share of a lasting change of light that is not followed, so that the reference comes after it.
constexpr float kGainShare = 0.9f;

// Sure of what has moved. What has not can only go on being something that did.
constexpr float kMoving = 0.9f, kResting = 0.3f;

class Motion final : public Detector {
 public:
  explicit Motion(const DetectorSettings &settings)
      : input_(settings.input), label_(settings.classes.front()), least_(settings.least_size) {}

  PictureWish wish(cv::Size frame) const override {
    if (!input_.empty())
      return {input_, CV_8UC3};
    const double scale = std::min(1.0, static_cast<double>(kRows) / frame.height);
    return {cv::Size(std::max(1, cvRound(frame.width * scale)),
                     std::max(1, cvRound(frame.height * scale))),
            CV_8UC3};
  }

  bool needs_every_frame() const override { return true; }
  void set_time(double seconds) override { time_ = seconds; }

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
    const std::optional<cv::Scalar> gains = even_out(step);
    if (!gains) {
      start(picture.size());
      return;
    }
    model_->apply(even_, mask_, learning ? 1.0 / pictures_ : step / kMemory);
    if (learning)
      return;
    clean(*gains);
    if (cv::countNonZero(mask_) > kForegroundMost * static_cast<double>(mask_.total())) {
      start(picture.size());
      return;
    }
    for (const Blob &blob : blobs_.update(mask_, step)) {
      const float confidence = blob.moved ? kMoving : kResting;
      if (confidence >= floor)
        found.push_back({blob.box, confidence, label_});
    }
  }

 private:
  void start(cv::Size size) {
    learned_for_ = 0;
    pictures_ = 0;
    mask_.create(size, CV_8UC1);
    reference_.release();
    model_ = cv::createBackgroundSubtractorMOG2(kHistory, kThreshold, true);
    model_->setNMixtures(kGaussians);
    blobs_.forget();
    blobs_.set_least(std::max(1.0, least_ * size.area()));
    speck_ = cv::getStructuringElement(cv::MORPH_RECT, cv::Size(3, 3));
    const int crack = std::max(3, size.height / kCrackShare | 1);
    crack_ = cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(crack, crack));
  }

  /// Undoes what exposure and white balance did since the background was learned: `smooth_` becomes
  /// `even_`, by the gains that are returned; none where the scene itself has changed.
  std::optional<cv::Scalar> even_out(double step) {
    cv::Mat cells;
    cv::resize(smooth_, cells, cv::Size(kCells, kCells), 0, 0, cv::INTER_AREA);
    cells.convertTo(cells, CV_32F);
    if (reference_.empty())
      cells.copyTo(reference_);
    cv::Scalar gains, kept;
    for (int channel = 0; channel < 3; ++channel) {
      const float gain = median_gain(cells, channel);
      if (gain > kGainMost || gain < 1 / kGainMost)
        return std::nullopt;
      gains[channel] = gain;
      kept[channel] = std::pow(gain, kGainShare);
    }
    cv::multiply(smooth_, gains, even_);
    cv::multiply(cells, kept, cells);
    cv::accumulateWeighted(cells, reference_, step / kMemory);
    return gains;
  }

  float median_gain(const cv::Mat &cells, int channel) const {
    const auto is_usable = [](float value) { return value > kDark && value < kBright; };
    std::vector<float> ratios;
    for (int y = 0; y < kCells; ++y) {
      const auto *now = cells.ptr<cv::Vec3f>(y), *before = reference_.ptr<cv::Vec3f>(y);
      for (int x = 0; x < kCells; ++x)
        if (is_usable(now[x][channel]) && is_usable(before[x][channel]))
          ratios.push_back(before[x][channel] / now[x][channel]);
    }
    // Too few to judge by: a night, or a fog.
    if (ratios.size() < kCells * kCells / 8)
      return 1;
    const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
    std::ranges::nth_element(ratios, middle);
    return *middle;
  }

  /// Leaves in `mask_` what is surely foreground, in whole pieces.
  void clean(const cv::Scalar &gains) {
    // Shadows have a lower mark of their own.
    cv::threshold(mask_, mask_, 254, 255, cv::THRESH_BINARY);
    if (std::min({gains[0], gains[1], gains[2]}) < kBrighter)
      leave_out_blown_out();
    cv::morphologyEx(mask_, mask_, cv::MORPH_OPEN, speck_);
    cv::morphologyEx(mask_, mask_, cv::MORPH_CLOSE, crack_);
  }

  /// Where the picture is blown out, evening it out makes it darker than it was: what is darker
  /// than the background there may be the background.
  void leave_out_blown_out() {
    cv::Mat known, background, darker;
    cv::inRange(smooth_, cv::Scalar::all(0), cv::Scalar::all(kBlownOut), known);
    if (cv::countNonZero(known) == static_cast<int>(known.total()))
      return;
    model_->getBackgroundImage(background);
    cv::subtract(even_, background, darker);
    cv::inRange(darker, cv::Scalar::all(0), cv::Scalar::all(kSlightly), darker);
    mask_.setTo(0, darker & ~known);
  }

  cv::Size input_;
  std::string label_;
  double least_;
  double time_ = 0, learned_for_ = 0;
  int pictures_ = 0;
  std::optional<double> last_;
  cv::Ptr<cv::BackgroundSubtractorMOG2> model_;
  cv::Mat smooth_, even_, mask_;
  cv::Mat reference_;  // brightness of the background's cells, by channel
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

}  // namespace npc
