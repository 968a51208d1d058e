// SPDX-License-Identifier: LGPL-2.1-or-later
// People by histograms of oriented gradients, with the model that is compiled into OpenCV.
#include <algorithm>
#include <cmath>
#include <opencv2/dnn/dnn.hpp>
#include <opencv2/objdetect.hpp>

#include "detector.h"

namespace npc {
namespace {

// A person fills the 64x128 window but for 16 pixels on each side (Dalal and Triggs, "Histograms of
// Oriented Gradients for Human Detection", CVPR 2005, section 4). Their feet, not the window's
// lower edge, stand on the line that is to be counted.
constexpr float kMarginX = 16.0f / 64, kMarginY = 16.0f / 128;

// Beyond this a frame costs much and gains little: people are found from a sixth of its height.
constexpr int kMaxHeight = 576;

// The detector's score is a distance from the separating plane of a support vector machine. Platt's
// logistic turns it into a probability.
constexpr float kSlope = 4.0f, kMiddle = 0.0f;
float confidence_of(double score) {
  return static_cast<float>(1.0 / (1.0 + std::exp(-kSlope * (score - kMiddle))));
}
double score_of(float confidence) {
  const double bounded = std::clamp(static_cast<double>(confidence), 1e-6, 1.0 - 1e-6);
  return kMiddle + std::log(bounded / (1.0 - bounded)) / kSlope;
}

class Hog final : public Detector {
 public:
  explicit Hog(cv::Size input) : input_(input) {
    hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  }

  PictureWish wish(cv::Size frame) const override {
    if (!input_.empty())
      return {input_, CV_8UC1};
    const double scale = std::min(1.0, static_cast<double>(kMaxHeight) / frame.height);
    return {cv::Size(std::max(1, cvRound(frame.width * scale)),
                     std::max(1, cvRound(frame.height * scale))),
            CV_8UC1};
  }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
    // OpenCV throws where not even one window fits.
    if (picture.cols < hog_.winSize.width || picture.rows < hog_.winSize.height)
      return;
    std::vector<cv::Rect> windows;
    std::vector<double> scores;
    hog_.detectMultiScale(picture, windows, scores, score_of(floor), cv::Size(8, 8), cv::Size(8, 8),
                          1.05, 0);
    std::vector<float> confidences;
    for (double score : scores)
      confidences.push_back(confidence_of(score));
    std::vector<int> kept;
    cv::dnn::NMSBoxes(windows, confidences, floor, 0.4f, kept);
    for (int i : kept) {
      const cv::Rect2f window = windows[i];
      found.push_back({{window.x + kMarginX * window.width, window.y + kMarginY * window.height,
                        window.width * (1 - 2 * kMarginX), window.height * (1 - 2 * kMarginY)},
                       confidences[i],
                       "person"});
    }
  }

 private:
  cv::Size input_;
  cv::HOGDescriptor hog_;
};

}  // namespace

std::unique_ptr<Detector> make_hog(const DetectorSettings &settings) {
  if (settings.classes != std::vector<std::string>{"person"})
    throw DetectorError(
        DetectorError::Kind::settings,
        "The HOG detector finds the class person only: set classes=person, or give a "
        "model that knows the others.");
  return std::make_unique<Hog>(settings.input);
}

}  // namespace npc
