// SPDX-License-Identifier: LGPL-2.1-or-later
// When npcdetect has stopped, nothing in the memory of the process is left of a picture.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <unordered_map>

#include "support/sanitizer.h"
#include "support/scene.h"

namespace npc::test {
namespace {

using Bytes = std::vector<uint8_t>;

/// Pieces of pictures, and where they are in the memory of this process.
class Needles {
 public:
  /// Adds `parts` that follow each other at a distance of `stride` bytes. Eight bytes or more each.
  void add(const std::string &kind, const std::vector<Bytes> &parts, std::size_t stride = 0) {
    Needle needle{kind, stride, {}};
    for (const Bytes &part : parts)
      needle.parts.push_back(inverted(part));
    const uint64_t key = key_of(needle.parts.front().data());
    marks_[hash_of(~key)] = true;
    needles_.emplace(key, std::move(needle));
  }

  /// How many there are of each kind.
  std::map<std::string, int> find() const {
    std::map<std::string, int> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uintptr_t begin = 0, end = 0;
      char dash = 0;
      std::string access;
      std::istringstream(line) >> std::hex >> begin >> dash >> end >> access;
      if (access.starts_with("rw") && line.find("[v") == std::string::npos)
        find_in(reinterpret_cast<const uint8_t *>(begin), reinterpret_cast<const uint8_t *>(end),
                found);
    }
    return found;
  }

 private:
  // Kept inverted, so as not to find itself.
  struct Needle {
    std::string kind;
    std::size_t stride;
    std::vector<Bytes> parts;
  };
  static constexpr std::size_t kLongest = 256;
  static constexpr int kMarkBits = 18;

  static Bytes inverted(Bytes bytes) {
    for (uint8_t &byte : bytes)
      byte = static_cast<uint8_t>(~byte);
    return bytes;
  }
  static uint64_t key_of(const uint8_t *bytes) {
    uint64_t key;
    std::memcpy(&key, bytes, sizeof key);
    return key;
  }
  static std::size_t hash_of(uint64_t key) {
    return (key * 0x9e3779b97f4a7c15u) >> (64 - kMarkBits);
  }

  static bool is_at(const Needle &needle, const uint8_t *place) {
    for (const Bytes &part : needle.parts) {
      for (std::size_t i = 0; i < part.size(); ++i)
        if (place[i] != static_cast<uint8_t>(~part[i]))
          return false;
      place += needle.stride;
    }
    return true;
  }

  void find_in(const uint8_t *begin, const uint8_t *end, std::map<std::string, int> &found) const {
    for (const uint8_t *place = begin; place + kLongest < end; ++place) {
      const uint64_t key = key_of(place);
      if (!marks_[hash_of(key)])
        continue;
      const auto [first, last] = needles_.equal_range(~key);
      for (auto candidate = first; candidate != last; ++candidate)
        found[candidate->second.kind] += is_at(candidate->second, place) ? 1 : 0;
    }
  }

  std::unordered_multimap<uint64_t, Needle> needles_;
  std::vector<bool> marks_ = std::vector<bool>(std::size_t{1} << kMarkBits);
};

class Wiping : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized)
      GTEST_SKIP() << "sanitizers keep what was freed, and have a memory of their own";
    if (!std::filesystem::exists("/proc/self/maps"))
      GTEST_SKIP() << "there is no /proc to look at the memory with";
    // What is given back without having been wiped stays where it can be found.
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  }

  void start(GstVideoFormat format, cv::Size size, const std::string &properties) {
    format_ = format;
    size_ = size;
    harness_.reset(gst_harness_new_parse(("npcdetect name=detect " + properties).c_str()));
    gst_harness_set_src_caps(harness_.get(), frame_caps(format, size).release());
  }

  int channels() const { return format_ == GST_VIDEO_FORMAT_GRAY8 ? 1 : 3; }

  /// Noise, of which no part is like another.
  cv::Mat draw(int seed) const {
    cv::Mat picture(size_, CV_8UC(channels()));
    cv::RNG random(static_cast<uint64_t>(seed) + 1);
    random.fill(picture, cv::RNG::UNIFORM, 64, 192);
    return picture;
  }

  /// Pushes `picture`, and leaves nothing of it behind.
  void push(cv::Mat picture) {
    gst_harness_push(harness_.get(), wrap(picture));
    gst_buffer_unref(gst_harness_pull(harness_.get()));
    picture.setTo(0);
  }

  /// Looks for `picture`: for pieces of its rows, as they are in memory.
  void look_for(const std::string &kind, cv::Mat picture) {
    const std::size_t piece = 24, row = picture.cols * picture.elemSize();
    for (int y = 0; y < picture.rows; ++y)
      for (const std::size_t x : {row / 4, row / 2})
        needles_.add(kind, {Bytes(picture.ptr(y) + x, picture.ptr(y) + x + piece)});
    picture.setTo(0);
  }

  /// Looks for what a network is given of `picture`.
  void look_for_input(cv::Mat picture, double factor) {
    cv::Mat planes[3];
    cv::split(picture, planes);
    picture.setTo(0);
    for (cv::Mat &plane : planes) {
      cv::Mat input;
      plane.convertTo(input, CV_32F);
      input *= factor;
      look_for("input", input);
      plane.setTo(0);
    }
  }

  /// Looks for what the motion detector makes of `part` of `picture`: the picture smoothed, and
  /// what OpenCV's model has of each pixel, means of four Gaussians, three floats each.
  void look_for_learned(const std::string &kind, cv::Mat picture, cv::Rect part) {
    const std::size_t stride = 4 * 3 * sizeof(float);
    cv::Mat smooth, means;
    cv::GaussianBlur(picture, smooth, cv::Size(3, 3), 0);
    picture.setTo(0);
    smooth.convertTo(means, CV_32F);
    for (int y = part.y + 4; y < part.br().y - 4; y += 4) {
      std::vector<Bytes> pixels;
      for (int x = part.x + 8; x < part.x + 12; ++x)
        pixels.emplace_back(means.ptr(y, x), means.ptr(y, x) + 3 * sizeof(float));
      needles_.add(kind, pixels, stride);
    }
    means.setTo(0);
    look_for("smooth", smooth(part).clone());
    smooth.setTo(0);
  }

  void stop() { gst_element_set_state(harness_->element, GST_STATE_READY); }

  std::map<std::string, int> find() const { return needles_.find(); }

  /// Whatever was there while it ran is gone when it has stopped.
  void expect_gone(const std::vector<std::string> &kinds) {
    const auto before = find();
    for (const std::string &kind : kinds)
      EXPECT_TRUE(before.contains(kind)) << "the test looks for what never was: " << kind;
    stop();
    for (const auto &[kind, count] : find())
      EXPECT_EQ(count, 0) << "pieces that are left: " << kind;
  }

  GstBuffer *wrap(const cv::Mat &picture) {
    const gsize size = picture.total() * picture.elemSize();
    GstBuffer *buffer = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, picture.data, size, 0,
                                                    size, nullptr, nullptr);
    GST_BUFFER_PTS(buffer) = frames_++ * 100 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = 100 * GST_MSECOND;
    return buffer;
  }

  GstVideoFormat format_ = GST_VIDEO_FORMAT_GRAY8;
  cv::Size size_;
  Owned<GstHarness> harness_;
  Needles needles_;
  guint64 frames_ = 0;
};

/// Path of a model, or empty.
std::string model(const std::string &name) {
  const char *shared = std::getenv("NPC_SHARED");
  const std::string path = std::string(shared != nullptr ? shared : "") + "/data/models/" + name;
  return std::filesystem::exists(path) ? path : "";
}

// Small enough that each pixel is a cell of the gate's, too.
const cv::Size kSmall(192, 160);

TEST_F(Wiping, OfPicturesForHogAndOfTheGatesCells) {
  start(GST_VIDEO_FORMAT_GRAY8, kSmall,
        "detector=hog input-width=192 input-height=160 detection-interval=0");
  for (int seed = 0; seed < 3; ++seed) {
    look_for("luma", draw(seed));
    push(draw(seed));
  }
  expect_gone({"luma"});
}

TEST_F(Wiping, OfLinesOnTheirWayToAnotherFormat) {
  start(GST_VIDEO_FORMAT_BGR, kSmall, "detector=hog input-width=96 input-height=144");
  cv::Mat lines, picture = draw(0);
  // GStreamer converts by way of alpha, red, green and blue.
  lines.create(size_, CV_8UC4);
  lines.setTo(255);
  cv::mixChannels(picture, lines, {2, 1, 1, 2, 0, 3});
  look_for("lines", lines);
  picture.setTo(0);
  push(draw(0));
  expect_gone({"lines"});
}

TEST_F(Wiping, OfPicturesThatWereTurned) {
  start(GST_VIDEO_FORMAT_BGR, kSmall,
        "detector=motion input-width=160 input-height=192 video-direction=90r");
  for (int seed = 0; seed < 3; ++seed) {
    cv::Mat upright, drawn = draw(seed);
    cv::rotate(drawn, upright, cv::ROTATE_90_CLOCKWISE);
    look_for("lying", drawn);
    look_for("upright", upright);
    push(draw(seed));
  }
  expect_gone({"lying", "upright"});
}

TEST_F(Wiping, OfCellsThatNoDetectorLookedAt) {
  start(GST_VIDEO_FORMAT_GRAY8, kSmall, "detector=hog input-width=96 input-height=144");
  for (int seed = 0; seed < 3; ++seed) {
    look_for("cells", draw(seed));
    push(draw(seed));
  }
  expect_gone({"cells"});
}

TEST_F(Wiping, OfWhatTheMotionDetectorLearned) {
  start(GST_VIDEO_FORMAT_BGR, kSmall, "detector=motion input-width=192 input-height=160");
  const cv::Rect part(64, 48, 64, 64);
  auto draw_passer = [&] {
    cv::Mat picture = draw(1);
    cv::Mat other = draw(2);
    other(part).copyTo(picture(part));
    other.setTo(0);
    return picture;
  };
  look_for_learned("background", draw(1), cv::Rect({}, kSmall));
  look_for_learned("passer-by", draw_passer(), part);
  look_for("picture", draw_passer());
  for (int i = 0; i < 20; ++i)
    push(draw(1));
  for (int i = 0; i < 3; ++i)
    push(draw_passer());
  expect_gone({"background", "passer-by", "smooth", "picture"});
}

TEST_F(Wiping, OfANetworksInput) {
  const std::string weights = model("yolo-fastest-1.1_body.weights");
  if (weights.empty())
    GTEST_SKIP() << "there is no model in NPC_SHARED";
  start(GST_VIDEO_FORMAT_BGR, kSmall,
        "model=" + weights + " input-width=192 input-height=160 detection-interval=0");
  for (int seed = 0; seed < 3; ++seed) {
    look_for("picture", draw(seed));
    look_for_input(draw(seed), 1.0 / 255);
    push(draw(seed));
  }
  expect_gone({"picture", "input"});
}

TEST_F(Wiping, OfPicturesForACascade) {
  if (!std::filesystem::exists("/usr/share/opencv4/haarcascades"))
    GTEST_SKIP() << "opencv-data is not installed";
  start(GST_VIDEO_FORMAT_GRAY8, cv::Size(320, 256),
        "detector=hog input-width=96 input-height=144 faces=cascade face-interval=0");
  for (int seed = 0; seed < 3; ++seed) {
    look_for("picture", draw(seed));
    push(draw(seed));
  }
  expect_gone({"picture"});
}

TEST_F(Wiping, OfPicturesForYuNet) {
  const std::string file = model("yunet_n_320_320.onnx");
  if (file.empty())
    GTEST_SKIP() << "there is no model in NPC_SHARED";
  start(GST_VIDEO_FORMAT_BGR, cv::Size(320, 256),
        "detector=hog input-width=96 input-height=144 faces=yunet face-interval=0 face-model=" +
            file);
  for (int seed = 0; seed < 3; ++seed) {
    look_for("picture", draw(seed));
    look_for_input(draw(seed), 1);
    push(draw(seed));
  }
  expect_gone({"picture", "input"});
}

// A new size of frames is a new beginning.
TEST_F(Wiping, OfFramesOfAnotherSize) {
  start(GST_VIDEO_FORMAT_BGR, kSmall, "detector=motion");
  look_for("picture", draw(1));
  look_for_learned("background", draw(1), cv::Rect({}, kSmall));
  for (int i = 0; i < 8; ++i)
    push(draw(1));
  const auto before = find();
  EXPECT_TRUE(before.contains("picture") && before.contains("background"));
  size_ = cv::Size(64, 48);
  gst_harness_set_src_caps(harness_.get(), frame_caps(format_, size_).release());
  push(draw(100));
  for (const auto &[kind, count] : find())
    EXPECT_EQ(count, 0) << "pieces that are left: " << kind;
}

}  // namespace
}  // namespace npc::test
