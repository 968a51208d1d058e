// SPDX-License-Identifier: LGPL-2.1-or-later
// What moves: found against noise, changes of light, and things that stand.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <opencv2/imgproc.hpp>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/light.h"

using namespace npc::detect;

namespace npc {
namespace {

const cv::Size kSize(320, 240);
constexpr double kRate = 10;

/// A street with a texture, noise of its own in each picture, and a motion detector that watches.
class Street : public testing::Test {
 protected:
  using Draw = std::function<void(cv::Mat &picture)>;

  void SetUp() override { make({}); }

  void make(DetectorSettings settings) {
    detector_ = make_motion(settings);
    cv::Mat coarse(12, 16, CV_8UC3);
    rng_.fill(coarse, cv::RNG::UNIFORM, 60, 150);
    cv::resize(coarse, street_, kSize, 0, 0, cv::INTER_CUBIC);
    time_ = 0;
  }

  /// What is found in the next picture, once `draw` has drawn on the street.
  std::vector<Detection> look(const Draw &draw = {}) {
    cv::Mat picture = street_.clone(), noise(kSize, CV_16SC3);
    if (draw)
      draw(picture);
    rng_.fill(noise, cv::RNG::NORMAL, 0, 3);
    cv::add(picture, noise, picture, cv::noArray(), CV_8U);
    detector_->set_time(time_);
    time_ += 1 / kRate;
    std::vector<Detection> found;
    detector_->detect(picture, 0, found);
    return found;
  }

  void look(int times, const Draw &draw = {}) {
    for (int i = 0; i < times; ++i)
      look(draw);
  }

  /// Only what has moved.
  static std::vector<Detection> sure(std::vector<Detection> found) {
    std::erase_if(found, [](const Detection &one) { return one.confidence < 0.5f; });
    std::ranges::sort(found, {}, [](const Detection &one) { return one.box.x; });
    return found;
  }

  static Draw block(double x, double y, cv::Size size = {24, 36}) {
    return [=](cv::Mat &picture) {
      const cv::Rect where(cvRound(x), cvRound(y), size.width, size.height);
      cv::rectangle(picture, where, cv::Scalar(20, 30, 230), cv::FILLED);
    };
  }

  static void expect_at(const cv::Rect2f &box, double x, double y, double within = 4) {
    EXPECT_NEAR(box.x, x, within);
    EXPECT_NEAR(box.y, y, within);
    EXPECT_NEAR(box.width, 24, 2 * within);
    EXPECT_NEAR(box.height, 36, 2 * within);
  }

  std::unique_ptr<Detector> detector_;
  cv::Mat street_;
  cv::RNG rng_{7};
  double time_ = 0;
};

TEST_F(Street, ThatIsEmptyShowsNothing) {
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(look().empty()) << i;
}

TEST_F(Street, ShowsWhoWalks) {
  look(15);
  for (int i = 0; i < 60; ++i) {
    const auto found = sure(look(block(4 * i, 100)));
    if (i < 10)
      continue;
    ASSERT_EQ(found.size(), 1u) << i;
    expect_at(found[0].box, 4 * i, 100);
    EXPECT_EQ(found[0].label, "person");
    EXPECT_LE(found[0].confidence, 1.0f);
  }
}

TEST_F(Street, IsLearnedBeforeAnythingIsTold) {
  // Whoever is there from the start is part of it.
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(look(block(100 + 8 * i, 100)).empty()) << i;
  make({});
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(look(block(100, 100)).empty()) << i;
}

TEST_F(Street, ThatIsLitOtherwiseShowsNothingNew) {
  look(30);
  struct Change {
    cv::Scalar gains;
    double offset;
  };
  for (const Change &change :
       {Change{{1.5, 1.5, 1.5}, 0}, Change{{0.6, 0.6, 0.6}, 0}, Change{{0.7, 0.7, 0.7}, 25},
        Change{{1.2, 1.0, 0.8}, 0}, Change{{1.7, 1.7, 1.7}, -10}, Change{{1, 1, 1}, 0}}) {
    for (int i = 0; i < 15; ++i) {
      const auto found = look([&](cv::Mat &picture) {
        cv::multiply(picture, change.gains, picture);
        picture += cv::Scalar::all(change.offset);
      });
      EXPECT_TRUE(found.empty()) << change.gains << " in picture " << i;
    }
  }
}

TEST_F(Street, ShowsWhoWalksWhenTheExposureJumps) {
  look(30);
  for (int i = 0; i < 60; ++i) {
    const auto found = sure(look([&](cv::Mat &picture) {
      block(4 * i, 100)(picture);
      if (i >= 20 && i < 40)
        picture *= 0.6;
    }));
    if (i < 10)
      continue;
    ASSERT_EQ(found.size(), 1u) << i;
    expect_at(found[0].box, 4 * i, 100);
  }
}

TEST_F(Street, ThatBecomesBlownOutShowsNothingNew) {
  street_ += cv::Scalar::all(80);
  look(30);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(look([](cv::Mat &picture) { picture *= 1.4; }).empty()) << i;
}

TEST_F(Street, KeepsTwoApartWhoPassOneAnother) {
  look(15);
  for (int i = 0; i < 50; ++i) {
    // One above the other by less than a blob's height: they touch for half a second.
    const double right = 60 + 4 * i, left = 260 - 4 * i;
    const auto found = sure(look([&](cv::Mat &picture) {
      block(right, 90)(picture);
      block(left, 124)(picture);
    }));
    if (i < 10)
      continue;
    ASSERT_EQ(found.size(), 2u) << i;
    const auto upper = std::ranges::min_element(
        found, {}, [](const Detection &one) { return one.box.y + one.box.height / 2; });
    EXPECT_NEAR(upper->box.x + upper->box.width / 2, right + 12, 10) << i;
  }
}

TEST_F(Street, KeepsOneTogetherWhoIsBehindAPole) {
  look(15);
  for (int i = 0; i < 60; ++i) {
    const auto found = sure(look([&](cv::Mat &picture) {
      const cv::Mat pole = picture(cv::Rect(150, 0, 8, kSize.height)).clone();
      block(4 * i, 100, {40, 36})(picture);
      pole.copyTo(picture(cv::Rect(150, 0, 8, kSize.height)));
    }));
    if (i >= 10) {
      EXPECT_EQ(found.size(), 1u) << i;
    }
  }
}

TEST_F(Street, AbsorbsSlowlyWhoStops) {
  look(15);
  for (int i = 0; i < 20; ++i)
    look(block(4 * i, 100));
  // Still there after twenty seconds, in a place that does not change; gone after fifty.
  for (int i = 0; i < 200; ++i) {
    const auto found = sure(look(block(80, 100)));
    ASSERT_EQ(found.size(), 1u) << i;
    expect_at(found[0].box, 80, 100);
  }
  look(300, block(80, 100));
  EXPECT_TRUE(look(block(80, 100)).empty());
}

TEST_F(Street, IsNotSureOfWhatNeverMoved) {
  look(15);
  // A lamp goes on: it may be told of, but must not begin a track.
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(sure(look(block(100, 100))).empty()) << i;
}

TEST_F(Street, LeavesOutWhatIsTiny) {
  const cv::Size tiny(8, 8);
  look(15);
  for (int i = 0; i < 40; ++i)
    EXPECT_TRUE(look(block(4 * i, 100, tiny)).empty()) << i;
  DetectorSettings settings;
  settings.least_size = 0.0004;
  make(settings);
  look(15);
  std::size_t seen = 0;
  for (int i = 0; i < 40; ++i)
    seen += sure(look(block(4 * i, 100, tiny))).size();
  EXPECT_GE(seen, 30u);
}

TEST_F(Street, IsLearnedAnewWhereTheCameraIsTurned) {
  look(30);
  cv::flip(street_, street_, -1);
  street_ = cv::Scalar::all(255) - street_;
  for (int i = 0; i < 30; ++i)
    EXPECT_TRUE(sure(look()).empty()) << i;
  for (int i = 0; i < 40; ++i) {
    const auto found = sure(look(block(4 * i, 100)));
    if (i >= 10) {
      EXPECT_EQ(found.size(), 1u) << i;
    }
  }
}

TEST_F(Street, IsLearnedAnewWhenTimeGoesBack) {
  look(30);
  time_ = 0;
  for (int i = 0; i < 9; ++i)
    EXPECT_TRUE(look(block(4 * i, 100)).empty()) << i;
}

TEST_F(Street, TakesPicturesOfAnySize) {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(3, 200), cv::Size(640, 480)}) {
    std::vector<Detection> found;
    for (int i = 0; i < 20; ++i) {
      detector_->set_time(time_ += 0.1);
      detector_->detect(cv::Mat(size, CV_8UC3, cv::Scalar::all(10 * i)), 0, found);
    }
  }
  EXPECT_EQ(detector_->input_spec({1920, 1080}).size, cv::Size(427, 240));
  EXPECT_EQ(detector_->input_spec({160, 120}).size, cv::Size(160, 120));
  EXPECT_TRUE(detector_->caps().every_frame);
}

TEST(MotionDetector, GivesAllTheOneClass) {
  DetectorSettings settings;
  settings.classes = {"person", "car"};
  try {
    make_motion(settings);
    FAIL();
  } catch (const DetectorError &error) {
    EXPECT_NE(std::string(error.what()).find("classes apart"), std::string::npos);
  }
}

cv::Mat shades() {
  cv::Mat values(24, 24, CV_32F);
  cv::RNG(3).fill(values, cv::RNG::UNIFORM, 40, 120);
  return values;
}

TEST(CompareLight, FindsGainAndOffsetWhateverMoves) {
  const cv::Mat before = shades();
  cv::Mat now = (before - 20) / 0.8;
  cv::RNG(4).fill(now(cv::Rect(0, 0, 24, 10)), cv::RNG::UNIFORM, 20, 230);
  const auto light = compare_light(now, before, cv::Mat::ones(24, 24, CV_8U));
  ASSERT_TRUE(light);
  EXPECT_NEAR(light->gain, 0.8, 0.02);
  EXPECT_NEAR(light->offset, 20, 2);
}

TEST(CompareLight, LooksWhereItIsStill) {
  const cv::Mat before = shades();
  cv::Mat now = before * 0.5, still = cv::Mat::ones(24, 24, CV_8U);
  // A crowd in most of it, all of one colour.
  now(cv::Rect(0, 0, 24, 18)) = 90;
  still(cv::Rect(0, 0, 24, 18)) = 0;
  const auto light = compare_light(now, before, still);
  ASSERT_TRUE(light);
  EXPECT_NEAR(light->gain, 2, 0.02);
}

TEST(CompareLight, TakesAGainWhereAllIsAlike) {
  const auto light = compare_light(cv::Mat(24, 24, CV_32F, 50.0), cv::Mat(24, 24, CV_32F, 100.0),
                                   cv::Mat::ones(24, 24, CV_8U));
  ASSERT_TRUE(light);
  EXPECT_NEAR(light->gain * 50 + light->offset, 100, 1);
}

TEST(CompareLight, DoesNotJudgeInTheDarkNorAnotherScene) {
  const cv::Mat still = cv::Mat::ones(24, 24, CV_8U);
  EXPECT_FALSE(compare_light(cv::Mat(24, 24, CV_32F, 2.0), cv::Mat(24, 24, CV_32F, 100.0), still));
  EXPECT_FALSE(compare_light(shades() / 8 + 12, shades() * 1.5 + 20, still));
}

}  // namespace
}  // namespace npc
