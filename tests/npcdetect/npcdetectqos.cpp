// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect where detection cannot keep up with a live source.
#include <gtest/gtest.h>

#include <vector>

#include "support/scene.h"

namespace npc::test {
namespace {

const cv::Size kSize(64, 48);

struct Gap {
  GstClockTime start, length;
  bool missing;
  bool operator==(const Gap &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Gap &gap) {
  return out << gap.start / GST_MSECOND << "+" << gap.length / GST_MSECOND
             << (gap.missing ? " missing" : "");
}

/// npcdetect behind a live source of ten frames a second, with a clock that stands still.
class NpcDetectPace : public testing::Test {
 protected:
  void make(const char *launch, bool live = true, GstClockTime source_latency = 0) {
    harness_.reset(gst_harness_new_parse(launch));
    gst_harness_set_live(harness_.get(), live);
    gst_harness_set_upstream_latency(harness_.get(), source_latency);
    gst_harness_use_testclock(harness_.get());
    element_.reset(gst_harness_find_element(harness_.get(), "npcdetect"));
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element_.get(), bus_.get());
    gst_harness_set_src_caps(harness_.get(), frame_caps(GST_VIDEO_FORMAT_GRAY8, kSize).release());
    gst_element_set_base_time(element_.get(), 0);
  }

  void TearDown() override {
    if (element_)
      gst_element_set_bus(element_.get(), nullptr);
  }

  void set_clock(GstClockTime time) { gst_harness_set_time(harness_.get(), time); }

  /// Whether the frame of `pts` was analysed.
  bool push(GstClockTime pts, guint64 number = GST_BUFFER_OFFSET_NONE) {
    Owned<GstBuffer> frame =
        make_frame(cv::Mat(kSize, CV_8UC1, cv::Scalar(99)), GST_VIDEO_FORMAT_GRAY8, pts);
    GST_BUFFER_OFFSET(frame.get()) = number;
    EXPECT_EQ(gst_harness_push(harness_.get(), frame.release()), GST_FLOW_OK);
    return Owned<GstBuffer>(gst_harness_try_pull(harness_.get())) != nullptr;
  }

  std::vector<Gap> gaps() {
    std::vector<Gap> found;
    while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
      if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
        Gap gap{};
        GstGapFlags flags;
        gst_event_parse_gap(event, &gap.start, &gap.length);
        gst_event_parse_gap_flags(event, &flags);
        gap.missing = (flags & GST_GAP_FLAG_MISSING_DATA) != 0;
        found.push_back(gap);
      }
      gst_event_unref(event);
    }
    return found;
  }

  Owned<GstMessage> qos() {
    return Owned<GstMessage>(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_QOS));
  }

  guint64 stat(const char *name) { return stat_of(element_.get(), name); }

  Owned<GstHarness> harness_;
  Owned<GstElement> element_;
  Owned<GstBus> bus_;
};

TEST_F(NpcDetectPace, FramesInTimeAreAnalysed) {
  make("npcdetect");
  for (int i = 0; i < 5; ++i) {
    set_clock((100 * i + 400) * GST_MSECOND);
    EXPECT_TRUE(push(100 * i * GST_MSECOND, i));
  }
  EXPECT_TRUE(gaps().empty());
  EXPECT_FALSE(qos());
  EXPECT_EQ(stat("dropped"), 0u);
}

TEST_F(NpcDetectPace, FramesTooLateAreDropped) {
  make("npcdetect");
  set_clock(0);
  EXPECT_TRUE(push(0, 0));
  set_clock(800 * GST_MSECOND);
  EXPECT_FALSE(push(100 * GST_MSECOND, 1));
  EXPECT_FALSE(push(200 * GST_MSECOND, 2));
  // Half a second is a burst; it is caught up with.
  EXPECT_TRUE(push(300 * GST_MSECOND, 3));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{100 * GST_MSECOND, 100 * GST_MSECOND, true},
                                      {200 * GST_MSECOND, 100 * GST_MSECOND, true}}));
  EXPECT_EQ(stat("dropped"), 2u);
  EXPECT_EQ(stat("analysed"), 2u);
  EXPECT_EQ(stat("skipped"), 0u);
  EXPECT_EQ(stat("lost"), 0u);
}

TEST_F(NpcDetectPace, TheLatencyOfThePipelineIsGranted) {
  make("npcdetect");
  gst_harness_push_upstream_event(harness_.get(), gst_event_new_latency(GST_SECOND));
  set_clock(1400 * GST_MSECOND);
  EXPECT_TRUE(push(0, 0));
  set_clock(1800 * GST_MSECOND);
  EXPECT_FALSE(push(100 * GST_MSECOND, 1));
}

TEST_F(NpcDetectPace, TheLatencyOfTheSourceIsGranted) {
  make("npcdetect", true, GST_SECOND);
  set_clock(1400 * GST_MSECOND);
  EXPECT_TRUE(push(0, 0));
}

TEST_F(NpcDetectPace, AQosMessageTellsTheTotals) {
  make("npcdetect");
  set_clock(0);
  EXPECT_TRUE(push(0, 0));
  set_clock(800 * GST_MSECOND);
  EXPECT_FALSE(push(100 * GST_MSECOND, 1));
  const Owned<GstMessage> message = qos();
  ASSERT_TRUE(message);
  gboolean live;
  guint64 running, stream, timestamp, duration, processed, dropped;
  gint64 jitter;
  gdouble proportion;
  gint quality;
  GstFormat format;
  gst_message_parse_qos(message.get(), &live, &running, &stream, &timestamp, &duration);
  gst_message_parse_qos_values(message.get(), &jitter, &proportion, &quality);
  gst_message_parse_qos_stats(message.get(), &format, &processed, &dropped);
  EXPECT_TRUE(live);
  EXPECT_EQ(running, 100 * GST_MSECOND);
  EXPECT_EQ(stream, 100 * GST_MSECOND);
  EXPECT_EQ(timestamp, 100 * GST_MSECOND);
  EXPECT_EQ(duration, 100 * GST_MSECOND);
  EXPECT_EQ(jitter, static_cast<gint64>(700 * GST_MSECOND));
  EXPECT_EQ(proportion, 2);
  EXPECT_EQ(format, GST_FORMAT_BUFFERS);
  EXPECT_EQ(processed, 1u);
  EXPECT_EQ(dropped, 1u);
}

TEST_F(NpcDetectPace, QosMessagesComeOnceASecond) {
  make("npcdetect");
  set_clock(100 * GST_SECOND);
  // The first is looked at however late it is.
  EXPECT_TRUE(push(0, 0));
  for (int i = 1; i < 36; ++i)
    EXPECT_FALSE(push(100 * i * GST_MSECOND, i));
  std::vector<guint64> dropped;
  while (const Owned<GstMessage> message = qos()) {
    GstFormat format;
    guint64 processed, count;
    gst_message_parse_qos_stats(message.get(), &format, &processed, &count);
    dropped.push_back(count);
  }
  EXPECT_EQ(dropped, (std::vector<guint64>{1, 11, 21, 31}));
  EXPECT_EQ(stat("dropped"), 35u);
}

/// What a QoS event says.
struct Qos {
  GstQOSType type;
  double proportion;
  GstClockTimeDiff diff;
  GstClockTime timestamp;
};

TEST_F(NpcDetectPace, DecodersAreToldAsBySinks) {
  make("npcdetect");
  auto told = [this] {
    Qos qos{};
    int events = 0;
    while (GstEvent *event = gst_harness_try_pull_upstream_event(harness_.get())) {
      if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
        gst_event_parse_qos(event, &qos.type, &qos.proportion, &qos.diff, &qos.timestamp);
        events++;
      }
      gst_event_unref(event);
    }
    EXPECT_EQ(events, 1);
    return qos;
  };
  set_clock(50 * GST_MSECOND);
  EXPECT_TRUE(push(0, 0));
  Qos qos = told();
  EXPECT_EQ(qos.type, GST_QOS_TYPE_OVERFLOW);
  EXPECT_EQ(qos.diff, 0) << "what is let pass is no reason to skip frames";
  EXPECT_EQ(qos.timestamp, 0u);
  EXPECT_TRUE(push(100 * GST_MSECOND, 1));
  qos = told();
  EXPECT_EQ(qos.diff, -static_cast<GstClockTimeDiff>(50 * GST_MSECOND));
  set_clock(850 * GST_MSECOND);
  EXPECT_FALSE(push(200 * GST_MSECOND, 2));
  qos = told();
  EXPECT_EQ(qos.type, GST_QOS_TYPE_UNDERFLOW);
  EXPECT_EQ(qos.diff, static_cast<GstClockTimeDiff>(400 * GST_MSECOND))
      << "so that decoders skip less than a second";
  EXPECT_EQ(qos.timestamp, 200 * GST_MSECOND);
  EXPECT_LT(qos.proportion, 1) << "no time passes here while it looks";
}

TEST_F(NpcDetectPace, FilesAreToldNothing) {
  make("npcdetect", false);
  set_clock(100 * GST_SECOND);
  EXPECT_TRUE(push(0, 0));
  while (GstEvent *event = gst_harness_try_pull_upstream_event(harness_.get())) {
    EXPECT_NE(GST_EVENT_TYPE(event), GST_EVENT_QOS);
    gst_event_unref(event);
  }
}

/// Whether each second of the clock has a look.
void expect_one_a_second(const std::vector<GstClockTime> &looks, GstClockTime end) {
  GstClockTime before = 0;
  for (const GstClockTime look : looks) {
    EXPECT_LE(look - before, GST_SECOND) << before / GST_MSECOND;
    before = look;
  }
  EXPECT_GE(before + GST_SECOND, end);
}

// As with a decoder that takes half as long again as it should, or timestamps that claim fifteen
// frames a second where ten come.
TEST_F(NpcDetectPace, FramesThatGetLaterForEverAreLookedAt) {
  make("npcdetect");
  std::vector<GstClockTime> looks;
  for (int i = 0; i < 400; ++i) {
    set_clock(150 * i * GST_MSECOND);
    if (push(100 * i * GST_MSECOND, i))
      looks.push_back(150 * i * GST_MSECOND);
  }
  expect_one_a_second(looks, 60 * GST_SECOND);
  EXPECT_GE(looks.size(), 300u) << "to drop them in vain is given up";
  const std::string said = sentence(bus_.get(), GST_MESSAGE_WARNING);
  EXPECT_NE(said.find("later than their timestamps say"), std::string::npos) << said;
  EXPECT_EQ(sentence(bus_.get(), GST_MESSAGE_WARNING), "") << "once";
}

TEST_F(NpcDetectPace, TimestampsThatRestartAreLookedAt) {
  make("npcdetect");
  for (int i = 0; i < 100; ++i) {
    set_clock(100 * i * GST_MSECOND);
    EXPECT_TRUE(push((i < 40 ? i : i - 40) * 100 * GST_MSECOND, i)) << i;
  }
  EXPECT_EQ(gaps(), (std::vector<Gap>{{0, 0, true}})) << "that marks the window";
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_WARNING), "");
  EXPECT_EQ(stat("dropped"), 0u);
  // From here on, delay does not grow as before.
  set_clock(10700 * GST_MSECOND);
  EXPECT_FALSE(push(6 * GST_SECOND, 100));
}

TEST_F(NpcDetectPace, ALeapAheadIsNoLoss) {
  make("npcdetect");
  for (int i = 0; i < 100; ++i) {
    set_clock(100 * i * GST_MSECOND);
    EXPECT_TRUE(push((i < 40 ? 0 : 3600 * GST_SECOND) + 100 * i * GST_MSECOND)) << i;
  }
  EXPECT_TRUE(gaps().empty());
  EXPECT_EQ(stat("lost"), 0u);
  set_clock(10700 * GST_MSECOND);
  EXPECT_FALSE(push(3610 * GST_SECOND)) << "delay is still seen";
}

TEST_F(NpcDetectPace, AbsurdFrameRatesAndTimesAreHarmless) {
  make("npcdetect");
  const std::vector<GstClockTime> times = {0,
                                           100 * GST_MSECOND,
                                           G_MAXUINT64 - 20 * GST_MSECOND,
                                           200 * GST_MSECOND,
                                           G_MAXINT64,
                                           300 * GST_MSECOND,
                                           G_MAXUINT64 - 1,
                                           GST_CLOCK_TIME_NONE};
  for (const char *rate : {"1000000001/1", "2147483647/1", "1/2147483647", "0/1"}) {
    const std::string caps =
        std::string("video/x-raw,format=GRAY8,width=64,height=48,framerate=") + rate;
    gst_harness_set_src_caps(harness_.get(), gst_caps_from_string(caps.c_str()));
    for (const GstClockTime pts : times) {
      EXPECT_TRUE(push(pts)) << rate << " " << pts;
      EXPECT_TRUE(push(pts, 1)) << rate << " " << pts;
    }
  }
  EXPECT_EQ(stat("lost"), 0u);
}

TEST_F(NpcDetectPace, NoIntervalIsTooLong) {
  make("npcdetect interval=9223372036854775807");
  EXPECT_TRUE(push(0));
  EXPECT_FALSE(push(100 * GST_MSECOND));
  EXPECT_FALSE(push(GST_SECOND));
  EXPECT_EQ(stat("lost"), 0u);
}

TEST_F(NpcDetectPace, AnAbsurdLatencyIsNone) {
  make("npcdetect");
  gst_harness_push_upstream_event(harness_.get(), gst_event_new_latency(G_MAXUINT64 - 1));
  set_clock(400 * GST_MSECOND);
  EXPECT_TRUE(push(0, 0));
  set_clock(800 * GST_MSECOND);
  EXPECT_FALSE(push(100 * GST_MSECOND, 1));
}

TEST_F(NpcDetectPace, NothingIsDroppedFromAFile) {
  make("npcdetect", false);
  set_clock(100 * GST_SECOND);
  EXPECT_TRUE(push(0, 0));
  EXPECT_TRUE(push(100 * GST_MSECOND, 7));
  EXPECT_TRUE(push(900 * GST_MSECOND));
  EXPECT_TRUE(gaps().empty());
  EXPECT_FALSE(qos());
  EXPECT_EQ(stat("lost"), 0u);
}

TEST_F(NpcDetectPace, NumbersThatAreLeftOutAreLostFrames) {
  make("npcdetect");
  EXPECT_TRUE(push(0, 10));
  EXPECT_TRUE(push(100 * GST_MSECOND, 11));
  EXPECT_TRUE(push(400 * GST_MSECOND, 14));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{200 * GST_MSECOND, 200 * GST_MSECOND, true}}));
  EXPECT_EQ(stat("lost"), 2u);
  EXPECT_EQ(stat("frames-in"), 3u);
  EXPECT_TRUE(qos());
}

TEST_F(NpcDetectPace, ASlowerCameraLosesNothing) {
  make("npcdetect");
  // In the dark it exposes twice as long.
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(push(200 * i * GST_MSECOND, i));
  EXPECT_TRUE(gaps().empty());
}

TEST_F(NpcDetectPace, HolesInTimeAreLostFramesWhereThereAreNoNumbers) {
  make("npcdetect");
  EXPECT_TRUE(push(0));
  // Jitter is none.
  EXPECT_TRUE(push(140 * GST_MSECOND));
  EXPECT_TRUE(push(200 * GST_MSECOND));
  EXPECT_TRUE(gaps().empty());
  EXPECT_TRUE(push(500 * GST_MSECOND));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{300 * GST_MSECOND, 200 * GST_MSECOND, true}}));
  EXPECT_EQ(stat("lost"), 2u);
}

// rawvideoparse, behind a live udpsrc, counts bytes where cameras count frames.
TEST_F(NpcDetectPace, BytesAreNotTakenForNumbersOfFrames) {
  make("npcdetect");
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(push(100 * i * GST_MSECOND, 4096 * i));
  EXPECT_TRUE(gaps().empty());
  EXPECT_EQ(stat("lost"), 0u);
  // What is lost of these is seen by their times.
  EXPECT_TRUE(push(1200 * GST_MSECOND, 4096 * 10));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{1000 * GST_MSECOND, 200 * GST_MSECOND, true}}));
}

TEST_F(NpcDetectPace, FramesWithoutATimeHideNoOthers) {
  make("npcdetect");
  for (int i = 0; i < 10; i += 2) {
    EXPECT_TRUE(push(100 * i * GST_MSECOND));
    EXPECT_TRUE(push(GST_CLOCK_TIME_NONE));
  }
  EXPECT_EQ(stat("lost"), 0u);
}

TEST_F(NpcDetectPace, WhatTheIntervalLeavesOutIsNotMissing) {
  make("npcdetect interval=500000000");
  // Each look takes three frames.
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(push(500 * i * GST_MSECOND, 5 * i));
    EXPECT_FALSE(push((500 * i + 400) * GST_MSECOND, 5 * i + 4));
  }
  for (const Gap &gap : gaps())
    EXPECT_FALSE(gap.missing) << gap;
  EXPECT_EQ(stat("lost"), 0u);
  EXPECT_FALSE(qos());
  // Then one takes fifteen: at two seconds and at two and a half nobody looked.
  EXPECT_TRUE(push(3000 * GST_MSECOND, 30));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{2000 * GST_MSECOND, 1000 * GST_MSECOND, true}}));
  EXPECT_EQ(stat("lost"), 2u);
}

TEST_F(NpcDetectPace, WhatIsNotDueIsNotDropped) {
  make("npcdetect interval=1000000000");
  set_clock(0);
  EXPECT_TRUE(push(0, 0));
  set_clock(5 * GST_SECOND);
  EXPECT_FALSE(push(100 * GST_MSECOND, 1));
  EXPECT_EQ(stat("dropped"), 0u);
  EXPECT_EQ(stat("skipped"), 1u);
}

TEST_F(NpcDetectPace, NothingIsLostInAPauseOrASeek) {
  make("npcdetect");
  EXPECT_TRUE(push(0, 0));
  gst_element_set_state(element_.get(), GST_STATE_PAUSED);
  gst_element_set_state(element_.get(), GST_STATE_PLAYING);
  EXPECT_TRUE(push(2 * GST_SECOND, 20));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  EXPECT_TRUE(push(9 * GST_SECOND, 90));
  for (const Gap &gap : gaps())
    EXPECT_FALSE(gap.missing) << gap;
}

TEST_F(NpcDetectPace, MissingDataFromUpstreamStaysMissing) {
  make("npcdetect");
  EXPECT_TRUE(push(0, 0));
  GstEvent *event = gst_event_new_gap(100 * GST_MSECOND, 50 * GST_MSECOND);
  gst_event_set_gap_flags(event, GST_GAP_FLAG_MISSING_DATA);
  gst_harness_push_event(harness_.get(), event);
  gst_harness_push_event(harness_.get(), gst_event_new_gap(150 * GST_MSECOND, 50 * GST_MSECOND));
  EXPECT_EQ(gaps(), (std::vector<Gap>{{100 * GST_MSECOND, 50 * GST_MSECOND, true},
                                      {150 * GST_MSECOND, 50 * GST_MSECOND, false}}));
}

}  // namespace
}  // namespace npc::test
