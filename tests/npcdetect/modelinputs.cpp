// SPDX-License-Identifier: LGPL-2.1-or-later
// What networks look at: the shape of the frame, within a budget, and what a file beside a model
// says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/modeldescription.h"

using namespace npc::detect;

namespace npc {
namespace {

namespace fs = std::filesystem;

/// A network whose weights are all 0: in each cell of 32x32 pixels it sees, with a score of 0.25,
/// one thing of that size.
class ModelInputs : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "npc-inputs-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    write("cells.cfg",
          "[net]\nwidth=96\nheight=96\nchannels=3\n"
          "[convolutional]\nfilters=6\nsize=32\nstride=32\npad=0\nactivation=linear\n"
          "[yolo]\nmask=0\nanchors=32,32\nclasses=1\nnum=1\n");
    write("cells.weights", std::string(20 + (6 * 32 * 32 * 3 + 6) * sizeof(float), '\0'));
    settings_.model = (directory_ / "cells.weights").string();
  }
  void TearDown() override { fs::remove_all(directory_); }

  void write(const std::string &name, const std::string &bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
  }

  cv::Size picture_of(cv::Size frame) const {
    return make_network(settings_)->input_spec(frame).size;
  }

  fs::path directory_;
  DetectorSettings settings_;
};

TEST_F(ModelInputs, HaveTheShapeOfTheFrame) {
  EXPECT_EQ(picture_of({1280, 720}), cv::Size(626, 352));
  EXPECT_EQ(picture_of({768, 576}), cv::Size(544, 408));
  EXPECT_EQ(picture_of({1080, 1920}), cv::Size(352, 626));
  // At most twice as large.
  EXPECT_EQ(picture_of({160, 120}), cv::Size(320, 240));
  settings_.input_pixels = 320 * 192;
  EXPECT_EQ(picture_of({1280, 720}), cv::Size(320, 180));
  // No budget for a single cell: one it is.
  settings_.input_pixels = 1;
  EXPECT_EQ(picture_of({1280, 720}), cv::Size(32, 18));
}

TEST_F(ModelInputs, AreWithinTheBudget) {
  const auto network = make_network(settings_);
  for (int width = 1; width < 4000; width += 37) {
    for (int height = 1; height < 4000; height += 41) {
      const cv::Size size = network->input_spec({width, height}).size;
      const auto up = [](int side) { return (side + 31) / 32 * 32; };
      ASSERT_GT(size.area(), 0);
      ASSERT_LE(up(size.width) * up(size.height), 640 * 360) << width << "x" << height;
      // Of the frame's shape, but for rounding.
      ASSERT_NEAR(size.width * static_cast<double>(height) / width, size.height,
                  0.5 + 0.5 * height / width);
    }
  }
}

TEST_F(ModelInputs, AreAsTheUserWants) {
  settings_.input = {640, 480};
  EXPECT_EQ(picture_of({1280, 720}), cv::Size(640, 360));
  EXPECT_EQ(picture_of({480, 640}), cv::Size(360, 480));
}

TEST_F(ModelInputs, AreAsTheFileBesideTheModelSays) {
  write("cells.json", R"({"input": [320, 320], "classes": ["bird"], "confidence": 0.2})");
  settings_.classes = {"bird"};
  const auto network = make_network(settings_);
  EXPECT_EQ(network->input_spec({1280, 720}).size, cv::Size(320, 180));
  EXPECT_EQ(network->confidence(), 0.2);
  std::vector<Detection> found;
  network->detect(cv::Mat(180, 320, CV_8UC3, cv::Scalar::all(0)), 0.2f, found);
  ASSERT_EQ(found.size(), 100U);
  EXPECT_EQ(found[0].label, "bird");
}

TEST_F(ModelInputs, FindThingsWhereTheyAreInThePicture) {
  const auto network = make_network(settings_);
  for (const cv::Size size : {cv::Size(320, 180), cv::Size(90, 160), cv::Size(320, 180)}) {
    std::vector<Detection> found;
    network->detect(cv::Mat(size, CV_8UC3, cv::Scalar::all(0)), 0.2f, found);
    ASSERT_EQ(found.size(), static_cast<std::size_t>((size.width + 31) / 32) *
                                static_cast<std::size_t>((size.height + 31) / 32));
    for (const cv::Point corner : {cv::Point(0, 0), cv::Point(64, 128)})
      EXPECT_TRUE(std::ranges::any_of(found, [&](const Detection &one) {
        return cv::norm(one.box.tl() - cv::Point2f(corner)) < 0.01 &&
               std::abs(one.box.area() - 1024) < 1;
      })) << corner;
  }
}

TEST_F(ModelInputs, ConfidenceFollowsFromTheFactorsOfAScore) {
  EXPECT_DOUBLE_EQ(make_network(settings_)->confidence(), 0.7);
  write("cells.cfg",
        "[net]\nwidth=96\nheight=96\nchannels=3\n"
        "[convolutional]\nfilters=7\nsize=32\nstride=32\npad=0\nactivation=linear\n"
        "[yolo]\nmask=0\nanchors=32,32\nclasses=2\nnum=1\n");
  write("cells.weights", std::string(20 + (7 * 32 * 32 * 3 + 7) * sizeof(float), '\0'));
  write("names", "person\ncar\n");
  settings_.labels = (directory_ / "names").string();
  EXPECT_DOUBLE_EQ(make_network(settings_)->confidence(), 0.7 * 0.7);
}

std::string refusal(const char *json) {
  try {
    parse_model_description(json, "some.json");
  } catch (const DetectorError &error) {
    return error.what();
  }
  return "accepted";
}

TEST(ModelDescription, SaysWhatTheModelDoesNot) {
  const ModelDescription all = parse_model_description(
      R"({"classes": ["person", "traffic light"], "input": [416, 256], "mean": [1, 2, 3.5],
          "scale": 0.25, "channels": "rgb", "layout": "yolox-decoded", "confidence": 0.4})",
      "some.json");
  EXPECT_EQ(all.classes, (std::vector<std::string>{"person", "traffic_light"}));
  EXPECT_EQ(all.input, cv::Size(416, 256));
  EXPECT_EQ(all.mean, cv::Scalar(1, 2, 3.5));
  EXPECT_EQ(all.scale, 0.25);
  EXPECT_EQ(all.rgb, true);
  EXPECT_EQ(all.layout, OutputLayout::yolox_decoded);
  EXPECT_EQ(all.confidence, 0.4);
  const ModelDescription none = parse_model_description("{}", "some.json");
  EXPECT_TRUE(none.classes.empty());
  EXPECT_FALSE(none.input || none.mean || none.scale || none.rgb || none.layout || none.confidence);
}

TEST(ModelDescription, IsRefusedWithASentence) {
  for (const char *wrong : {"",
                            "{",
                            "[]",
                            "7",
                            R"({"classes": []})",
                            R"({"classes": [7]})",
                            R"({"classes": [""]})",
                            R"({"input": [416]})",
                            R"({"input": [0, 416]})",
                            R"({"input": [-1, 4]})",
                            R"({"input": [1e9, 4]})",
                            R"({"mean": [1, 2]})",
                            R"({"mean": ["a", 2, 3]})",
                            R"({"scale": 0})",
                            R"({"scale": "1"})",
                            R"({"channels": "grb"})",
                            R"({"layout": "dream"})",
                            R"({"confidence": 0})",
                            R"({"confidence": 1.1})",
                            R"({"size": 3})"}) {
    const std::string sentence = refusal(wrong);
    EXPECT_TRUE(sentence.starts_with("The file some.json, which describes the model")) << wrong;
    EXPECT_TRUE(sentence.ends_with(".")) << sentence;
  }
  EXPECT_NE(refusal(R"({"layout": "dream"})").find("darknet, yolox"), std::string::npos);
}

}  // namespace
}  // namespace npc
