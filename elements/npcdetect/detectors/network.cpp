// SPDX-License-Identifier: LGPL-2.1-or-later
// People and things by a neural network, run by OpenCV.
#include <algorithm>
#include <opencv2/dnn/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/labels.h"
#include "npcdetect/detectors/modeldescription.h"
#include "npcdetect/detectors/modelfile.h"
#include "npcdetect/detectors/outputs.h"

namespace npc::detect {
namespace {

// Two boxes of one class that overlap more than this are one object: the customary figure of the
// YOLO family.
constexpr float kOverlap = 0.45f;
// The customary input of small detectors, where the file leaves its own open.
constexpr int kDefaultInput = 416;
// The coarsest cells of the YOLO family: the sides of their inputs are multiples of it.
constexpr int kStride = 32;
// More would invent edges that were never seen.
constexpr double kEnlargeMost = 2.0;
// From here on each probability that makes up a score is taken for a yes. The odds of 7 to 3 leave
// room on both sides: 1 to 1 is where a network is as often wrong as right.
constexpr double kSure = 0.7;
// What all layers together may put out. OpenCV uses memory again and takes less.
constexpr std::size_t kBytesMost = std::size_t{4} << 30;
constexpr int kPixelsMost = 4096 * 4096;
// Wider than any input.
constexpr double kApart = 1e5;
// The grey of YOLOX's training for what is beyond the picture.
constexpr int kPad = 114;

class Network final : public Detector {
 public:
  explicit Network(const DetectorSettings &settings)
      : model_(load_model(settings.model)),
        description_(describe_model(settings.model)),
        budget_(settings.input_pixels) {
    const bool forced = !settings.input.empty();
    const cv::Size own = description_.input.value_or(model_.input);
    free_ = !forced && !description_.input && model_.any_size;
    input_ = forced ? settings.input : !own.empty() ? own : cv::Size(kDefaultInput, kDefaultInput);
    names_ = model_.net.getUnconnectedOutLayersNames();
    recognise(settings);
    choose_classes(settings);
  }

  /// The frame in its own shape: networks know people as tall as they are. What an input of fixed
  /// size leaves beside it is grey.
  InputSpec input_spec(cv::Size frame) const override {
    return {free_ ? fit_budget(frame) : fit(frame, input_), CV_8UC3};
  }

  /// Scores are products of probabilities, of an object and, with several classes, of its class: a
  /// threshold that asks the same of each is lower where there are two. FastestDet's exponents make
  /// one of its two.
  double confidence() const override {
    if (description_.confidence)
      return *description_.confidence;
    const bool product = layout_ == OutputLayout::darknet || layout_ == OutputLayout::yolox ||
                         layout_ == OutputLayout::yolox_decoded || layout_ == OutputLayout::yolov5;
    return product && class_count_ > 1 ? kSure * kSure : kSure;
  }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
    if (free_)
      input_ = on_grid(picture.size());
    const std::vector<cv::Mat> outputs = run(picture);
    std::vector<OutputBox> boxes = read_outputs(layout_, outputs, input_, floor);
    std::erase_if(boxes, [this](const OutputBox &box) {
      return static_cast<std::size_t>(box.index) >= wanted_.size() || !wanted_[box.index];
    });
    std::vector<cv::Rect2d> apart;
    std::vector<float> confidences;
    for (const OutputBox &box : boxes) {
      // Classes are moved apart so that one never suppresses another.
      apart.push_back(cv::Rect2d(box.box) + cv::Point2d(box.index * kApart, 0));
      confidences.push_back(box.confidence);
    }
    std::vector<int> kept;
    cv::dnn::NMSBoxes(apart, confidences, floor, kOverlap, kept);
    for (int i : kept)
      found.push_back({boxes[i].box, boxes[i].confidence, labels_[boxes[i].index]});
  }

 private:
  static cv::Size scaled(cv::Size size, double scale) {
    return {std::max(1, cvRound(size.width * scale)), std::max(1, cvRound(size.height * scale))};
  }

  static cv::Size fit(cv::Size frame, cv::Size input) {
    const cv::Size size = scaled(frame, std::min(static_cast<double>(input.width) / frame.width,
                                                 static_cast<double>(input.height) / frame.height));
    return {std::min(size.width, input.width), std::min(size.height, input.height)};
  }

  static cv::Size on_grid(cv::Size size) {
    const auto up = [](int side) { return (side + kStride - 1) / kStride * kStride; };
    return {up(size.width), up(size.height)};
  }

  /// The largest picture of the frame's shape whose input has no more than the budget's pixels. One
  /// of its sides is a whole number of cells.
  cv::Size fit_budget(cv::Size frame) const {
    cv::Size best;
    for (const int side : {frame.width, frame.height}) {
      for (int cells = 1; cells * kStride <= kEnlargeMost * side; ++cells) {
        const cv::Size size = scaled(frame, static_cast<double>(cells) * kStride / side);
        const cv::Size input = on_grid(size);
        if (static_cast<double>(input.width) * input.height > budget_)
          break;
        if (size.width > best.width)
          best = size;
      }
    }
    return best.empty() ? fit(frame, {kStride, kStride}) : best;
  }

  /// What the family of the layout was trained with, unless the description says otherwise.
  struct Normalisation {
    double scale;
    cv::Scalar mean;
    bool rgb;
  };
  Normalisation normalisation() const {
    Normalisation own{1.0, {}, false};
    switch (layout_) {
      case OutputLayout::darknet:
      case OutputLayout::yolov5:
      case OutputLayout::yolov8:
      case OutputLayout::yolov10:
        own = {1.0 / 255, {}, true};
        break;
      case OutputLayout::fastestdet:
        own = {1.0 / 255, {}, false};
        break;
      case OutputLayout::ssd:
        own = {1.0 / 127.5, cv::Scalar::all(127.5), false};
        break;
      case OutputLayout::yolox:
      case OutputLayout::yolox_decoded:
        break;
    }
    return {description_.scale.value_or(own.scale), description_.mean.value_or(own.mean),
            description_.rgb.value_or(own.rgb)};
  }

  std::vector<cv::Mat> run(const cv::Mat &picture) {
    const Normalisation normal = normalisation();
    cv::copyMakeBorder(picture, padded_, 0, input_.height - picture.rows, 0,
                       input_.width - picture.cols, cv::BORDER_CONSTANT, cv::Scalar::all(kPad));
    cv::dnn::blobFromImage(padded_, blob_, normal.scale, input_, normal.mean, normal.rgb);
    std::vector<cv::Mat> outputs;
    model_.net.setInput(blob_);
    model_.net.forward(outputs, names_);
    return outputs;
  }

  /// Throws DetectorError, or what OpenCV throws, if its input cannot be of the wanted size.
  void check_memory(const DetectorSettings &settings, const std::string &size) const {
    std::size_t weights = 0, blobs = kBytesMost + 1;
    if (input_.width <= kPixelsMost / input_.height)
      model_.net.getMemoryConsumption({1, 3, input_.height, input_.width}, weights, blobs);
    if (blobs > kBytesMost)
      throw DetectorError(DetectorError::Kind::settings,
                          "The model " + settings.model +
                              " would take more than 4 GiB for pictures "
                              "of " +
                              size + ": set input-width and input-height to less.");
  }

  /// Runs the network once on nothing: better to learn of a wrong size or an unknown output now
  /// than in mid-stream.
  void recognise(const DetectorSettings &settings) {
    const std::string size = std::to_string(input_.width) + "x" + std::to_string(input_.height);
    std::vector<cv::Mat> outputs;
    try {
      check_memory(settings, size);
      layout_ = OutputLayout::darknet;
      outputs = run(cv::Mat::zeros(input_, CV_8UC3));
    } catch (const cv::Exception &error) {
      throw DetectorError(DetectorError::Kind::settings,
                          "The model " + settings.model + " does not work on pictures of " + size +
                              ": set input-width and input-height to the size it was made for (" +
                              error.err + ").");
    }
    const auto layout =
        description_.layout ? description_.layout : recognise_outputs(outputs, input_);
    if (layout && !fits_layout(*layout, outputs, input_))
      throw DetectorError(DetectorError::Kind::unusable,
                          "The model " + settings.model + " puts out " + describe_outputs(outputs) +
                              " for pictures of " + size +
                              ", which is not the layout that the file beside it names: leave "
                              "layout out of it, or correct it.");
    if (!layout)
      throw DetectorError(
          DetectorError::Kind::unusable,
          "The model " + settings.model + " puts out " + describe_outputs(outputs) +
              " for pictures of " + size +
              ", which is none of the known kinds: Darknet-YOLO (boxes x 5+classes), "
              "YOLOX (1 x cells x 5+classes), YOLOv5 (1 x 3 cells x 5+classes), YOLOv8 "
              "(1 x 4+classes x cells), YOLOv10 (1 x boxes x 6), FastestDet "
              "(1 x 5+classes x rows x columns), SSD (1x1 x boxes x 7), or has other numbers in "
              "that "
              "shape than those: scores from 0 to 1, boxes in pixels or in offsets from cells.");
    layout_ = *layout;
    class_count_ = classes_in_outputs(layout_, outputs);
  }

  void choose_classes(const DetectorSettings &settings) {
    if (!settings.labels.empty())
      labels_ = read_labels(settings.labels);
    else if (!description_.classes.empty())
      labels_ = description_.classes;
    else if (class_count_ == 1)
      labels_ = {"person"};
    else if (class_count_ == static_cast<int>(coco_labels().size()))
      labels_ = coco_labels();
    const int needed =
        class_count_.value_or(labels_.empty() ? 1 : static_cast<int>(labels_.size()));
    if (static_cast<int>(labels_.size()) != needed)
      throw DetectorError(
          DetectorError::Kind::settings,
          labels_.empty()
              ? "The model " + settings.model +
                    " has classes without known names: set labels to a file with one class a line."
              : (settings.labels.empty() ? "The file beside the model"
                                         : "The file " + settings.labels) +
                    " names " + std::to_string(labels_.size()) + " classes, but the model " +
                    settings.model + " has " + std::to_string(needed) + ".");
    wanted_.assign(labels_.size(), false);
    for (const std::string &name : settings.classes) {
      const auto at = std::ranges::find(labels_, name);
      if (at == labels_.end())
        throw DetectorError(DetectorError::Kind::settings,
                            "The model " + settings.model + " does not know the class " + name +
                                ": see its labels for those that it knows.");
      wanted_[at - labels_.begin()] = true;
    }
  }

  Model model_;
  const ModelDescription description_;
  const double budget_;
  bool free_ = false;  // the input follows the picture
  cv::Size input_;
  std::vector<std::string> names_;
  OutputLayout layout_ = OutputLayout::darknet;
  std::optional<int> class_count_;
  std::vector<std::string> labels_;
  std::vector<bool> wanted_;
  cv::Mat padded_, blob_;
};

}  // namespace

std::unique_ptr<Detector> make_network(const DetectorSettings &settings) {
  return std::make_unique<Network>(settings);
}

}  // namespace npc::detect
