// SPDX-License-Identifier: LGPL-2.1-or-later
// What of each frame is given to a detector that knows what is there, and what is known after it.
#include "npcdetect/core/analyser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace npc::detect;

namespace npc {
namespace {

using People = std::vector<cv::Rect>;

const cv::Size kPicture(768, 576), kFacePicture(384, 288);
constexpr int kCell = 4;  // pixels of the picture on a side
constexpr std::uint64_t kMillisecond = 1'000'000;
const cv::Rect kLeft(100, 200, 48, 128), kRight(560, 240, 48, 128);

/// What the detector is given, and what it is to find there.
struct Scene {
  People people;
  float confidence = 0.9f;
  bool broken = false;
  DetectorCaps caps;
  std::vector<cv::Rect> looks;  // parts of the picture
  float floor = 0;
  double seconds = 0;
  int searches = 0;  // for faces
};

class FakeDetector final : public Detector {
 public:
  explicit FakeDetector(Scene &scene) : scene_(scene) {}
  InputSpec input_spec(cv::Size) const override { return {kPicture, CV_8UC1}; }
  DetectorCaps caps() const override { return scene_.caps; }
  void set_time(double seconds) override { scene_.seconds = seconds; }

  void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) override {
    if (scene_.broken)
      throw DetectorError(DetectorError::Kind::failed, "It is broken.");
    cv::Size whole;
    cv::Point corner;
    picture.locateROI(whole, corner);
    const cv::Rect part(corner, picture.size());
    scene_.looks.push_back(part);
    scene_.floor = floor;
    for (const cv::Rect &person : scene_.people)
      if ((person & part) == person)
        found.push_back({cv::Rect2f(person - corner), scene_.confidence, "person"});
  }

 private:
  Scene &scene_;
};

/// Finds a face in the middle of each part that is not the whole.
class FakeFaceFinder final : public FaceFinder {
 public:
  explicit FakeFaceFinder(Scene &scene) : scene_(scene) {}
  int picture_type() const override { return CV_8UC1; }
  float least() const override { return 1; }

  void find(const cv::Mat &part, const FaceSizes &, float, std::vector<Detection> &found) override {
    scene_.searches++;
    if (part.size() != kFacePicture)
      found.push_back({cv::Rect2f(part.cols / 2.0f - 5, 0, 10, 10), 0.8f, "face"});
  }

 private:
  Scene &scene_;
};

class AnalyserTest : public testing::Test {
 protected:
  struct Frame {
    bool cells = false;  // were needed
    AnalysisPlan plan;
    std::vector<cv::Rect> looks;
    std::vector<Detection> detections;
    AnalysisStats stats;

    bool whole() const { return looks.size() == 1 && looks.front().size() == kPicture; }
    People boxes() const {
      People boxes;
      for (const Detection &object : detections)
        boxes.emplace_back(object.box);
      std::ranges::sort(boxes, {}, &cv::Rect::x);
      return boxes;
    }
  };

  void SetUp() override { make(false); }

  void make(bool faces) {
    scene_.caps.crops = true;
    scene_.caps.least = cv::Size(32, 92);
    scene_.caps.crop_least = cv::Size(64, 128);
    scene_.caps.margin = 0.2f;
    remake(faces);
  }

  void remake(bool faces = false) {
    analyser_ = std::make_unique<Analyser>(
        std::make_unique<FakeDetector>(scene_),
        faces ? std::make_unique<Faces>(std::make_unique<FakeFaceFinder>(scene_)) : nullptr);
    analyser_->configure(kPicture, faces ? kFacePicture : cv::Size());
    time_ = 0;
  }

  /// People as textured boxes before a textured wall: what moves can be followed.
  cv::Mat draw_cells() const {
    cv::Mat cells(kPicture / kCell, CV_8UC1), clothes(32, 12, CV_8UC1);
    cv::RNG(1).fill(cells, cv::RNG::UNIFORM, 140, 160);
    cv::RNG(2).fill(clothes, cv::RNG::UNIFORM, 20, 90);
    for (const cv::Rect &person : scene_.people)
      clothes.copyTo(cells(cv::Rect(person.tl() / kCell, clothes.size())));
    return cells;
  }

  /// Analyses the next frame, `step` after the last.
  Frame frame(std::uint64_t step = 125 * kMillisecond) {
    Frame frame;
    const cv::Mat cells = draw_cells();
    const auto give_cells = [&]() -> const cv::Mat & {
      frame.cells = true;
      return cells;
    };
    scene_.looks.clear();
    frame.plan = analyser_->plan(time_, settings_, give_cells, frame.stats);
    time_ += step;
    // What a plan does not need is not made.
    const cv::Mat picture = frame.plan.regions.empty() ? cv::Mat() : cv::Mat(kPicture, CV_8UC1);
    const cv::Mat faces = frame.plan.faces ? cv::Mat(kFacePicture, CV_8UC1) : cv::Mat();
    frame.detections = analyser_->analyse(frame.plan, picture, faces, frame.stats);
    frame.looks = scene_.looks;
    return frame;
  }

  Scene scene_;
  AnalysisSettings settings_;
  std::unique_ptr<Analyser> analyser_;
  std::uint64_t time_ = 0;
};

TEST_F(AnalyserTest, TheFirstFrameIsLookedAtWhole) {
  scene_.people = {kLeft, kRight};
  const Frame first = frame();
  EXPECT_TRUE(first.whole());
  EXPECT_EQ(first.boxes(), (People{kLeft, kRight}));
  EXPECT_EQ(first.stats.detections, 1u);
  EXPECT_EQ(first.stats.full_scans, 1u);
  EXPECT_FLOAT_EQ(scene_.floor, 0.2f) << "weak detections are wanted too";
}

TEST_F(AnalyserTest, AtThirtyFramesASecondEachStepHasItsTurn) {
  std::string steps;
  for (int i = 0; i < 12; ++i) {
    // Somebody who walks: there is always something to look at.
    scene_.people = {kLeft + cv::Point(8 * i, 0)};
    const Frame now = frame(100 * kMillisecond / 3);
    steps += !now.looks.empty() ? 'd' : now.plan.propagate ? 'p' : now.cells ? '?' : '-';
    EXPECT_EQ(now.looks.empty(), now.plan.regions.empty());
    EXPECT_EQ(now.detections.size(), 1u);
  }
  // Detection on a grid of 125 ms, propagation on one of 60 ms, and the same as before in between.
  EXPECT_EQ(steps, "d-p-d-ppdp-d");
}

TEST_F(AnalyserTest, BetweenDetectionsBoxesGoWithWhatMoves) {
  scene_.people = {kLeft, kRight};
  frame(250 * kMillisecond);
  frame(62 * kMillisecond);
  scene_.people.front().x += 2 * kCell;
  const Frame between = frame(62 * kMillisecond);
  EXPECT_TRUE(between.plan.propagate);
  EXPECT_TRUE(between.looks.empty());
  ASSERT_EQ(between.boxes().size(), 2u);
  EXPECT_NEAR(between.boxes()[0].x, kLeft.x + 2 * kCell, 2);
  EXPECT_EQ(between.boxes()[1], kRight);
  EXPECT_EQ(between.stats.detections, 0u);
  EXPECT_GT(between.stats.propagate_time, 0u);
}

TEST_F(AnalyserTest, WhereSomethingMovedIsLookedAt) {
  scene_.people = {kLeft, kRight};
  for (int i = 0; i < 4; ++i)
    frame();
  scene_.people.front().x += 24;
  const Frame now = frame();
  ASSERT_EQ(now.looks.size(), 1u);
  EXPECT_FALSE(now.whole());
  EXPECT_EQ(now.looks.front() & scene_.people.front(), scene_.people.front());
  EXPECT_TRUE((now.looks.front() & kRight).empty());
  EXPECT_EQ(now.boxes(), scene_.people) << "in pixels of the picture, not of the crop";
  EXPECT_EQ(now.stats.detections, 1u);
  EXPECT_EQ(now.stats.full_scans, 0u);
}

TEST_F(AnalyserTest, AStillSceneStandsWithoutALook) {
  scene_.people = {kLeft, kRight};
  frame();
  frame();
  for (int i = 0; i < 100; ++i) {
    const Frame still = frame();
    ASSERT_TRUE(still.looks.empty()) << i;
    ASSERT_TRUE(still.cells) << i;
    ASSERT_EQ(still.boxes(), scene_.people) << i;
  }
}

TEST_F(AnalyserTest, FullScansComeInTime) {
  settings_.full_scan = 10'000 * kMillisecond;
  scene_.people = {kLeft};
  std::vector<std::uint64_t> scans;
  for (int i = 0; i <= 240; ++i)
    if (frame().whole())
      scans.push_back(i * 125);
  EXPECT_EQ(scans, (std::vector<std::uint64_t>{0, 10'000, 20'000, 30'000}));
}

TEST_F(AnalyserTest, OtherSettingsMeanAFullScan) {
  scene_.people = {kLeft};
  for (int i = 0; i < 4; ++i)
    frame();
  settings_.confidence = 0.7;
  EXPECT_TRUE(frame(1).whole());
  EXPECT_FLOAT_EQ(scene_.floor, 0.28f);
  settings_.masks = {{{0, 0}, {1, 0}, {0, 1}}};
  EXPECT_TRUE(frame(1).whole()) << "although the last look was a nanosecond ago";
  EXPECT_TRUE(frame(1).looks.empty());
}

TEST_F(AnalyserTest, WithoutTheGateEachLookIsAtTheWhole) {
  settings_.motion_gate = false;
  settings_.detection_interval = 0;
  scene_.people = {kLeft};
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(frame(10 * kMillisecond).whole());
  scene_.people = {};
  EXPECT_TRUE(frame().boxes().empty()) << "nothing is believed for longer than it is seen";
}

TEST_F(AnalyserTest, WhoLearnsIsGivenEachFrameWholeWithItsTime) {
  scene_.caps = {.every_frame = true};
  remake();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(frame(40 * kMillisecond).whole());
    EXPECT_DOUBLE_EQ(scene_.seconds, i * 0.04);
  }
}

TEST_F(AnalyserTest, AfterAResetItBeginsAnew) {
  scene_.people = {kLeft};
  for (int i = 0; i < 4; ++i)
    frame();
  ASSERT_FALSE(frame(1).whole());
  analyser_->reset();
  EXPECT_TRUE(frame(1).whole());
}

TEST_F(AnalyserTest, TimeThatGoesBackIsNoReasonToWait) {
  for (int i = 0; i < 4; ++i)
    frame();
  time_ = 0;
  EXPECT_TRUE(frame().whole());
}

TEST_F(AnalyserTest, AnErrorOfTheDetectorIsTheCallers) {
  scene_.broken = true;
  EXPECT_THROW(frame(), DetectorError);
}

TEST_F(AnalyserTest, FacesAreSearchedForInTheirOwnPicture) {
  make(true);
  EXPECT_EQ(analyser_->face_input_spec(kFacePicture)->size, kFacePicture);
  scene_.people = {kLeft};
  const Frame first = frame(100 * kMillisecond);
  EXPECT_TRUE(first.plan.faces);
  EXPECT_EQ(scene_.searches, 2) << "the whole, and the person";
  ASSERT_EQ(first.detections.size(), 2u);
  const Detection &face = first.detections[1];
  EXPECT_EQ(face.label, "face");
  EXPECT_EQ(face.box.size(), cv::Size2f(20, 20)) << "in pixels of the picture";
  EXPECT_NEAR(face.box.x + 10, kLeft.x + kLeft.width / 2.0, 2);
  // Four times a second; in between the face stands.
  const Frame second = frame(100 * kMillisecond);
  EXPECT_FALSE(second.plan.faces);
  EXPECT_EQ(second.detections.size(), 2u);
  frame(100 * kMillisecond);
  EXPECT_TRUE(frame(100 * kMillisecond).plan.faces);
  EXPECT_EQ(scene_.searches, 3);
}

TEST_F(AnalyserTest, FacesAreNotSearchedForWhereNobodyAsked) {
  EXPECT_FALSE(analyser_->face_input_spec(kPicture));
  scene_.people = {kLeft};
  EXPECT_FALSE(frame().plan.faces);
  EXPECT_EQ(scene_.searches, 0);
}

}  // namespace
}  // namespace npc
