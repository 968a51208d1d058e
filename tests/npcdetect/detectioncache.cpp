// SPDX-License-Identifier: LGPL-2.1-or-later
// What is looked at anew and what stands, with a detector that knows what is there; and that HOG
// finds in a window what it finds in the whole.
#include "npcdetect/core/detectioncache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <utility>

using namespace npc::detect;

namespace npc {
namespace {

const cv::Size kCells(192, 144);
const cv::Size kPicture(768, 576);
constexpr float kStrong = 0.5f;

class WatchTest : public testing::Test {
 protected:
  void SetUp() override { configure(); }

  void configure() {
    DetectorCaps reach;
    reach.crops = crops_;
    reach.least = cv::Size(32, 92);
    reach.crop_least = cv::Size(64, 128);
    reach.margin = 0.2f;
    reach.border = 8;
    cache_.configure(kPicture, reach);
  }

  /// A frame with people as dark boxes, in pixels of the picture; what is not in `hidden` is found.
  std::vector<CropRegion> frame(const std::vector<cv::Rect> &people,
                                const std::vector<cv::Rect> &hidden = {}) {
    cv::Mat cells(kCells, CV_8UC1, cv::Scalar(150));
    for (const cv::Rect &person : people)
      cells(cv::Rect(person.x / 4, person.y / 4, person.width / 4, person.height / 4) &
            cv::Rect({}, kCells))
          .setTo(40);
    cache_.analyse(cells, 0.2);
    const std::vector<CropRegion> windows =
        std::exchange(first_, false) ? std::vector{cache_.whole()} : cache_.plan();
    std::vector<std::vector<Detection>> found(windows.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      EXPECT_EQ(windows[i].crop & cv::Rect({}, kPicture), windows[i].crop);
      EXPECT_EQ(windows[i].core & windows[i].crop, windows[i].core);
      EXPECT_GE(windows[i].crop.width, 64);
      EXPECT_GE(windows[i].crop.height, 128);
      for (const cv::Rect &person : people)
        if ((person & windows[i].crop) == person && std::ranges::count(hidden, person) == 0)
          found[i].push_back({cv::Rect2f(person), 0.9f, "person"});
    }
    if (!windows.empty())
      cache_.update(windows, found, kStrong);
    return windows;
  }

  std::vector<cv::Rect> standing() const {
    std::vector<cv::Rect> boxes;
    for (const Detection &object : cache_.standing())
      boxes.emplace_back(object.box);
    std::ranges::sort(boxes, {}, &cv::Rect::x);
    return boxes;
  }

  static bool is_whole(const std::vector<CropRegion> &windows) {
    return windows.size() == 1 && windows.front().crop.size() == kPicture;
  }

  bool crops_ = true;
  bool first_ = true;
  DetectionCache cache_;
};

using Boxes = std::vector<cv::Rect>;
const cv::Rect kLeft(100, 200, 48, 128), kRight(560, 240, 48, 128);

TEST_F(WatchTest, AStillSceneIsLookedAtTwiceAndKeepsItsPeople) {
  EXPECT_TRUE(is_whole(frame({kLeft, kRight})));
  EXPECT_FALSE(frame({kLeft, kRight}).empty());
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(frame({kLeft, kRight}).empty());
  EXPECT_EQ(standing(), (Boxes{kLeft, kRight}));
}

TEST_F(WatchTest, AnEmptySceneIsLookedAtOnce) {
  EXPECT_TRUE(is_whole(frame({})));
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(frame({}).empty());
}

TEST_F(WatchTest, WhoLeavesIsGoneWithTheNextLook) {
  for (int i = 0; i < 50; ++i)
    frame({kLeft, kRight});
  const std::vector<CropRegion> windows = frame({kRight});
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_FALSE(is_whole(windows));
  EXPECT_TRUE((windows.front().crop & kRight).empty());
  EXPECT_EQ(standing(), Boxes{kRight});
}

TEST_F(WatchTest, WhoStoodForLongIsFollowedWhenHeWalks) {
  for (int i = 0; i < 500; ++i)
    frame({kLeft});
  for (int x = kLeft.x; x < 700; x += 24) {
    const cv::Rect now(x, kLeft.y, kLeft.width, kLeft.height);
    frame({now});
    ASSERT_EQ(standing(), Boxes{now});
  }
}

TEST_F(WatchTest, WhoComesInAtAnEdgeIsFoundBesideWhoStands) {
  for (int i = 0; i < 5; ++i)
    frame({kLeft});
  const cv::Rect edge(720, 440, 48, 136);
  const std::vector<CropRegion> windows = frame({kLeft, edge});
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_FALSE(is_whole(windows));
  EXPECT_EQ(standing(), (Boxes{kLeft, edge}));
}

TEST_F(WatchTest, WhoIsPartlyInAWindowIsInItWhole) {
  const cv::Rect near(kLeft.x + 70, kLeft.y + 40, 48, 128);
  for (int i = 0; i < 5; ++i)
    frame({kLeft, near});
  const std::vector<CropRegion> windows = frame({near});
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows.front().core & near, near);
  EXPECT_EQ(standing(), Boxes{near});
}

TEST_F(WatchTest, AChanceMissIsLookedAtAgain) {
  for (int i = 0; i < 5; ++i)
    frame({kLeft, kRight});
  // A full scan that overlooks one of them.
  first_ = true;
  EXPECT_TRUE(is_whole(frame({kLeft, kRight}, {kLeft})));
  EXPECT_EQ(standing(), (Boxes{kLeft, kRight}));
  EXPECT_FALSE(frame({kLeft, kRight}).empty());
  EXPECT_TRUE(frame({kLeft, kRight}).empty());
  // Twice in a row is no chance.
  first_ = true;
  frame({kLeft, kRight}, {kLeft});
  EXPECT_FALSE(frame({kLeft, kRight}, {kLeft}).empty());
  EXPECT_EQ(standing(), Boxes{kRight});
}

TEST_F(WatchTest, AChanceHitDoesNotStand) {
  for (int i = 0; i < 5; ++i)
    frame({kRight});
  frame({kRight, kLeft});
  EXPECT_EQ(standing(), (Boxes{kLeft, kRight}));
  // Nothing changes any more, and it is not found again.
  EXPECT_FALSE(frame({kRight, kLeft}, {kLeft}).empty());
  EXPECT_EQ(standing(), Boxes{kRight});
}

TEST_F(WatchTest, ManyChangesMeanTheWhole) {
  frame({});
  Boxes crowd;
  for (int x = 0; x < 768; x += 110)
    for (int y = 0; y < 560; y += 190)
      crowd.emplace_back(x, y, 48, 128);
  EXPECT_TRUE(is_whole(frame(crowd)));
  EXPECT_EQ(standing().size(), crowd.size());
}

TEST_F(WatchTest, ADetectorThatTakesNoCropsGetsTheWholeOrNothing) {
  crops_ = false;
  configure();
  frame({kLeft});
  frame({kLeft});
  EXPECT_TRUE(frame({kLeft}).empty());
  EXPECT_TRUE(is_whole(frame({kLeft, kRight})));
}

TEST_F(WatchTest, WhatIsReplacedIsNotDoubted) {
  cache_.analyse(cv::Mat(kCells, CV_8UC1, cv::Scalar(9)), 0.1);
  for (int i = 0; i < 5; ++i)
    cache_.replace({{cv::Rect2f(kLeft), 0.9f, "person"}});
  EXPECT_EQ(standing(), Boxes{kLeft});
  cache_.replace({});
  EXPECT_EQ(standing(), Boxes{});
}

/// A person in outline, on a wall with some texture.
void draw_person(cv::Mat &scene, int x, int feet, int height) {
  auto at = [&](double across, double up) {
    return cv::Point(cvRound(x + across * height), cvRound(feet - up * height));
  };
  const cv::Scalar dark(50);
  cv::ellipse(scene, at(0, .93), cv::Size(cvRound(.065 * height), cvRound(.08 * height)), 0, 0, 360,
              dark, cv::FILLED, cv::LINE_AA);
  using Outline = std::vector<cv::Point>;
  for (const Outline &part : {Outline{at(-.13, .82), at(.13, .82), at(.15, .5), at(.11, .45),
                                      at(-.11, .45), at(-.15, .5)},
                              Outline{at(-.11, .47), at(0, .47), at(-.03, 0), at(-.12, 0)},
                              Outline{at(0, .47), at(.11, .47), at(.12, 0), at(.03, 0)}})
    cv::fillPoly(scene, part, dark, cv::LINE_AA);
}

/// The best detection at `place`, or one of no size.
Detection best_at(const std::vector<Detection> &found, cv::Point place) {
  Detection best{{}, 0, ""};
  for (const Detection &object : found)
    if (object.box.contains(cv::Point2f(place)) && object.confidence > best.confidence)
      best = object;
  return best;
}

// HOG looks at a grid of places and sizes, and windows begin elsewhere than the whole: each has
// luck of its own with one person. Over many, windows must be no worse.
TEST(HogWindow, FindsWhatTheWholeShows) {
  const std::unique_ptr<Detector> hog = make_hog({});
  const cv::Size size(960, 720), cells(240, 180);
  ASSERT_EQ(hog->input_spec(size).size, size);
  const cv::Mat empty(size, CV_8UC1, cv::Scalar(190));
  int in_whole = 0, in_windows = 0, apart = 0;
  for (const int height : {100, 125, 160, 210, 270}) {
    // In the middle, and as near to the edges as the whole shows them.
    for (const int x : {height / 2, 331, 480, 617, 960 - height / 2}) {
      const int feet = 560 + x % 90;
      cv::Mat scene = empty.clone(), small;
      draw_person(scene, x, feet, height);
      cv::GaussianBlur(scene, scene, {}, 1.5);
      DetectionCache watch;
      watch.configure(size, hog->caps());
      cv::resize(empty, small, cells, 0, 0, cv::INTER_AREA);
      watch.analyse(small, 0);
      watch.update(std::vector{watch.whole()}, std::vector<std::vector<Detection>>(1), kStrong);
      cv::resize(scene, small, cells, 0, 0, cv::INTER_AREA);
      watch.analyse(small, 0.1);
      const std::vector<CropRegion> windows = watch.plan();
      ASSERT_EQ(windows.size(), 1u);
      ASSERT_LT(windows.front().crop.area(), size.area() * 6 / 10);
      std::vector<Detection> whole, part;
      hog->detect(scene, 0.2f, whole);
      hog->detect(scene(windows.front().crop), 0.2f, part);
      for (Detection &object : part)
        object.box += cv::Point2f(windows.front().crop.tl());
      std::vector<std::vector<Detection>> found = {part};
      watch.update(windows, found, kStrong);
      const cv::Point middle(x, feet - height / 2);
      const Detection expected = best_at(whole, middle), got = best_at(watch.standing(), middle);
      in_whole += expected.confidence >= kStrong;
      in_windows += got.confidence >= kStrong;
      if (expected.confidence >= kStrong && got.confidence >= kStrong)
        apart += std::abs(got.box.br().y - expected.box.br().y) > 0.25f * height ||
                 std::abs(got.box.x + got.box.width / 2 - x) > 0.2f * height;
    }
  }
  EXPECT_GE(in_whole, 20) << in_windows << apart;
  EXPECT_GE(in_windows, in_whole - 2);
  EXPECT_LE(apart, 1);
}

// No window of HOG's is so large that they would fill their share of it.
TEST(HogTall, PeopleUpToTheWholeHeightAreFound) {
  const std::unique_ptr<Detector> hog = make_hog({});
  const cv::Size size(960, 720);
  int found_at_once = 0;
  for (const int height : {540, 580, 620, 660, 700}) {
    cv::Mat scene(size, CV_8UC1, cv::Scalar(190));
    const int feet = 710;
    draw_person(scene, 480, feet, height);
    cv::GaussianBlur(scene, scene, {}, 3);
    std::vector<Detection> found;
    hog->detect(scene, 0.5f, found);
    const Detection best = best_at(found, {480, feet - height / 2});
    found_at_once += std::abs(best.box.height - static_cast<float>(height)) < 0.15 * height &&
                     std::abs(best.box.br().y - feet) < 0.2 * height;
  }
  EXPECT_GE(found_at_once, 4);
}

}  // namespace
}  // namespace npc
