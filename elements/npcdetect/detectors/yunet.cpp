// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces by the network YuNet.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <opencv2/dnn/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include "npcdetect/detectors/facefinder.h"
#include "npcdetect/detectors/modelfile.h"

namespace npc::detect {
namespace {

constexpr int kStrides[] = {8, 16, 32};
constexpr std::size_t kScales = std::size(kStrides);

// A person's upper part, and a whole frame in which only large faces count. Each has a network of
// its own: OpenCV makes it anew when the size of its input changes.
const cv::Size kSmall(128, 128), kLarge(320, 256);
// It finds faces from about this many pixels of its input on, and is at its best with twice that.
constexpr float kLeast = 10;
constexpr double kEnlargeMost = 2;
// Overlap (IoU) from which two boxes are one face: the figure of OpenCV's FaceDetectorYN.
constexpr float kOverlap = 0.3f;

/// The network for one size of input.
class Sized {
 public:
  Sized(const cv::dnn::Net &net, cv::Size input) : net_(net), input_(input) {
    for (const char *kind : {"cls_", "obj_", "bbox_"})
      for (int stride : kStrides)
        names_.push_back(kind + std::to_string(stride));
  }

  cv::Size input() const { return input_; }

  /// Whether its outputs are those of YuNet. OpenCV throws if there is none of some name, or if the
  /// size cannot be.
  bool fits() {
    const std::vector<cv::Mat> outputs = run(cv::Mat::zeros(input_, CV_8UC3));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const int stride = kStrides[i % kScales];
      const std::size_t cells = static_cast<std::size_t>(input_.width / stride) *
                                static_cast<std::size_t>(input_.height / stride);
      const std::size_t numbers = i < 2 * kScales ? 1 : 4;
      if (outputs[i].total() != cells * numbers || outputs[i].type() != CV_32F ||
          !outputs[i].isContinuous())
        return false;
    }
    return true;
  }

  void find(const cv::Mat &part, double scale, float floor, std::vector<Detection> &found) {
    const cv::Size size(std::clamp(cvRound(part.cols * scale), 1, input_.width),
                        std::clamp(cvRound(part.rows * scale), 1, input_.height));
    padded_.create(input_, CV_8UC3);
    padded_.setTo(0);
    cv::Mat corner = padded_(cv::Rect({}, size));
    cv::resize(part, corner, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    const std::vector<cv::Mat> outputs = run(padded_);
    std::vector<cv::Rect2d> boxes;
    std::vector<float> confidences;
    for (std::size_t i = 0; i < kScales; ++i)
      read(outputs[i], outputs[i + kScales], outputs[i + 2 * kScales], kStrides[i], floor, boxes,
           confidences);
    std::vector<int> kept;
    cv::dnn::NMSBoxes(boxes, confidences, floor, kOverlap, kept);
    for (int i : kept)
      found.push_back({cv::Rect2d(boxes[i].x / scale, boxes[i].y / scale, boxes[i].width / scale,
                                  boxes[i].height / scale),
                       confidences[i], "face"});
  }

 private:
  std::vector<cv::Mat> run(const cv::Mat &picture) {
    std::vector<cv::Mat> outputs;
    cv::dnn::blobFromImage(picture, blob_);
    net_.setInput(blob_);
    net_.forward(outputs, names_);
    return outputs;
  }

  /// Reads one scale: a row of each output is a cell of the input, row by row. As in OpenCV 4.8's
  /// modules/objdetect/src/face_detect.cpp, FaceDetectorYNImpl::postProcess(): the confidence is
  /// the geometric mean of class and objectness, the centre is in strides from the cell's corner,
  /// the size is the logarithm of strides.
  void read(const cv::Mat &classes, const cv::Mat &objects, const cv::Mat &shapes, int stride,
            float floor, std::vector<cv::Rect2d> &boxes, std::vector<float> &confidences) const {
    const int across = input_.width / stride, down = input_.height / stride;
    const auto *score = classes.ptr<float>(), *object = objects.ptr<float>(),
               *shape = shapes.ptr<float>();
    for (int y = 0; y < down; ++y) {
      for (int x = 0; x < across; ++x, ++score, ++object, shape += 4) {
        const float confidence =
            std::sqrt(std::clamp(*score, 0.0f, 1.0f) * std::clamp(*object, 0.0f, 1.0f));
        if (!(confidence >= floor))
          continue;
        const double width = std::exp(shape[2]) * stride, height = std::exp(shape[3]) * stride;
        const cv::Rect2d box((x + shape[0]) * stride - width / 2,
                             (y + shape[1]) * stride - height / 2, width, height);
        if (!std::isfinite(box.x) || !std::isfinite(box.y) || !std::isfinite(box.area()))
          continue;
        boxes.push_back(box);
        confidences.push_back(confidence);
      }
    }
  }

  cv::dnn::Net net_;
  cv::Size input_;
  std::vector<std::string> names_;
  cv::Mat padded_, blob_;
};

class YuNet final : public FaceFinder {
 public:
  explicit YuNet(const std::string &path) {
    for (const cv::Size size : {kSmall, kLarge})
      if (!add(path, size))
        break;
    if (sized_.size() == 2)
      return;
    // A file that is made for one size only.
    sized_.clear();
    const cv::Size own = load_model(path).input;
    if (own.empty() || !add(path, own))
      throw DetectorError(DetectorError::Kind::unusable,
                          "The model " + path +
                              " is not YuNet as of 2023 (outputs cls_8 to bbox_32): set face-model "
                              "to face_detection_yunet_2023mar.onnx or yunet_n_320_320.onnx.");
  }

  int picture_type() const override { return CV_8UC3; }
  float least() const override { return kLeast / static_cast<float>(kEnlargeMost); }

  void find(const cv::Mat &part, const FaceSizes &sizes, float floor,
            std::vector<Detection> &found) override {
    // As small as the smallest face allows; in the smallest network that this fits in.
    const double wanted = std::min(kEnlargeMost, static_cast<double>(kLeast / sizes.least));
    Sized *chosen = &sized_.back();
    for (Sized &one : sized_) {
      if (part.cols * wanted <= one.input().width && part.rows * wanted <= one.input().height) {
        chosen = &one;
        break;
      }
    }
    const double scale =
        std::min({kEnlargeMost, static_cast<double>(chosen->input().width) / part.cols,
                  static_cast<double>(chosen->input().height) / part.rows});
    const std::size_t before = found.size();
    chosen->find(part, scale, floor, found);
    const auto is_other = [&sizes](const Detection &face) {
      return face.box.width < sizes.least || face.box.width > sizes.most;
    };
    found.erase(
        std::remove_if(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), is_other),
        found.end());
  }

 private:
  /// Adds the network for inputs of `size`; false if it is not one that can be used so.
  bool add(const std::string &path, cv::Size size) {
    try {
      Sized one(load_model(path).net, size);
      if (!one.fits())
        return false;
      sized_.push_back(std::move(one));
      return true;
    } catch (const cv::Exception &) {
      return false;
    }
  }

  std::vector<Sized> sized_;
};

}  // namespace

std::unique_ptr<FaceFinder> make_yunet(const std::string &path) {
  if (path.empty())
    throw DetectorError(DetectorError::Kind::settings,
                        "Faces by YuNet need a model: set face-model to its ONNX file.");
  const std::filesystem::path file(path);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored))
    throw DetectorError(DetectorError::Kind::not_found,
                        "There is no file " + path + ": set face-model to YuNet's ONNX file.");
  if (file.extension() != ".onnx")
    throw DetectorError(DetectorError::Kind::settings,
                        "The file " + path + " is no ONNX file: set face-model to YuNet's.");
  return std::make_unique<YuNet>(path);
}

}  // namespace npc::detect
