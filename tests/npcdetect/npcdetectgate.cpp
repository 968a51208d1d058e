// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect spares the detector work, and nobody notices.
#include <gtest/gtest.h>

#include <cmath>

#include "support/scene.h"

namespace npc::test {
namespace {

const cv::Size kSize(320, 240);
constexpr GstClockTime kFrame = 100 * GST_MSECOND;

class NpcDetectGate : public testing::Test {
 protected:
  void SetUp() override { make("npcdetect"); }

  void make(const char *launch, GstVideoFormat format = GST_VIDEO_FORMAT_I420, int padding = 0) {
    harness_.reset();
    harness_.reset(gst_harness_new_parse(launch));
    element_.reset(gst_harness_find_element(harness_.get(), "npcdetect"));
    format_ = format;
    padding_ = padding;
    time_ = 0;
    gst_harness_set_src_caps(harness_.get(), frame_caps(format, kSize).release());
  }

  /// The strong detections of the next frame.
  std::vector<GstNpcDetection> frame(const std::vector<Person> &people, GstClockTime step = kFrame,
                                     double gain = 1) {
    const cv::Mat scene = draw_scene(kSize, people) * gain;
    EXPECT_EQ(
        gst_harness_push(harness_.get(), make_frame(scene, format_, time_, padding_).release()),
        GST_FLOW_OK);
    time_ += step;
    Owned<GstBuffer> output(gst_harness_try_pull(harness_.get()));
    EXPECT_TRUE(output);
    return output ? strong_detections(output.get()) : std::vector<GstNpcDetection>();
  }

  guint64 stat(const char *name) { return stat_of(element_.get(), name); }

  Owned<GstHarness> harness_;
  Owned<GstElement> element_;
  GstVideoFormat format_ = GST_VIDEO_FORMAT_I420;
  int padding_ = 0;
  GstClockTime time_ = 0;
};

const std::vector<Person> kBoth = {kLeft, kRight};

TEST_F(NpcDetectGate, AStillSceneKeepsItsPeopleAndCostsLittle) {
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(frame(kBoth).size(), 2u) << i;
  EXPECT_EQ(stat("analysed"), 200u);
  EXPECT_GE(stat("full-scans"), 1u);
  EXPECT_LE(stat("detections"), 3u);
}

TEST_F(NpcDetectGate, WhoLeavesOrComesIsNoticedWithinTheInterval) {
  for (int i = 0; i < 30; ++i)
    frame(kBoth);
  frame({kLeft});
  frame({kLeft});
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(frame({kLeft}).size(), 1u) << i;
  const guint64 detections = stat("detections");
  frame(kBoth);
  frame(kBoth);
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(frame(kBoth).size(), 2u) << i;
  EXPECT_LE(stat("detections"), detections + 4);
}

// The gate sees each format's brightness where it is.
TEST_F(NpcDetectGate, WorksOnEachFormat) {
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_GRAY8,
        GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY,
        GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRA}) {
    SCOPED_TRACE(gst_video_format_to_string(format));
    make("npcdetect", format, 52);
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(frame(kBoth).size(), 2u);
    const guint64 detections = stat("detections");
    EXPECT_LE(detections, 2u);
    frame({kLeft});
    frame({kLeft});
    EXPECT_EQ(frame({kLeft}).size(), 1u);
    EXPECT_GT(stat("detections"), detections);
  }
}

TEST_F(NpcDetectGate, FullScansComeInTime) {
  make("npcdetect full-scan=2000000000");
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(frame(kBoth).size(), 2u) << i;
  // The look that makes sure of who was found first may be one as well.
  EXPECT_GE(stat("full-scans"), 5u);
  EXPECT_LE(stat("detections"), 7u);
}

TEST_F(NpcDetectGate, AJumpOfLightMeansAFullScan) {
  for (int i = 0; i < 20; ++i)
    frame(kBoth);
  const guint64 scans = stat("full-scans");
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(frame(kBoth, kFrame, 0.7).size(), 2u) << i;
  EXPECT_GE(stat("full-scans"), scans + 1);
}

TEST_F(NpcDetectGate, EverythingCanBeSwitchedOff) {
  make("npcdetect motion-gate=false detection-interval=0");
  for (int i = 0; i < 10; ++i)
    frame(kBoth);
  EXPECT_EQ(stat("full-scans"), 10u);
  EXPECT_EQ(stat("carry-time"), 0u);
  make("npcdetect full-scan=0 detection-interval=200000000");
  for (int i = 0; i < 10; ++i)
    frame(kBoth);
  EXPECT_EQ(stat("full-scans"), 5u);
  make("npcdetect detection-interval=0 motion-gate=true");
  for (int i = 0; i < 10; ++i)
    frame({{0.3 + 0.02 * i, 0.9, 0.7}});
  EXPECT_EQ(stat("detections"), 10u);
}

TEST_F(NpcDetectGate, DetectionsGoAlongBetweenLooks) {
  make("npcdetect detection-interval=1000000000");
  double farthest = 0;
  for (int i = 0; i < 21; ++i) {
    const double x = 0.3 + 0.012 * i;
    const auto found = frame({{x, kLeft.y, kLeft.height}});
    ASSERT_EQ(found.size(), 1u) << i;
    farthest = std::max(farthest, std::abs(found[0].x + found[0].width / 2 - x * kSize.width));
  }
  EXPECT_EQ(stat("detections"), 3u);
  EXPECT_EQ(stat("analysed"), 21u);
  // He walks 38 pixels from look to look.
  EXPECT_LT(farthest, 15);
}

TEST_F(NpcDetectGate, FrameRateDoesNotChangeHowOftenItLooks) {
  for (const int fps : {4, 15, 30, 60}) {
    make("npcdetect motion-gate=false detection-interval=200000000");
    for (int i = 0; i < fps; ++i)
      ASSERT_EQ(frame(kBoth, GST_SECOND / fps).size(), 2u);
    // A frame shortly before the next second may be due already.
    EXPECT_NEAR(stat("detections"), fps == 4 ? 4 : 5, fps == 60 ? 1 : 0) << fps;
    EXPECT_EQ(stat("analysed"), static_cast<guint64>(fps));
  }
}

TEST_F(NpcDetectGate, OtherSettingsCountAtOnce) {
  for (int i = 0; i < 9; ++i)
    frame(kBoth);
  g_object_set(element_.get(), "mask", "left,points=<0,0,0.5,0,0.5,1,0,1>", nullptr);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(frame(kBoth).size(), 1u) << i;
  g_object_set(element_.get(), "mask", "", nullptr);
  EXPECT_EQ(frame(kBoth).size(), 2u);
}

TEST_F(NpcDetectGate, AnotherStreamIsLookedAtWhole) {
  for (int i = 0; i < 9; ++i)
    frame(kBoth);
  const guint64 scans = stat("full-scans");
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  EXPECT_EQ(frame({kLeft}).size(), 1u);
  EXPECT_EQ(stat("full-scans"), scans + 1);
  // Time that goes back is another stream too.
  time_ = 0;
  EXPECT_EQ(frame({kRight}).size(), 1u);
  EXPECT_EQ(stat("full-scans"), scans + 2);
}

TEST_F(NpcDetectGate, TellsWhereTimeGoes) {
  for (int i = 0; i < 12; ++i)
    frame({{0.3 + 0.01 * i, 0.9, 0.7}});
  for (const char *stage : {"gate-time", "convert-time", "carry-time", "detect-time"})
    EXPECT_GT(stat(stage), 0u) << stage;
}

}  // namespace
}  // namespace npc::test
