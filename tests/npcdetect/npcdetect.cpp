// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what it finds, and how it behaves in a pipeline.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "support/scene.h"

namespace npc::test {
namespace {

const cv::Size kSize(320, 240);

/// npcdetect in a harness, with a bus.
class NpcDetect : public testing::Test {
 protected:
  void SetUp() override { make("npcdetect"); }

  void make(const char *launch) {
    harness_.reset();
    harness_.reset(gst_harness_new_parse(launch));
    element_.reset(gst_harness_find_element(harness_.get(), "npcdetect"));
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element_.get(), bus_.get());
  }

  void TearDown() override {
    if (element_)
      gst_element_set_bus(element_.get(), nullptr);
  }

  void set_caps(GstVideoFormat format, cv::Size size = kSize) {
    gst_harness_set_src_caps(harness_.get(), frame_caps(format, size).release());
  }

  Owned<GstBuffer> analyse(Owned<GstBuffer> frame) {
    EXPECT_EQ(gst_harness_push(harness_.get(), frame.release()), GST_FLOW_OK);
    return Owned<GstBuffer>(gst_harness_try_pull(harness_.get()));
  }

  guint64 stat(const char *name) { return stat_of(element_.get(), name); }

  /// Sets a property, tries to start, and gives back the error's sentence.
  std::string start_error(const char *property, const char *value) {
    Owned<GstElement> element(gst_element_factory_make("npcdetect", nullptr));
    gst_object_ref_sink(element.get());
    gst_element_set_bus(element.get(), bus_.get());
    gst_util_set_object_arg(G_OBJECT(element.get()), property, value);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_bus(element.get(), nullptr);
    return sentence(bus_.get(), GST_MESSAGE_ERROR);
  }

  Owned<GstHarness> harness_;
  Owned<GstElement> element_;
  Owned<GstBus> bus_;
};

void expect_both_people(GstBuffer *buffer, cv::Size size) {
  ASSERT_NE(buffer, nullptr);
  const auto found = strong_detections(buffer);
  ASSERT_EQ(found.size(), 2u);
  const Person people[] = {kLeft, kRight};
  for (int i = 0; i < 2; ++i) {
    EXPECT_STREQ(found[i].label, "person");
    EXPECT_NEAR(found[i].x + found[i].width / 2, people[i].x * size.width, 0.06 * size.height);
    EXPECT_NEAR(found[i].y + found[i].height, people[i].y * size.height, 0.08 * size.height);
    EXPECT_NEAR(found[i].height, people[i].height * size.height, 0.15 * size.height);
  }
}

class NpcDetectFormat
    : public NpcDetect,
      public testing::WithParamInterface<std::tuple<GstVideoFormat, cv::Size, int>> {};

TEST_P(NpcDetectFormat, FindsTheSame) {
  const auto [format, size, padding] = GetParam();
  const cv::Mat scene = draw_scene(size);
  set_caps(format, size);
  expect_both_people(analyse(make_frame(scene, format, 0, padding)).get(), size);
}

std::string format_name(const testing::TestParamInfo<NpcDetectFormat::ParamType> &info) {
  const auto [format, size, padding] = info.param;
  return std::string(gst_video_format_to_string(format)) + "_" + std::to_string(size.width) +
         (padding > 0 ? "_padded" : "");
}

INSTANTIATE_TEST_SUITE_P(
    All, NpcDetectFormat,
    testing::Combine(
        testing::Values(GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420,
                        GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_Y42B,
                        GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY,
                        GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_BGRx,
                        GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_RGBA),
        testing::Values(kSize, cv::Size(323, 241)), testing::Values(0, 52)),
    format_name);

TEST_F(NpcDetect, TellsTheSizeAndRateOfTheFrames) {
  set_caps(GST_VIDEO_FORMAT_I420);
  analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_I420));
  Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->sinkpad));
  Owned<GstCaps> expected(gst_caps_from_string(
      "application/x-npc-detections, version=1, width=320, height=240, framerate=10/1"));
  EXPECT_TRUE(gst_caps_is_strictly_equal(caps.get(), expected.get()));
}

TEST_F(NpcDetect, KeepsTimesAndFlags) {
  set_caps(GST_VIDEO_FORMAT_I420);
  Owned<GstBuffer> frame = make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_I420, GST_SECOND);
  GST_BUFFER_OFFSET(frame.get()) = 17;
  GST_BUFFER_FLAG_SET(frame.get(), GST_BUFFER_FLAG_DISCONT);
  Owned<GstBuffer> output = analyse(std::move(frame));
  ASSERT_TRUE(output);
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DURATION(output.get()), 100 * GST_MSECOND);
  EXPECT_EQ(GST_BUFFER_OFFSET(output.get()), 17u);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DISCONT));
}

TEST_F(NpcDetect, PushesABufferForAnEmptyScene) {
  set_caps(GST_VIDEO_FORMAT_GRAY8);
  Owned<GstBuffer> output = analyse(make_frame(draw_scene(kSize, {}), GST_VIDEO_FORMAT_GRAY8));
  ASSERT_TRUE(output);
  EXPECT_TRUE(strong_detections(output.get()).empty());
}

TEST_F(NpcDetect, SurvivesTinyFrames) {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(16, 300), cv::Size(64, 128)}) {
    set_caps(GST_VIDEO_FORMAT_I420, size);
    EXPECT_TRUE(analyse(make_frame(draw_scene(size, {}), GST_VIDEO_FORMAT_I420)));
  }
}

TEST_F(NpcDetect, FollowsANewSizeAndFormat) {
  set_caps(GST_VIDEO_FORMAT_I420);
  expect_both_people(analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_I420)).get(), kSize);
  const cv::Size larger(480, 360);
  set_caps(GST_VIDEO_FORMAT_BGR, larger);
  expect_both_people(analyse(make_frame(draw_scene(larger), GST_VIDEO_FORMAT_BGR)).get(), larger);
}

TEST_F(NpcDetect, LooksAtLargeFramesScaledDown) {
  const cv::Size large(1280, 960);
  set_caps(GST_VIDEO_FORMAT_NV12, large);
  expect_both_people(analyse(make_frame(draw_scene(large), GST_VIDEO_FORMAT_NV12)).get(), large);
}

TEST_F(NpcDetect, RefusesWhatIsNotRawVideo) {
  Owned<GstPad> sink(gst_element_get_static_pad(element_.get(), "sink"));
  Owned<GstCaps> accepted(gst_pad_query_caps(sink.get(), nullptr));
  Owned<GstCaps> encoded(gst_caps_from_string("image/jpeg"));
  Owned<GstCaps> odd(gst_caps_from_string("video/x-raw, format=P010_10LE, width=64, height=64"));
  Owned<GstCaps> memory(
      gst_caps_from_string("video/x-raw(memory:DMABuf), format=NV12, width=64, height=64"));
  EXPECT_FALSE(gst_caps_can_intersect(accepted.get(), encoded.get()));
  EXPECT_FALSE(gst_caps_can_intersect(accepted.get(), odd.get()));
  EXPECT_FALSE(gst_caps_can_intersect(accepted.get(), memory.get()));
}

TEST_F(NpcDetect, ABufferBeforeCapsIsNotNegotiated) {
  gst_harness_play(harness_.get());
  gst_pad_push_event(harness_->srcpad, gst_event_new_stream_start("test"));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(harness_->srcpad, gst_event_new_segment(&segment));
  EXPECT_EQ(gst_pad_push(harness_->srcpad, gst_buffer_new()), GST_FLOW_NOT_NEGOTIATED);
}

TEST_F(NpcDetect, AnswersTheAllocationQueryWithVideoMetaAndNoPool) {
  set_caps(GST_VIDEO_FORMAT_NV12);
  Owned<GstCaps> caps = frame_caps(GST_VIDEO_FORMAT_NV12, kSize);
  GstQuery *query = gst_query_new_allocation(caps.get(), TRUE);
  EXPECT_TRUE(gst_pad_peer_query(harness_->srcpad, query));
  EXPECT_TRUE(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  EXPECT_EQ(gst_query_get_n_allocation_pools(query), 0u);
  gst_query_unref(query);
}

TEST_F(NpcDetect, AShortBufferIsLeftOutWithOneWarning) {
  set_caps(GST_VIDEO_FORMAT_NV12);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(analyse(Owned<GstBuffer>(gst_buffer_new_allocate(nullptr, 100, nullptr))));
  EXPECT_FALSE(analyse(Owned<GstBuffer>(gst_buffer_new())));
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_WARNING).find("smaller than its caps"),
            std::string::npos);
  EXPECT_EQ(sentence(bus_.get(), GST_MESSAGE_WARNING), "");
  EXPECT_EQ(stat("skipped"), 4u);
  // And the next good one counts.
  expect_both_people(analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12)).get(), kSize);
}

// What a meta says of a frame may be wrong too.
TEST_F(NpcDetect, AFrameThatIsNotWhereItsMetaSaysIsLeftOut) {
  for (GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_BGR}) {
    set_caps(format);
    auto push_with = [&](cv::Size size, gint (*stride)(gint), gsize skip) {
      Owned<GstBuffer> frame = make_frame(draw_scene(kSize), format);
      if (auto *old = gst_buffer_get_video_meta(frame.get()))
        gst_buffer_remove_meta(frame.get(), &old->meta);
      GstVideoInfo info;
      gst_video_info_set_format(&info, format, kSize.width, kSize.height);
      info.stride[0] = stride(info.stride[0]);
      info.offset[0] += skip;
      gst_buffer_add_video_meta_full(frame.get(), GST_VIDEO_FRAME_FLAG_NONE, format, size.width,
                                     size.height, GST_VIDEO_INFO_N_PLANES(&info), info.offset,
                                     info.stride);
      return analyse(std::move(frame)) != nullptr;
    };
    auto same = [](gint stride) { return stride; };
    EXPECT_TRUE(push_with(kSize, same, 0));
    EXPECT_FALSE(push_with(kSize / 2, same, 0));
    EXPECT_FALSE(push_with(
        kSize, [](gint stride) { return stride * 1000; }, 0));
    EXPECT_FALSE(push_with(
        kSize, [](gint) { return 1; }, 0));
    EXPECT_FALSE(push_with(
        kSize, [](gint stride) { return -stride; }, 0));
    EXPECT_FALSE(push_with(kSize, same, 200000));
  }
}

TEST_F(NpcDetect, AnUntimedSegmentIsRefusedWithASentence) {
  set_caps(GST_VIDEO_FORMAT_NV12);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_ERROR).find("must be timed"), std::string::npos);
}

TEST_F(NpcDetect, IntervalSkipsFramesOnAGridAndSendsGaps) {
  g_object_set(element_.get(), "interval", static_cast<guint64>(GST_SECOND), nullptr);
  set_caps(GST_VIDEO_FORMAT_GRAY8);
  const cv::Mat scene = draw_scene(kSize, {});
  std::vector<GstClockTime> analysed;
  // 30 frames a second with some jitter.
  for (int i = 0; i < 95; ++i) {
    const GstClockTime pts = i * GST_SECOND / 30 + (i % 3) * GST_MSECOND;
    if (Owned<GstBuffer> output = analyse(make_frame(scene, GST_VIDEO_FORMAT_GRAY8, pts)))
      analysed.push_back(GST_BUFFER_PTS(output.get()) / GST_SECOND);
  }
  EXPECT_EQ(analysed, (std::vector<GstClockTime>{0, 1, 2, 3}));
  EXPECT_EQ(stat("frames-in"), 95u);
  EXPECT_EQ(stat("analysed"), 4u);
  EXPECT_EQ(stat("skipped"), 91u);
  int gaps = 0;
  while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
    gaps += GST_EVENT_TYPE(event) == GST_EVENT_GAP;
    gst_event_unref(event);
  }
  EXPECT_EQ(gaps, 91);
}

TEST_F(NpcDetect, IntervalStartsAnewWhenTimeGoesBackOrIsFlushed) {
  g_object_set(element_.get(), "interval", static_cast<guint64>(10 * GST_SECOND), nullptr);
  set_caps(GST_VIDEO_FORMAT_GRAY8);
  const cv::Mat scene = draw_scene(kSize, {});
  auto frame = [&](GstClockTime pts) { return make_frame(scene, GST_VIDEO_FORMAT_GRAY8, pts); };
  EXPECT_TRUE(analyse(frame(20 * GST_SECOND)));
  EXPECT_FALSE(analyse(frame(21 * GST_SECOND)));
  EXPECT_TRUE(analyse(frame(5 * GST_SECOND)));
  EXPECT_FALSE(analyse(frame(6 * GST_SECOND)));
  gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
  gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  EXPECT_TRUE(analyse(frame(7 * GST_SECOND)));
}

TEST_F(NpcDetect, FramesWithoutTimesAreAnalysed) {
  set_caps(GST_VIDEO_FORMAT_GRAY8);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(
        analyse(make_frame(draw_scene(kSize, {}), GST_VIDEO_FORMAT_GRAY8, GST_CLOCK_TIME_NONE)));
}

TEST_F(NpcDetect, AMaskHidesAPerson) {
  g_object_set(element_.get(), "mask", "left,points=<0,0,0.5,0,0.5,1,0,1>", nullptr);
  set_caps(GST_VIDEO_FORMAT_NV12);
  Owned<GstBuffer> output = analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12));
  ASSERT_TRUE(output);
  const auto found = strong_detections(output.get());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GT(found[0].x, kSize.width / 2);

  // Changed while it runs: now the right one is hidden as well.
  g_object_set(element_.get(), "mask",
               "left,points=<0,0,0.5,0,0.5,1,0,1>; right,points=<0.5,0.0,1.0,0.0,1.0,1.0,0.5,1.0>",
               nullptr);
  output = analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12));
  EXPECT_TRUE(strong_detections(output.get()).empty());

  // One that cannot be read uncovers nothing.
  g_object_set(element_.get(), "mask", "left,points=<0,0,2,0,0.5,1>", nullptr);
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_WARNING).find("left"), std::string::npos);
  output = analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12));
  EXPECT_TRUE(strong_detections(output.get()).empty());
}

TEST_F(NpcDetect, ConfidenceDecidesWhatIsWeak) {
  set_caps(GST_VIDEO_FORMAT_GRAY8);
  g_object_set(element_.get(), "confidence", 1.0, nullptr);
  Owned<GstBuffer> output = analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_GRAY8));
  EXPECT_TRUE(strong_detections(output.get()).empty());
  gpointer state = nullptr;
  GstNpcDetection detection;
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(output.get(), &state, &detection));
  EXPECT_TRUE(detection.weak);
  g_object_set(element_.get(), "confidence", 0.5, nullptr);
  expect_both_people(analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_GRAY8)).get(), kSize);
}

TEST_F(NpcDetect, FacesAreLookedForOnRequest) {
  make("npcdetect faces=cascade");
  set_caps(GST_VIDEO_FORMAT_NV12);
  // The drawn people have none, and are still people.
  expect_both_people(analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12)).get(), kSize);
}

TEST_F(NpcDetect, GoesUpAndDownTwice) {
  for (int round = 0; round < 2; ++round) {
    set_caps(GST_VIDEO_FORMAT_I420);
    expect_both_people(analyse(make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_I420)).get(), kSize);
    EXPECT_EQ(stat("analysed"), 1u);
    EXPECT_EQ(gst_element_set_state(element_.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(gst_element_set_state(element_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
    gst_harness_push_event(harness_.get(), gst_event_new_stream_start("again"));
  }
}

TEST_F(NpcDetect, ForwardsEos) {
  set_caps(GST_VIDEO_FORMAT_I420);
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  bool eos = false;
  while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
    eos |= GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    gst_event_unref(event);
  }
  EXPECT_TRUE(eos);
}

TEST_F(NpcDetect, RefusesBadSettingsWithASentence) {
  EXPECT_NE(start_error("detector", "network").find("set model"), std::string::npos);
  EXPECT_NE(start_error("model", "/nowhere/net.onnx").find("no model file /nowhere/net.onnx"),
            std::string::npos);
  EXPECT_NE(start_error("model", "/etc/hostname").find("neither ONNX"), std::string::npos);
  EXPECT_NE(start_error("classes", "dog").find("person only"), std::string::npos);
  EXPECT_NE(start_error("classes", " , ").find("names none"), std::string::npos);
  EXPECT_NE(start_error("input-width", "320").find("both input-width"), std::string::npos);
  EXPECT_NE(start_error("mask", "a,points=<0,0,1>").find("three corners"), std::string::npos);
  EXPECT_NE(start_error("mask", "a,points=<0,0,1,1,nan,1>").find("0 to 1"), std::string::npos);
  // Its corners in the wrong order: two triangles of four would be seen.
  EXPECT_NE(start_error("mask", "a,points=<0,0,1,0,0,1,1,1>").find("crosses or touches itself"),
            std::string::npos);
  EXPECT_NE(start_error("mask", "<<<").find("write name,points"), std::string::npos);
}

TEST_F(NpcDetect, AMissingCascadeIsASentence) {
  make("npcdetect");
  Owned<GstElement> element(gst_element_factory_make("npcdetect", nullptr));
  gst_object_ref_sink(element.get());
  gst_element_set_bus(element.get(), bus_.get());
  gst_util_set_object_arg(G_OBJECT(element.get()), "faces", "cascade");
  for (const auto &[path, words] : {std::pair("/nowhere/face.xml", "no file /nowhere/face.xml"),
                                    std::pair("/etc/hostname", "not a cascade")}) {
    g_object_set(element.get(), "face-model", path, nullptr);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_ERROR).find(words), std::string::npos) << path;
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
  gst_element_set_bus(element.get(), nullptr);
}

}  // namespace
}  // namespace npc::test
