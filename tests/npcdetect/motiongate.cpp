// SPDX-License-Identifier: LGPL-2.1-or-later
// The motion gate and what carries boxes, on synthetic cells.
#include "npcdetect/core/motiongate.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "npcdetect/core/propagation.h"

using namespace npc::detect;

namespace npc {
namespace {

const cv::Size kCells(192, 144);
const cv::Rect kAll({}, kCells);
constexpr double kFrame = 0.1;

/// A scene of smooth shades, as of walls and trees, 40 to 200.
cv::Mat background() {
  cv::Mat scene(kCells, CV_8UC1);
  cv::RNG(7).fill(scene, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(scene, scene, {}, 3);
  cv::normalize(scene, scene, 40, 200, cv::NORM_MINMAX);
  return scene;
}

cv::Mat with_square(cv::Mat scene, const cv::Rect &square, int level = 230) {
  scene(square).setTo(level);
  return scene;
}

class GateTest : public testing::Test {
 protected:
  /// Looks at `scene` with noise of `sigma` levels.
  void look(const cv::Mat &scene, double sigma = 0, double seconds = kFrame) {
    cv::Mat wide, noise(scene.size(), CV_32F);
    random_.fill(noise, cv::RNG::NORMAL, 0, sigma);
    scene.convertTo(wide, CV_32F);
    wide += noise;
    wide.convertTo(wide, CV_8U);
    gate_.analyse(wide, seconds);
  }

  double changed() const { return gate_.share_changed(kAll); }

  cv::RNG random_{1};
  MotionGate gate_;
};

TEST_F(GateTest, EverythingIsNewAtFirst) {
  look(background());
  EXPECT_EQ(changed(), 1);
  gate_.mark_seen(kAll);
  look(background());
  EXPECT_EQ(changed(), 0);
}

TEST_F(GateTest, NoiseIsNoChange) {
  for (const double sigma : {1.0, 2.5, 4.0}) {
    gate_.wipe();
    // The first seconds tell how much there is.
    for (int i = 0; i < 100; ++i)
      look(background(), sigma);
    gate_.mark_seen(kAll);
    int with_change = 0;
    for (int i = 0; i < 300; ++i) {
      look(background(), sigma);
      with_change += changed() > 0;
    }
    EXPECT_LE(with_change, 3) << sigma;
  }
}

TEST_F(GateTest, ASquareThatComesStaysOrLeavesIsSeenInTime) {
  const cv::Rect square(60, 50, 4, 10);
  for (int i = 0; i < 20; ++i)
    look(background(), 1);
  gate_.mark_seen(kAll);
  look(with_square(background(), square), 1);
  EXPECT_GT(gate_.share_changed(square), 0.9);
  EXPECT_EQ(gate_.share_changed({120, 20, 50, 100}), 0);
  // It is a change until someone looks there, however long it stands.
  for (int i = 0; i < 600; ++i)
    look(with_square(background(), square), 1);
  EXPECT_GT(gate_.share_changed(square), 0.9);
  gate_.mark_seen({50, 40, 30, 30});
  for (int i = 0; i < 600; ++i)
    look(with_square(background(), square), 1);
  EXPECT_EQ(gate_.share_changed({50, 40, 30, 30}), 0);
  // And when it goes, that is one.
  look(background(), 1);
  EXPECT_GT(gate_.share_changed(square), 0.9);
}

TEST_F(GateTest, WhoIsHardToTellFromTheWallIsSeen) {
  cv::Mat wall(kCells, CV_8UC1, cv::Scalar(90));
  for (int i = 0; i < 50; ++i)
    look(wall, 0.7);
  gate_.mark_seen(kAll);
  const cv::Rect square(60, 50, 5, 12);
  look(with_square(wall.clone(), square, 104), 0.7);
  EXPECT_GT(gate_.share_changed(square), 0.8);
}

TEST_F(GateTest, AJumpOfLightChangesEverything) {
  look(background());
  gate_.mark_seen(kAll);
  look(background() * 1.25);
  EXPECT_GT(changed(), 0.5);
  gate_.mark_seen(kAll);
  look(background() * 1.25);
  EXPECT_EQ(changed(), 0);
}

TEST_F(GateTest, DuskIsFollowed) {
  look(background());
  gate_.mark_seen(kAll);
  // 30 levels in a minute.
  const cv::Rect square(60, 50, 6, 15);
  for (int i = 0; i < 600; ++i) {
    look(background() - cv::Scalar(i / 20.0), 1);
    ASSERT_EQ(changed(), 0) << i;
  }
  look(with_square(background() - cv::Scalar(30), square), 1);
  EXPECT_GT(gate_.share_changed(square), 0.9);
  EXPECT_EQ(gate_.share_changed({120, 20, 50, 100}), 0);
}

TEST_F(GateTest, AShakenCameraChangesMuch) {
  cv::Mat scene = background();
  look(scene);
  gate_.mark_seen(kAll);
  cv::Mat shaken;
  cv::warpAffine(scene, shaken, cv::Matx23d(1, 0, 3, 0, 1, 2), kCells, cv::INTER_LINEAR,
                 cv::BORDER_REPLICATE);
  look(shaken);
  // More than windows are cut for, even in a scene without a sharp edge.
  EXPECT_GT(changed(), 0.3);
}

TEST_F(GateTest, PassersByDoNotBlindIt) {
  const cv::Rect square(60, 50, 8, 20);
  // Somebody is there a third of the time, for a minute.
  bool there = false;
  for (int i = 0; i < 600; ++i) {
    if (random_.uniform(0, 6) == 0)
      there = random_.uniform(0, 3) == 0;
    look(there ? with_square(background(), square) : background(), 1);
  }
  look(background(), 1);
  gate_.mark_seen(kAll);
  cv::Mat scene = background();
  scene(square) += cv::Scalar(20);
  look(scene, 1);
  EXPECT_GT(gate_.share_changed(square), 0.8);
}

TEST_F(GateTest, FrameRateDoesNotMatter) {
  for (const double fps : {2.0, 60.0}) {
    gate_.wipe();
    for (int i = 0; i < 20 * fps; ++i)
      look(background(), 2.5, 1 / fps);
    gate_.mark_seen(kAll);
    const cv::Rect square(60, 50, 6, 15);
    int with_change = 0;
    for (int i = 0; i < 50; ++i) {
      look(background(), 2.5, 1 / fps);
      with_change += changed() > 0;
    }
    EXPECT_LE(with_change, 1) << fps;
    look(with_square(background(), square), 2.5, 1 / fps);
    EXPECT_GT(gate_.share_changed(square), 0.8) << fps;
  }
}

TEST_F(GateTest, OneCellIsSmall) {
  gate_.analyse(cv::Mat(1, 1, CV_8UC1, cv::Scalar(3)), 0);
  EXPECT_EQ(gate_.share_changed({0, 0, 1, 1}), 1);
  gate_.mark_seen({-5, -5, 10, 10});
  gate_.analyse(cv::Mat(1, 1, CV_8UC1, cv::Scalar(3)), 1);
  EXPECT_EQ(gate_.share_changed({0, 0, 1, 1}), 0);
  EXPECT_EQ(gate_.share_changed({5, 5, 1, 1}), 0);
}

TEST(Carry, ABoxGoesWithWhatMovesInIt) {
  const cv::Rect figure(60, 50, 10, 24);
  cv::Mat before = background(), now = background(), pattern(figure.size(), CV_8UC1);
  cv::RNG(3).fill(pattern, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(pattern, pattern, {}, 1.5);
  pattern.copyTo(before(figure));
  pattern.copyTo(now(figure + cv::Point(2, 1)));
  cv::Mat moving;
  cv::absdiff(before, now, moving);
  moving = moving > 8;
  std::vector<cv::Rect2f> boxes = {cv::Rect2f(figure), {120, 60, 10, 24}, {-40, -90, 20, 40}};
  const std::vector<cv::Rect2f> first = boxes;
  propagate_boxes(before, now, moving, boxes);
  EXPECT_NEAR(boxes[0].x, 62, 0.5);
  EXPECT_NEAR(boxes[0].y, 51, 0.5);
  EXPECT_EQ(boxes[0].size(), first[0].size());
  EXPECT_EQ(boxes[1], first[1]);
  EXPECT_EQ(boxes[2], first[2]);
}

TEST(Carry, NothingMovesWhereNothingChanged) {
  std::vector<cv::Rect2f> boxes = {{60, 50, 10, 24}};
  propagate_boxes(background(), background(), cv::Mat::zeros(kCells, CV_8UC1), boxes);
  EXPECT_EQ(boxes[0], cv::Rect2f(60, 50, 10, 24));
  std::vector<cv::Rect2f> none;
  propagate_boxes(background(), background(), cv::Mat(kCells, CV_8UC1, cv::Scalar(255)), none);
}

TEST(Carry, TinyPicturesAreNoTrouble) {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(1, 150), cv::Size(8, 3)}) {
    const cv::Mat cells(size, CV_8UC1, cv::Scalar(80));
    std::vector<cv::Rect2f> boxes = {{0, 0, 1, 1}, {-3, -3, 300, 300}};
    propagate_boxes(cells, cells, cv::Mat(size, CV_8UC1, cv::Scalar(255)), boxes);
    EXPECT_NEAR(boxes[0].x, 0, 0.1);
  }
}

}  // namespace
}  // namespace npc
