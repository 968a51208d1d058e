// SPDX-License-Identifier: LGPL-2.1-or-later
// Neural networks: outputs known by their shape, and labels.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/labels.h"
#include "npcdetect/detectors/outputs.h"

using namespace npc::detect;

namespace npc {
namespace {

const cv::Size kInput(64, 32);

cv::Mat tensor(std::vector<int> shape) {
  return cv::Mat(shape, CV_32F, cv::Scalar(0));
}

TEST(Outputs, AreKnownByTheirShape) {
  const std::vector<cv::Mat> darknet = {tensor({10, 6}), tensor({40, 6})};
  EXPECT_EQ(recognise_outputs(darknet, kInput), OutputLayout::darknet);
  EXPECT_EQ(classes_in_outputs(OutputLayout::darknet, darknet), 1);
  // Strides 8, 16, 32 of 64x32: 8*4 + 4*2 + 2*1 cells.
  const std::vector<cv::Mat> yolox = {tensor({1, 42, 85})};
  EXPECT_EQ(recognise_outputs(yolox, kInput), OutputLayout::yolox);
  EXPECT_EQ(classes_in_outputs(OutputLayout::yolox, yolox), 80);
  const std::vector<cv::Mat> ssd = {tensor({1, 1, 100, 7})};
  EXPECT_EQ(recognise_outputs(ssd, kInput), OutputLayout::ssd);
  EXPECT_EQ(classes_in_outputs(OutputLayout::ssd, ssd), std::nullopt);
}

TEST(Outputs, OthersAreNotKnown) {
  for (const std::vector<cv::Mat> &outputs : {std::vector<cv::Mat>{},
                                              {tensor({1, 85, 22, 22})},
                                              {tensor({2, 100, 6})},
                                              {tensor({1, 4, 42})},
                                              {tensor({1, 41, 85})},
                                              {tensor({1, 42, 5})},
                                              {tensor({10, 6}), tensor({10, 7})},
                                              {tensor({10, 5})},
                                              {cv::Mat(10, 6, CV_64F)},
                                              {tensor({1, 1, 100, 7}), tensor({1, 1, 100, 7})}})
    EXPECT_EQ(recognise_outputs(outputs, kInput), std::nullopt) << describe_outputs(outputs);
  EXPECT_EQ(describe_outputs(std::vector<cv::Mat>{tensor({1, 85, 22}), tensor({3, 4})}),
            "1x85x22 and 3x4");
}

TEST(Outputs, DarknetBoxes) {
  cv::Mat rows = tensor({2, 7});
  // Centre, size, objectness, two classes.
  const float box[] = {0.5f, 0.25f, 0.25f, 0.5f, 0.9f, 0.2f, 0.8f};
  std::copy(std::begin(box), std::end(box), rows.ptr<float>(1));
  const auto boxes = read_outputs(OutputLayout::darknet, std::vector{rows}, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_EQ(boxes[0].box, cv::Rect2f(24, 0, 16, 16));
  EXPECT_FLOAT_EQ(boxes[0].confidence, 0.8f);
  EXPECT_EQ(boxes[0].index, 1);
  EXPECT_TRUE(read_outputs(OutputLayout::darknet, std::vector{rows}, kInput, 0.81f).empty());
}

TEST(Outputs, YoloxBoxes) {
  cv::Mat cells = tensor({1, 42, 6});
  // The second cell of the second row of stride 16: 32 cells of stride 8 and 4 + 1 of stride 16
  // come before it.
  float *cell = cells.ptr<float>() + (32 + 4 + 1) * 6;
  cell[0] = 0.5f;
  cell[1] = 0.25f;
  cell[2] = std::log(2.0f);
  cell[3] = std::log(1.0f);
  cell[4] = 0.8f;
  cell[5] = 0.5f;
  const auto boxes = read_outputs(OutputLayout::yolox, std::vector{cells}, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_NEAR(boxes[0].box.x, 24 - 16, 1e-4);
  EXPECT_NEAR(boxes[0].box.y, 20 - 8, 1e-4);
  EXPECT_NEAR(boxes[0].box.width, 32, 1e-4);
  EXPECT_NEAR(boxes[0].box.height, 16, 1e-4);
  EXPECT_NEAR(boxes[0].confidence, 0.4, 1e-6);
}

TEST(Outputs, YoloxBoxesThatTheGraphHasDecoded) {
  cv::Mat cells = tensor({1, 42, 6});
  float *row = cells.ptr<float>();
  for (int stride : {8, 16, 32}) {
    for (int y = 0; y < kInput.height / stride; y++) {
      for (int x = 0; x < kInput.width / stride; x++, row += 6) {
        row[0] = static_cast<float>((x + 0.3) * stride);
        row[1] = static_cast<float>((y + 0.6) * stride);
        row[2] = row[3] = static_cast<float>(2 * stride);
      }
    }
  }
  EXPECT_EQ(recognise_outputs(std::vector{cells}, kInput), OutputLayout::yolox_decoded);
  EXPECT_EQ(classes_in_outputs(OutputLayout::yolox_decoded, std::vector{cells}), 1);
  row = cells.ptr<float>() + 7 * 6;
  row[4] = 0.8f;
  row[5] = 0.5f;
  const auto boxes = read_outputs(OutputLayout::yolox_decoded, std::vector{cells}, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_NEAR(boxes[0].box.x, 7.3 * 8 - 8, 1e-4);
  EXPECT_NEAR(boxes[0].box.y, 0.6 * 8 - 8, 1e-4);
  EXPECT_NEAR(boxes[0].box.width, 16, 1e-4);
  EXPECT_NEAR(boxes[0].confidence, 0.4, 1e-6);

  // Fractions of the picture, scores that are no probabilities, numbers of any kind.
  cv::Mat fractions = cells.clone();
  for (int i = 0; i < 42; i++) {
    fractions.ptr<float>()[i * 6] /= static_cast<float>(kInput.width);
    fractions.ptr<float>()[i * 6 + 1] /= static_cast<float>(kInput.height);
  }
  EXPECT_EQ(recognise_outputs(std::vector{fractions}, kInput), std::nullopt);
  cv::Mat scores = cells.clone();
  scores.ptr<float>()[4] = -7;
  EXPECT_EQ(recognise_outputs(std::vector{scores}, kInput), std::nullopt);
  for (float any : {-100.0f, std::numeric_limits<float>::quiet_NaN()}) {
    cv::Mat others = tensor({1, 42, 6});
    for (int i = 0; i < 42; i++)
      others.ptr<float>()[i * 6] = any;
    EXPECT_EQ(recognise_outputs(std::vector{others}, kInput), std::nullopt);
  }
  // Darknet's shape with corners in pixels, as of other exporters.
  cv::Mat corners = tensor({10, 7});
  corners.setTo(40);
  EXPECT_EQ(recognise_outputs(std::vector{corners}, kInput), std::nullopt);
}

TEST(Outputs, SsdBoxes) {
  cv::Mat rows = tensor({1, 1, 3, 7});
  const float found[] = {0, 15, 0.7f, 0.25f, 0.5f, 0.5f, 1.0f};
  std::copy(std::begin(found), std::end(found), rows.ptr<float>());
  const float ended[] = {-1, 15, 0.9f, 0, 0, 1, 1};
  std::copy(std::begin(ended), std::end(ended), rows.ptr<float>() + 7);
  const auto boxes = read_outputs(OutputLayout::ssd, std::vector{rows}, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_EQ(boxes[0].box, cv::Rect2f(16, 16, 16, 16));
  EXPECT_EQ(boxes[0].index, 15);
}

// Fills a tensor with coordinates in pixels of the input.
cv::Mat pixels(std::vector<int> shape) {
  return cv::Mat(shape, CV_32F, cv::Scalar(20));
}

void expect_box(const OutputBox &box, const cv::Rect2f &where, float confidence, int index) {
  EXPECT_NEAR(box.box.x, where.x, 1e-3);
  EXPECT_NEAR(box.box.y, where.y, 1e-3);
  EXPECT_NEAR(box.box.width, where.width, 1e-3);
  EXPECT_NEAR(box.box.height, where.height, 1e-3);
  EXPECT_NEAR(box.confidence, confidence, 1e-5);
  EXPECT_EQ(box.index, index);
}

TEST(Outputs, Yolov5Boxes) {
  cv::Mat rows = tensor({1, 3 * 42, 7});
  const float box[] = {30, 20, 16, 8, 0.9f, 0.1f, 0.8f};
  std::copy(std::begin(box), std::end(box), rows.ptr<float>() + 9 * 7);
  const std::vector outputs{rows};
  EXPECT_EQ(recognise_outputs(outputs, kInput), OutputLayout::yolov5);
  EXPECT_EQ(classes_in_outputs(OutputLayout::yolov5, outputs), 2);
  const auto boxes = read_outputs(OutputLayout::yolov5, outputs, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  expect_box(boxes[0], {22, 16, 16, 8}, 0.72f, 1);
  // Logits are none of its scores.
  rows.ptr<float>()[4] = -3;
  EXPECT_EQ(recognise_outputs(outputs, kInput), std::nullopt);
}

TEST(Outputs, Yolov8Boxes) {
  cv::Mat columns = tensor({1, 6, 42});
  const float box[] = {30, 20, 16, 8, 0.3f, 0.8f};
  for (int i = 0; i < 6; i++)
    columns.ptr<float>()[i * 42 + 11] = box[i];
  const std::vector outputs{columns};
  EXPECT_EQ(recognise_outputs(outputs, kInput), OutputLayout::yolov8);
  EXPECT_EQ(classes_in_outputs(OutputLayout::yolov8, outputs), 2);
  const auto boxes = read_outputs(OutputLayout::yolov8, outputs, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  expect_box(boxes[0], {22, 16, 16, 8}, 0.8f, 1);
  EXPECT_EQ(recognise_outputs(std::vector{pixels({1, 6, 42})}, kInput), std::nullopt);
}

TEST(Outputs, Yolov10Boxes) {
  cv::Mat rows = tensor({1, 300, 6});
  const float box[] = {22, 16, 38, 24, 0.8f, 2};
  std::copy(std::begin(box), std::end(box), rows.ptr<float>() + 6);
  const std::vector outputs{rows};
  EXPECT_EQ(recognise_outputs(outputs, kInput), OutputLayout::yolov10);
  EXPECT_EQ(classes_in_outputs(OutputLayout::yolov10, outputs), std::nullopt);
  const auto boxes = read_outputs(OutputLayout::yolov10, outputs, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  expect_box(boxes[0], {22, 16, 16, 8}, 0.8f, 2);
  EXPECT_EQ(recognise_outputs(std::vector{pixels({1, 300, 6})}, kInput), std::nullopt);
}

TEST(Outputs, FastestDetBoxes) {
  // 4x2 cells of stride 16.
  cv::Mat channels = tensor({1, 7, 2, 4});
  const float box[] = {0.9f, 0, 0.5f, -1, 0, 0.2f, 0.7f};
  for (int i = 0; i < 7; i++)
    channels.ptr<float>()[i * 8 + 4 + 2] = box[i];
  const std::vector outputs{channels};
  EXPECT_EQ(recognise_outputs(outputs, kInput), OutputLayout::fastestdet);
  EXPECT_EQ(classes_in_outputs(OutputLayout::fastestdet, outputs), 2);
  const auto boxes = read_outputs(OutputLayout::fastestdet, outputs, kInput, 0.1f);
  ASSERT_EQ(boxes.size(), 1u);
  const float width = 64 / (1 + std::exp(1.0f)), height = 16;
  const float y = (1 + std::tanh(0.5f)) * 16;
  expect_box(boxes[0], {32 - width / 2, y - height / 2, width, height},
             std::pow(0.9f, 0.6f) * std::pow(0.7f, 0.4f), 1);
  EXPECT_EQ(recognise_outputs(std::vector{pixels({1, 7, 2, 4})}, kInput), std::nullopt);
}

TEST(Outputs, AreReadOnlyFromShapesThatFit) {
  const std::vector<std::pair<OutputLayout, cv::Mat>> all = {
      {OutputLayout::darknet, tensor({10, 6})},    {OutputLayout::yolox, tensor({1, 42, 85})},
      {OutputLayout::yolov5, tensor({1, 126, 7})}, {OutputLayout::yolov8, tensor({1, 84, 42})},
      {OutputLayout::yolov10, tensor({1, 9, 6})},  {OutputLayout::fastestdet, tensor({1, 7, 2, 4})},
      {OutputLayout::ssd, tensor({1, 1, 9, 7})}};
  for (const auto &[layout, own] : all) {
    for (const auto &[other, output] : all)
      EXPECT_EQ(fits_layout(layout, std::vector{output}, kInput), layout == other);
    EXPECT_FALSE(fits_layout(layout, {}, kInput));
    if (layout != OutputLayout::darknet) {
      EXPECT_FALSE(fits_layout(layout, std::vector{own, own}, kInput));
    }
  }
}

TEST(Outputs, NumbersThatAreNoneAreLeftOut) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (float bad : {nan, infinity, -infinity, 1e30f}) {
    cv::Mat darknet(2, 6, CV_32F, cv::Scalar(bad));
    cv::Mat yolox = tensor({1, 42, 6});
    yolox.setTo(bad);
    cv::Mat ssd = tensor({1, 1, 3, 7});
    ssd.setTo(bad);
    for (const auto &[layout, output] :
         {std::pair(OutputLayout::darknet, darknet), std::pair(OutputLayout::yolox, yolox),
          std::pair(OutputLayout::ssd, ssd)})
      for (const OutputBox &box : read_outputs(layout, std::vector{output}, kInput, 0.1f)) {
        EXPECT_TRUE(std::isfinite(box.box.area()));
        EXPECT_LE(box.confidence, 1.0f);
      }
  }
}

TEST(Labels, BecomeNames) {
  EXPECT_EQ(label_as_name("traffic light"), "traffic_light");
  EXPECT_EQ(label_as_name("caf\xc3\xa9/bar"), "caf___bar");
  EXPECT_EQ(label_as_name(std::string(100, 'a')).size(), 64u);
  EXPECT_EQ(coco_labels().size(), 80u);
  EXPECT_EQ(coco_labels()[0], "person");
  EXPECT_EQ(coco_labels()[79], "toothbrush");
}

}  // namespace
}  // namespace npc
