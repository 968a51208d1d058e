// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces in a real picture: two people in a room, of whom one looks into the camera.
#include <gst/npc/npc.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/pipeline.h"
#include "support/scene.h"

namespace npc::test {
namespace {

namespace fs = std::filesystem;

// Of basketball1.png, 640x480: the middle of the one face, and its width.
constexpr double kX = 88, kY = 112, kWidth = 38;

/// The picture of Debian's package opencv-doc: NPC_FACES, or basketball1.png beside NPC_CLIP or the
/// clip in the user's cache, where tests/run puts both.
fs::path face_picture() {
  const auto from = [](const char *name) {
    const char *value = std::getenv(name);
    return fs::path(value != nullptr ? value : "");
  };
  if (!from("NPC_FACES").empty())
    return from("NPC_FACES");
  if (!from("NPC_CLIP").empty())
    return from("NPC_CLIP").replace_filename("basketball1.png");
  const fs::path cache =
      from("XDG_CACHE_HOME").empty() ? from("HOME") / ".cache" : from("XDG_CACHE_HOME");
  return cache / "no-picture-camera" / "basketball1.png";
}

struct Frame {
  int faces = 0, people = 0;
  double x = 0, y = 0, width = 0;  // of the strongest face, in pixels of 640x480
};

struct Result {
  std::string error;
  std::vector<Frame> frames;
  guint64 face_time = 0;
  double scale = 1;
};

void note(GstElement *, GstBuffer *buffer, GstPad *, gpointer data) {
  auto *result = static_cast<Result *>(data);
  Frame frame;
  gpointer state = nullptr;
  GstNpcDetection detection;
  double best = 0;
  while (gst_npc_buffer_iterate_detections(buffer, &state, &detection)) {
    if (detection.weak)
      continue;
    if (std::string(detection.label) != "face") {
      frame.people++;
      continue;
    }
    frame.faces++;
    if (detection.confidence <= best)
      continue;
    best = detection.confidence;
    frame.x = (detection.x + detection.width / 2) / result->scale;
    frame.y = (detection.y + detection.height / 2) / result->scale;
    frame.width = detection.width / result->scale;
  }
  result->frames.push_back(frame);
}

/// What `detect` (properties of npcdetect) finds in 20 frames of the picture, ten a second, at
/// `rows` rows.
Result watch(const std::string &detect, int rows) {
  const std::string line =
      "filesrc location=\"" + face_picture().string() +
      "\" ! pngdec ! videoconvert ! videoscale ! video/x-raw,format=NV12,height=" +
      std::to_string(rows) + ",width=" + std::to_string(rows * 4 / 3) +
      " ! imagefreeze num-buffers=20 ! video/x-raw,framerate=10/1 ! npcdetect name=eyes " + detect +
      " ! fakesink name=end signal-handoffs=true";
  Result result;
  result.scale = rows / 480.0;
  try {
    const Pipeline pipeline(line);
    const auto end = pipeline.element("end");
    g_signal_connect(end.get(), "handoff", G_CALLBACK(note), &result);
    pipeline.play();
    pipeline.finish();
    result.face_time = stat_of(pipeline.element("eyes").get(), "face-time");
  } catch (const std::runtime_error &error) {
    result.error = error.what();
  }
  return result;
}

class FacesInAPicture : public testing::TestWithParam<std::pair<const char *, int>> {};

TEST_P(FacesInAPicture, AreFoundAndDoNotFlicker) {
  const auto [kind, rows] = GetParam();
  if (!fs::exists(face_picture()))
    GTEST_SKIP() << "no " << face_picture()
                 << ": it is in Debian's package opencv-doc, name it with NPC_FACES";
  std::string faces = kind;
  const fs::path data =
      fs::path(std::getenv("NPC_SHARED") != nullptr ? std::getenv("NPC_SHARED") : "") / "data";
  if (faces == "yunet") {
    const fs::path model = data / "models/yunet_n_320_320.onnx";
    if (!fs::exists(model))
      GTEST_SKIP() << "no " << model;
    faces += " face-model=\"" + model.string() + "\"";
  }
  const Result result = watch("faces=" + faces, rows);
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.frames.size(), 20u);
  for (std::size_t i = 5; i < result.frames.size(); ++i) {
    const Frame &frame = result.frames[i];
    ASSERT_EQ(frame.faces, 1) << "frame " << i << ", " << frame.people << " people";
    EXPECT_NEAR(frame.x, kX, 8);
    EXPECT_NEAR(frame.y, kY, 8);
    EXPECT_NEAR(frame.width, kWidth, 10);
  }
  RecordProperty("face_ms_a_frame",
                 std::to_string(static_cast<double>(result.face_time) / 20 / GST_MSECOND));
}

INSTANTIATE_TEST_SUITE_P(Finders, FacesInAPicture,
                         testing::Values(std::pair("cascade", 480), std::pair("cascade", 720),
                                         std::pair("yunet", 240), std::pair("yunet", 480),
                                         std::pair("yunet", 1080)),
                         [](const auto &info) {
                           return std::string(info.param.first) + std::to_string(info.param.second);
                         });

}  // namespace
}  // namespace npc::test
