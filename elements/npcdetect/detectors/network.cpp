// SPDX-License-Identifier: LGPL-2.1-or-later
// People and things by a neural network, run by OpenCV.
#include <algorithm>
#include <opencv2/dnn/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/labels.h"
#include "npcdetect/detectors/modelfile.h"
#include "npcdetect/detectors/outputs.h"

namespace npc::detect {
namespace {

// Two boxes of one class that overlap more than this are one object: the customary figure of the
// YOLO family.
constexpr float kOverlap = 0.45f;
// The customary input of small detectors, where the file leaves its own open.
constexpr int kDefaultInput = 416;
// What all layers together may put out. OpenCV uses memory again and takes less.
constexpr std::size_t kBytesMost = std::size_t{4} << 30;
constexpr int kPixelsMost = 4096 * 4096;
// Wider than any input.
constexpr double kApart = 1e5;
// The grey of YOLOX's training for what is beyond the picture.
constexpr int kPad = 114;

class Network final : public Detector {
 public:
  explicit Network(const DetectorSettings &settings) : model_(load_model(settings.model)) {
    input_ = !settings.input.empty() ? settings.input
             : !model_.input.empty() ? model_.input
                                     : cv::Size(kDefaultInput, kDefaultInput);
    names_ = model_.net.getUnconnectedOutLayersNames();
    recognise(settings);
    choose_classes(settings);
  }

  InputSpec input_spec(cv::Size frame) const override {
    if (layout_ != OutputLayout::yolox && layout_ != OutputLayout::yolox_decoded)
      return {input_, CV_8UC3};
    // YOLOX keeps the shape of the picture and leaves the rest of its input grey.
    const double scale = std::min(static_cast<double>(input_.width) / frame.width,
                                  static_cast<double>(input_.height) / frame.height);
    return {cv::Size(std::clamp(cvRound(frame.width * scale), 1, input_.width),
                     std::clamp(cvRound(frame.height * scale), 1, input_.height)),
            CV_8UC3};
  }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
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
  std::vector<cv::Mat> run(const cv::Mat &picture) {
    switch (layout_) {
      case OutputLayout::darknet:
        cv::dnn::blobFromImage(picture, blob_, 1.0 / 255, input_, {}, true);
        break;
      case OutputLayout::yolox:
      case OutputLayout::yolox_decoded:
        cv::copyMakeBorder(picture, padded_, 0, input_.height - picture.rows, 0,
                           input_.width - picture.cols, cv::BORDER_CONSTANT, cv::Scalar::all(kPad));
        cv::dnn::blobFromImage(padded_, blob_, 1.0, input_);
        break;
      case OutputLayout::ssd:
        cv::dnn::blobFromImage(picture, blob_, 1.0 / 127.5, input_, cv::Scalar::all(127.5));
        break;
    }
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
    const auto layout = recognise_outputs(outputs, input_);
    if (!layout)
      throw DetectorError(
          DetectorError::Kind::unusable,
          "The model " + settings.model + " puts out " + describe_outputs(outputs) +
              " for pictures of " + size +
              ", which is none of the known kinds: Darknet-YOLO (boxes x 5+classes), "
              "YOLOX (1 x cells x 5+classes), SSD (1x1 x boxes x 7), or has other numbers in that "
              "shape than those: scores from 0 to 1, boxes in pixels or in offsets from cells.");
    layout_ = *layout;
    class_count_ = classes_in_outputs(layout_, outputs);
  }

  void choose_classes(const DetectorSettings &settings) {
    if (!settings.labels.empty())
      labels_ = read_labels(settings.labels);
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
              : "The file " + settings.labels + " names " + std::to_string(labels_.size()) +
                    " classes, but the model " + settings.model + " has " + std::to_string(needed) +
                    ".");
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
