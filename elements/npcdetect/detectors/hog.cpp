// SPDX-License-Identifier: LGPL-2.1-or-later
// People by histograms of oriented gradients, with the model that is compiled into OpenCV.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "npcdetect/detectors/detector.h"

namespace npc::detect {
namespace {

// How much of the 64x128 window a person fills: about 16 pixels are left free on each side (Dalal
// and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, section 4). Their
// feet, not the window's lower edge, stand on the line that is to be counted.
constexpr float kPersonWidth = 0.50f, kPersonHeight = 0.72f;

// Frames are looked at with this many rows, whatever the camera delivers: so people are found from
// an eighth of the frame's height, at the same cost.
constexpr int kRows = 720;
// More would invent edges that were never seen.
constexpr double kEnlargeMax = 2.0;

// Steps of place, and pixels around the picture that are thought of as going on like its edge.
constexpr int kStride = 8;

// Steps of size. Finer ones cost time, and precision too: more chances to be wrong.
constexpr double kSizeStep = 1.2;

// Whoever fills more of the frame than a window's share of it fits into no window: for people from
// half of the frame's height on there is a second, small picture, of so many rows that they fill a
// window at least, with room around it for those who fill the whole. Its rows and columns beyond
// the edge go on like the edge, where there is nothing to see.
constexpr int kTallRows = 184;
// One step of size over the window that somebody of the whole height needs.
constexpr double kTallRoom = 0.23;

// A box of which more than this lies in a better one, or that has more than this of a better one in
// it, is the same person. Overlap relative to both (IoU) would let a small box inside a large one
// live.
constexpr float kCover = 0.6f;

// The detector's score is a distance from the separating plane of a support vector machine. Platt's
// logistic, fitted to the scores of true and false hits on PETS 2009 S2.L1, turns it into a
// probability.
constexpr double kSlope = 3.0, kMiddle = 0.2;
float confidence_of(double score) {
  return static_cast<float>(1.0 / (1.0 + std::exp(-kSlope * (score - kMiddle))));
}
double score_of(float confidence) {
  const double bounded = std::clamp(static_cast<double>(confidence), 1e-6, 1.0 - 1e-6);
  return kMiddle + std::log(bounded / (1.0 - bounded)) / kSlope;
}

/// Leaves the best of those that cover one another.
void suppress_covered(std::vector<Detection> &people) {
  std::ranges::sort(people, std::greater(), &Detection::confidence);
  std::vector<Detection> kept;
  for (Detection &person : people) {
    const bool covered = std::ranges::any_of(kept, [&person](const Detection &better) {
      return (person.box & better.box).area() >
             kCover * std::min(person.box.area(), better.box.area());
    });
    if (!covered)
      kept.push_back(std::move(person));
  }
  people = std::move(kept);
}

/// Overwrites pictures with zeros at the end of a scope.
struct Wiped {
  cv::Mat &small, &roomy;
  ~Wiped() {
    small.setTo(0);
    roomy.setTo(0);
  }
};

class Hog final : public Detector {
 public:
  explicit Hog(cv::Size input) : input_(input) {
    hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  }

  InputSpec input_spec(cv::Size frame) const override {
    if (!input_.empty())
      return {input_, CV_8UC1};
    const double scale = std::min(kEnlargeMax, static_cast<double>(kRows) / frame.height);
    return {cv::Size(std::max(1, cvRound(frame.width * scale)),
                     std::max(1, cvRound(frame.height * scale))),
            CV_8UC1};
  }

  DetectorCaps caps() const override {
    const cv::Size window = hog_.winSize;
    return {.crops = true,
            .least = {cvRound(window.width * kPersonWidth), cvRound(window.height * kPersonHeight)},
            .crop_least = window,
            .margin = (1 / kPersonHeight - 1) / 2,
            .border = kStride};
  }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
    // OpenCV throws where not even one window fits.
    if (picture.cols < hog_.winSize.width || picture.rows < hog_.winSize.height)
      return;
    std::vector<Detection> people;
    search(picture, floor, people);
    search_tall(picture, floor, people);
    suppress_covered(people);
    std::ranges::move(people, std::back_inserter(found));
  }

 private:
  void search(const cv::Mat &picture, float floor, std::vector<Detection> &people) const {
    std::vector<cv::Rect> windows;
    std::vector<double> scores;
    hog_.detectMultiScale(picture, windows, scores, score_of(floor), cv::Size(kStride, kStride),
                          cv::Size(kStride, kStride), kSizeStep, 0);
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const cv::Rect2f window = windows[i];
      people.push_back({{window.x + window.width * (1 - kPersonWidth) / 2,
                         window.y + window.height * (1 - kPersonHeight) / 2,
                         window.width * kPersonWidth, window.height * kPersonHeight},
                        confidence_of(scores[i]),
                        "person"});
    }
  }

  void search_tall(const cv::Mat &picture, float floor, std::vector<Detection> &people) {
    // It may be a crop of the frame: a low one has nobody so tall in it.
    cv::Size whole;
    cv::Point corner;
    picture.locateROI(whole, corner);
    if (2 * picture.rows < whole.height)
      return;
    // Nothing of a picture stays here, even if OpenCV throws.
    const Wiped wiped{small_, roomy_};
    const double scale = std::min(1.0, static_cast<double>(kTallRows) / whole.height);
    const int room = cvRound(kTallRoom * whole.height * scale);
    cv::resize(picture, small_, {}, scale, scale, cv::INTER_AREA);
    cv::copyMakeBorder(small_, roomy_, room, room, room, room, cv::BORDER_REPLICATE);
    std::vector<Detection> tall;
    if (roomy_.cols >= hog_.winSize.width && roomy_.rows >= hog_.winSize.height)
      search(roomy_, floor, tall);
    const auto across = static_cast<float>(picture.cols) / static_cast<float>(small_.cols);
    const auto down = static_cast<float>(picture.rows) / static_cast<float>(small_.rows);
    for (Detection &person : tall) {
      const cv::Rect2f box = person.box - cv::Point2f(cv::Point(room, room));
      person.box = {box.x * across, box.y * down, box.width * across, box.height * down};
      people.push_back(std::move(person));
    }
  }

  cv::Mat small_, roomy_;
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

}  // namespace npc::detect
