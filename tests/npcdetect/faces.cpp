// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces: where and how often they are searched, what is kept in between, and bad models.
#include "npcdetect/core/faces.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>

using namespace npc::detect;

namespace npc {
namespace {

namespace fs = std::filesystem;

const cv::Size kSize(640, 480);

/// Finds the faces that were drawn: each is a square of its own grey level, 255 or less. So the
/// search's own geometry is tested, and nothing else.
class Squares final : public FaceFinder {
 public:
  struct Search {
    cv::Size part;
    FaceSizes sizes;
  };

  explicit Squares(std::vector<Search> &searches) : searches_(searches) {}
  int picture_type() const override { return CV_8UC1; }
  float least() const override { return 10; }

  void find(const cv::Mat &part, const FaceSizes &sizes, float,
            std::vector<Detection> &found) override {
    searches_.push_back({part.size(), sizes});
    for (int level = 255; level > 200; --level) {
      const cv::Rect box = cv::boundingRect(part == level);
      const auto width = static_cast<float>(box.width);
      if (!box.empty() && width >= sizes.least && width <= sizes.most)
        found.push_back({box, 0.9f, "face"});
    }
  }

 private:
  std::vector<Search> &searches_;
};

class FacesOfPeople : public testing::Test {
 protected:
  /// Somebody 60 wide and 160 tall with a face 20 wide, whose upper left corner is at `x`, `y`.
  static cv::Rect2f person(float x, float y) { return {x, y, 60, 160}; }
  static void draw(cv::Mat &picture, const cv::Rect2f &who, int level) {
    picture(cv::Rect(cvRound(who.x) + 20, cvRound(who.y) + 4, 20, 20)) = level;
  }

  void look(const std::vector<cv::Rect2f> &people, const cv::Mat &picture) {
    faces_.follow(people);
    if (faces_.is_due(now_, 1))
      faces_.search(picture, now_, 0.2f);
    now_ += 0.1;
  }

  std::vector<Squares::Search> searches_;
  Faces faces_{std::make_unique<Squares>(searches_)};
  cv::Mat picture_ = cv::Mat::zeros(kSize, CV_8UC1);
  double now_ = 100;
};

TEST_F(FacesOfPeople, AreSearchedInTheirUpperPart) {
  const auto who = person(100, 100);
  draw(picture_, who, 255);
  look({who}, picture_);
  ASSERT_EQ(faces_.standing().size(), 1u);
  EXPECT_EQ(faces_.standing()[0].box, cv::Rect2f(120, 104, 20, 20));
  ASSERT_EQ(searches_.size(), 2u);
  EXPECT_EQ(searches_[0].part, kSize);
  // A sixth of the person's box and what is around it, and sizes that suit them.
  EXPECT_LT(searches_[1].part.area(), 100 * 100);
  EXPECT_GE(searches_[1].sizes.least, 10);
  EXPECT_LE(searches_[1].sizes.most, 60);
}

TEST_F(FacesOfPeople, AreNotSearchedAtTheirFeetNorBesideThem) {
  const auto who = person(100, 100);
  picture_(cv::Rect(120, 230, 20, 20)) = 255;
  picture_(cv::Rect(200, 110, 20, 20)) = 254;
  for (int i = 0; i < 30; ++i)
    look({who}, picture_);
  EXPECT_TRUE(faces_.standing().empty());
}

TEST_F(FacesOfPeople, AreSearchedFourTimesASecondAndTheFrameOnce) {
  const auto who = person(100, 100);
  draw(picture_, who, 255);
  for (int i = 0; i < 100; ++i)
    look({who}, picture_);
  const auto whole = std::ranges::count_if(
      searches_, [](const Squares::Search &search) { return search.part == kSize; });
  EXPECT_NEAR(static_cast<double>(whole), 10, 1);
  // At ten frames a second every third one.
  EXPECT_NEAR(static_cast<double>(searches_.size()) - static_cast<double>(whole), 33, 2);
  EXPECT_EQ(faces_.standing().size(), 1u);
}

TEST_F(FacesOfPeople, OfManyTakeTurns) {
  std::vector<cv::Rect2f> people;
  for (int i = 0; i < 8; ++i) {
    people.push_back(person(static_cast<float>(80 * i), 100));
    draw(picture_, people.back(), 255 - i);
  }
  look(people, picture_);
  EXPECT_EQ(searches_.size(), 1 + Faces::kPeopleMost);
  look(people, picture_);
  EXPECT_EQ(faces_.standing().size(), 8u);
}

TEST_F(FacesOfPeople, GoWithThem) {
  auto who = person(100, 100);
  draw(picture_, who, 255);
  look({who}, picture_);
  // The picture of the frames in between does not matter.
  for (int i = 1; i <= 2; ++i) {
    who.x += 5;
    who.y += 2;
    look({who}, cv::Mat());
    ASSERT_EQ(faces_.standing().size(), 1u);
    EXPECT_FLOAT_EQ(faces_.standing()[0].box.x, 120.0f + 5 * i);
    EXPECT_FLOAT_EQ(faces_.standing()[0].box.y, 104.0f + 2 * i);
  }
  look({}, cv::Mat::zeros(kSize, CV_8UC1));
  EXPECT_TRUE(faces_.standing().empty());
}

TEST_F(FacesOfPeople, AreBelievedOnceMoreWhenNotFoundAgain) {
  const auto who = person(100, 100);
  const cv::Mat empty = cv::Mat::zeros(kSize, CV_8UC1);
  draw(picture_, who, 255);
  look({who}, picture_);
  for (int i = 1; i < 6; ++i) {
    look({who}, empty);
    EXPECT_EQ(faces_.standing().size(), 1u) << i;
  }
  look({who}, empty);
  EXPECT_TRUE(faces_.standing().empty());
}

TEST_F(FacesOfPeople, WhoAreTooSmallAreNotSearched) {
  look({cv::Rect2f(100, 100, 20, 60)}, picture_);
  EXPECT_EQ(searches_.size(), 1u);
}

TEST_F(FacesOfPeople, AreNotFoundTwice) {
  // Near enough for the search of the whole frame.
  const cv::Rect2f who(100, 50, 150, 400);
  picture_(cv::Rect(150, 60, 50, 50)) = 255;
  for (int i = 0; i < 30; ++i) {
    look({who}, picture_);
    EXPECT_EQ(faces_.standing().size(), 1u) << i;
  }
}

TEST_F(FacesOfPeople, WhoAreTooCloseAreFoundAndHeld) {
  picture_(cv::Rect(300, 100, 200, 200)) = 255;
  for (int i = 0; i < 30; ++i) {
    look({}, picture_);
    EXPECT_EQ(faces_.standing().size(), 1u) << i;
  }
  picture_ = 0;
  for (int i = 0; i < 21; ++i)
    look({}, picture_);
  EXPECT_TRUE(faces_.standing().empty());
}

TEST_F(FacesOfPeople, AreSearchedAnewWhenTimeGoesBack) {
  look({}, picture_);
  now_ = 5;
  EXPECT_TRUE(faces_.is_due(now_, 1));
}

TEST_F(FacesOfPeople, AreForgotten) {
  const auto who = person(100, 100);
  draw(picture_, who, 255);
  look({who}, picture_);
  faces_.forget(cv::Mat::zeros(kSize, CV_8UC1));
  EXPECT_TRUE(faces_.standing().empty());
}

TEST_F(FacesOfPeople, AtTheEdgeAreSearchedInWhatThereIs) {
  for (const auto &who : {cv::Rect2f(-30, -40, 60, 160), cv::Rect2f(620, 460, 60, 160),
                          cv::Rect2f(700, 500, 60, 160)})
    look({who}, picture_);
  EXPECT_TRUE(faces_.standing().empty());
  EXPECT_EQ(faces_.input_spec({1920, 1080}).size, cv::Size(1280, 720));
  EXPECT_EQ(faces_.input_spec({320, 240}).size, cv::Size(320, 240));
}

std::string refusal(const std::string &path) {
  try {
    make_yunet(path);
  } catch (const DetectorError &error) {
    return error.what();
  }
  return "accepted";
}

fs::path model(const char *name) {
  const char *shared = std::getenv("NPC_SHARED");
  return fs::path(shared != nullptr ? shared : "") / "data" / "models" / name;
}

TEST(YuNet, IsRefusedWithASentenceWhereItIsNot) {
  EXPECT_NE(refusal("").find("set face-model"), std::string::npos);
  EXPECT_NE(refusal("/nowhere/yunet.onnx").find("no file /nowhere/yunet.onnx"), std::string::npos);
  EXPECT_NE(refusal("/etc/hostname").find("no ONNX file"), std::string::npos);
  const fs::path torn = fs::temp_directory_path() / "npc-torn-yunet.onnx";
  std::ofstream(torn) << "not a network";
  EXPECT_NE(refusal(torn.string()).find("cannot read the model"), std::string::npos);
  fs::remove(torn);
}

TEST(YuNet, IsToldFromOtherNetworks) {
  if (!fs::exists(model("fastestdet_352.onnx")))
    GTEST_SKIP() << "no " << model("fastestdet_352.onnx");
  EXPECT_NE(refusal(model("fastestdet_352.onnx").string()).find("is not YuNet"), std::string::npos);
}

TEST(YuNet, TakesPartsOfAnySize) {
  const fs::path path = model("yunet_n_320_320.onnx");
  if (!fs::exists(path))
    GTEST_SKIP() << "no " << path;
  const auto finder = make_yunet(path.string());
  for (const cv::Size size :
       {cv::Size(1, 1), cv::Size(3, 500), cv::Size(130, 90), cv::Size(1280, 720)}) {
    std::vector<Detection> found;
    finder->find(cv::Mat(size, CV_8UC3, cv::Scalar::all(90)), {finder->least(), 500}, 0.5f, found);
    EXPECT_TRUE(found.empty()) << size;
  }
}

}  // namespace
}  // namespace npc
