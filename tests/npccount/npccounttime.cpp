// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: when its records come, and what interrupts it.
#include <gst/check/gsttestclock.h>

#include "support/counter.h"

namespace npc::test {
namespace {

TEST_F(Counter, WindowsFollowOneAnotherFromTheFirstFrame) {
  set_caps();
  frames(700 * GST_MSECOND, 8 * GST_SECOND, {person(100)});
  for (int window = 0; window < 3; window++) {
    Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record.pts(), 700 * GST_MSECOND + window * 2 * GST_SECOND);
    EXPECT_EQ(record.duration(), 2 * GST_SECOND);
    EXPECT_EQ(record->people, 1u);
  }
  EXPECT_FALSE(next());
}

TEST_F(Counter, AWindowWithoutFramesGivesNoRecord) {
  set_caps();
  frames(0, 1 * GST_SECOND, {person(100)});
  frames(100 * GST_SECOND, 102100 * GST_MSECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 0u);
  record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->seq, 1u);
  EXPECT_EQ(record.pts(), 100 * GST_SECOND);
  EXPECT_FALSE(next());
}

TEST_F(Counter, EosClosesTheOpenWindow) {
  set_caps();
  frames(0, 3500 * GST_MSECOND, {person(100)});
  ASSERT_TRUE(next());
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_TRUE(record.has(GST_NPC_COUNTS_FLAG_PARTIAL));
  EXPECT_EQ(record.pts(), 2 * GST_SECOND);
  EXPECT_EQ(record.duration(), 1500 * GST_MSECOND);
  EXPECT_EQ(record->interval, 1500u);
  EXPECT_EQ(record->seq, 1u);
  EXPECT_EQ(record->people, 1u);
  EXPECT_EQ(events(GST_EVENT_EOS), 1);
  message();
  Owned<GstMessage> posted = message();
  ASSERT_TRUE(posted);
  EXPECT_TRUE(gst_structure_has_name(gst_message_get_structure(posted.get()), "npc-counts"));
}

TEST_F(Counter, TheRecordComesBeforeEos) {
  set_caps();
  frame(0);
  // The harness keeps buffers apart from events: a probe sees them in order.
  std::string order;
  gst_pad_add_probe(
      harness_->sinkpad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad *, GstPadProbeInfo *info, gpointer data) {
        *static_cast<std::string *>(data) +=
            GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER
                ? "buffer "
                : GST_EVENT_TYPE_NAME(GST_PAD_PROBE_INFO_EVENT(info));
        return GST_PAD_PROBE_OK;
      },
      &order, nullptr);
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  EXPECT_EQ(order, "buffer eos");
}

TEST_F(Counter, EosAfterAFullWindowIsNotPartial) {
  set_caps();
  frames(0, 2 * GST_SECOND);
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record.has(GST_NPC_COUNTS_FLAG_PARTIAL));
  EXPECT_EQ(record->interval, 2000u);
}

TEST_F(Counter, EosWithoutAFrameGivesNoRecord) {
  set_caps();
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  EXPECT_FALSE(next());
  EXPECT_EQ(events(GST_EVENT_EOS), 1);
}

TEST_F(Counter, FlushForgetsButSeqGoesOn) {
  set_caps();
  frames(0, 3500 * GST_MSECOND, {person(100), person(300)});
  Record record = next();
  ASSERT_TRUE(record);
  const std::string boot = record->boot;
  flush();
  EXPECT_FALSE(next());
  frames(10 * GST_SECOND, 12100 * GST_MSECOND, {person(100)});
  record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 10 * GST_SECOND);
  EXPECT_EQ(record->people, 1u);
  EXPECT_EQ(record->people_max, 1u) << "those of before are forgotten";
  EXPECT_EQ(record->seq, 1u);
  EXPECT_EQ(record->boot, boot);
}

TEST_F(Counter, ANewSegmentForgetsTheSameOneDoesNot) {
  set_caps();
  frames(0, 1 * GST_SECOND, {person(100)});
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  set_segment(segment);
  frames(1 * GST_SECOND, 2100 * GST_MSECOND, {person(100)});
  ASSERT_TRUE(next());

  segment.start = 50 * GST_SECOND;
  segment.time = 20 * GST_SECOND;
  segment.base = 5 * GST_SECOND;
  set_segment(segment);
  frames(51 * GST_SECOND, 53100 * GST_MSECOND, {person(300)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people_max, 1u);
  EXPECT_EQ(record.pts(), 51 * GST_SECOND);
  EXPECT_FALSE(next());
  message();
  Owned<GstMessage> posted = message();
  ASSERT_TRUE(posted);
  const GstStructure *fields = gst_message_get_structure(posted.get());
  guint64 timestamp = 0, stream_time = 0, running_time = 0;
  EXPECT_TRUE(gst_structure_get(fields, "timestamp", G_TYPE_UINT64, &timestamp, "stream-time",
                                G_TYPE_UINT64, &stream_time, "running-time", G_TYPE_UINT64,
                                &running_time, nullptr));
  EXPECT_EQ(timestamp, 51 * GST_SECOND);
  EXPECT_EQ(stream_time, 21 * GST_SECOND);
  EXPECT_EQ(running_time, 6 * GST_SECOND);
}

TEST_F(Counter, FramesOutsideOfTheSegmentAreLeftOut) {
  set_caps();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  segment.stop = 13 * GST_SECOND;
  set_segment(segment);
  frames(5 * GST_SECOND, 10 * GST_SECOND, {person(100), person(300)});
  frames(10 * GST_SECOND, 12100 * GST_MSECOND, {person(100)});
  frames(20 * GST_SECOND, 21 * GST_SECOND, {person(100), person(300)});
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 10 * GST_SECOND);
  EXPECT_EQ(record->people_max, 1u);
  record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 12 * GST_SECOND);
  EXPECT_EQ(record->people_max, 1u);
  EXPECT_FALSE(next());
}

TEST_F(Counter, AnUntimedSegmentIsRefusedWithASentence) {
  set_caps();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  EXPECT_FALSE(gst_pad_send_event(GST_PAD_PEER(harness_->srcpad), gst_event_new_segment(&segment)));
  EXPECT_NE(sentence(GST_MESSAGE_ERROR).find("must be timed"), std::string::npos);
}

TEST_F(Counter, TimeThatGoesBackForgets) {
  set_caps();
  frames(100 * GST_SECOND, 101 * GST_SECOND, {person(100), person(300)});
  frames(10 * GST_SECOND, 12100 * GST_MSECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 10 * GST_SECOND);
  EXPECT_EQ(record->people_max, 1u);
  EXPECT_EQ(record->seq, 0u);
  EXPECT_FALSE(next());
}

TEST_F(Counter, FramesOutOfOrderAreCounted) {
  set_caps();
  for (GstClockTime pts = 0; pts < 4500 * GST_MSECOND; pts += 300 * GST_MSECOND) {
    frame(pts + 200 * GST_MSECOND, {person(100)});
    frame(pts, {person(100)});
    frame(pts + 100 * GST_MSECOND, {person(100)});
  }
  for (const GstClockTime start : {200 * GST_MSECOND, 2200 * GST_MSECOND}) {
    const Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record.pts(), start);
    EXPECT_EQ(record->people, 1u);
  }
}

TEST_F(Counter, AnotherSizeForgetsTracksNotTheWindow) {
  set_caps(640, 480);
  frames(0, 1 * GST_SECOND, {person(100), person(300)});
  set_caps(1280, 960);
  frames(1 * GST_SECOND, 2100 * GST_MSECOND, {person(600)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 0u);
  EXPECT_EQ(record->people_max, 2u) << "of before; never three";
  EXPECT_EQ(record->interval, 2000u);
  EXPECT_FALSE(next());
}

TEST_F(Counter, TheSameCapsAgainForgetNothing) {
  set_caps();
  frames(0, 2 * GST_SECOND, {person(100)});
  for (int i = 20; i < 41; i++) {
    set_caps();
    frame(i * 100 * GST_MSECOND, {person(100)});
  }
  ASSERT_TRUE(next());
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u) << "tracks that start anew with each frame are never confirmed";
}

TEST_F(Counter, GapsMoveTimeAndEndHere) {
  set_caps();
  frame(0, {person(100)});
  events(GST_EVENT_GAP);
  for (int i = 1; i < 20; i++) {
    EXPECT_FALSE(next());
    gap(i * 100 * GST_MSECOND, 100 * GST_MSECOND);
  }
  Record record = next();
  ASSERT_TRUE(record) << "the last one reaches to the window's end";
  EXPECT_EQ(record->people, 1u);
  gap(100 * GST_SECOND, GST_CLOCK_TIME_NONE);
  gap(101 * GST_SECOND, G_MAXUINT64 - 1);
  EXPECT_FALSE(next());
  EXPECT_EQ(events(GST_EVENT_GAP), 0);
}

TEST_F(Counter, GapsAtOddMomentsAreHarmless) {
  EXPECT_TRUE(gst_pad_push_event(harness_->srcpad, gst_event_new_stream_start("odd")));
  gst_pad_push_event(harness_->srcpad, gst_event_new_gap(5 * GST_SECOND, GST_SECOND));
  set_caps();
  gap(7 * GST_SECOND, GST_SECOND);
  gap(3 * GST_SECOND, GST_SECOND);
  EXPECT_FALSE(next());
  frames(4 * GST_SECOND, 6100 * GST_MSECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 4 * GST_SECOND);
}

TEST_F(Counter, ABufferBeforeCapsIsNotNegotiated) {
  EXPECT_TRUE(gst_pad_push_event(harness_->srcpad, gst_event_new_stream_start("test")));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  EXPECT_TRUE(gst_pad_push_event(harness_->srcpad, gst_event_new_segment(&segment)));
  EXPECT_EQ(gst_pad_push(harness_->srcpad, gst_buffer_new()), GST_FLOW_NOT_NEGOTIATED);
}

TEST_F(Counter, FramesWithoutTimesCountByTheClock) {
  gst_harness_use_testclock(harness_.get());
  set_caps();
  const GstClockTime base = gst_element_get_base_time(element());
  for (int i = 0; i <= 20; i++) {
    EXPECT_TRUE(gst_harness_set_time(harness_.get(), base + GST_SECOND + i * 100 * GST_MSECOND));
    frame(GST_CLOCK_TIME_NONE, {person(100)});
  }
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), GST_SECOND);
  EXPECT_EQ(record.duration(), 2 * GST_SECOND);
  EXPECT_EQ(record->people, 1u);
}

TEST_F(Counter, FramesWithoutTimesAndClockStillCount) {
  gst_element_set_clock(element(), nullptr);
  set_caps();
  for (int i = 0; i < 5; i++)
    frame(GST_CLOCK_TIME_NONE, {person(100)});
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
}

TEST_F(Counter, TimesBeyondAllReasonAreLeftOut) {
  set_caps();
  frame(G_MAXUINT64 - 1, {person(100)});
  frame(G_MAXINT64, {person(100)});
  EXPECT_FALSE(next());
  frames(0, 2100 * GST_MSECOND, {person(300)});
  EXPECT_TRUE(next());
}

TEST_F(Counter, UtcIsEvenlySpacedAndFollowsSteps) {
  gst_harness_use_testclock(harness_.get());
  set_caps();
  const GstClockTime base = gst_element_get_base_time(element());
  auto record_at = [&](int window, GstClockTime now) {
    EXPECT_TRUE(gst_harness_set_time(harness_.get(), base + now));
    frame(window * 2 * GST_SECOND);
    return next();
  };
  EXPECT_FALSE(record_at(0, 2 * GST_SECOND));
  const Record first = record_at(1, 2 * GST_SECOND);
  ASSERT_TRUE(first);
  // The clocks drift apart a little: windows are still as far apart as they are long. (A machine
  // that stalls for longer than what counts as drift is a step.)
  const Record second = record_at(2, 2050 * GST_MSECOND);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->time == first->time + 2000 || second->time > first->time + 2100)
      << second->time - first->time;
  // The pipeline's clock is two hours ahead: by that much the system's was set back.
  const Record third = record_at(3, 2 * GST_SECOND + 7200 * GST_SECOND);
  ASSERT_TRUE(third);
  EXPECT_LT(third->time, second->time - 3600 * 1000);
}

TEST_F(Counter, UtcIsThatOfTheWindowsEnd) {
  gst_harness_use_testclock(harness_.get());
  set_caps();
  EXPECT_TRUE(gst_harness_set_time(harness_.get(),
                                   gst_element_get_base_time(element()) + 1000 * GST_SECOND));
  const gint64 before = g_get_real_time() / 1000;
  frames(900 * GST_SECOND, 902100 * GST_MSECOND);
  const gint64 after = g_get_real_time() / 1000;
  const Record record = next();
  ASSERT_TRUE(record);
  // It ended 98 s ago by the pipeline's clock.
  EXPECT_GE(static_cast<gint64>(record->time), before - 98 * 1000);
  EXPECT_LE(static_cast<gint64>(record->time), after - 98 * 1000);
}

TEST_F(Counter, WithoutAClockUtcIsThatOfNow) {
  gst_element_set_clock(element(), nullptr);
  set_caps();
  const gint64 before = g_get_real_time() / 1000;
  frames(900 * GST_SECOND, 902100 * GST_MSECOND);
  const gint64 after = g_get_real_time() / 1000;
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_GE(static_cast<gint64>(record->time), before);
  EXPECT_LE(static_cast<gint64>(record->time), after);
}

TEST_F(Counter, GoesUpAndDownTwice) {
  std::string boot;
  for (guint64 round = 0; round < 2; round++) {
    set_caps();
    frames(0, 3 * GST_SECOND, {person(100)});
    Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record.pts(), 0u);
    EXPECT_EQ(record->people_max, 1u);
    EXPECT_EQ(record->seq, round) << "a record's name is never used again";
    EXPECT_TRUE(round == 0 || record->boot == boot);
    boot = record->boot;
    EXPECT_EQ(gst_element_set_state(element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_FALSE(next());
    EXPECT_EQ(gst_element_set_state(element(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_stream_start("again")));
  }
}

TEST_F(Counter, WhatDownstreamAnswersGoesUp) {
  set_caps();
  frames(0, 2 * GST_SECOND);
  gst_pad_set_active(harness_->sinkpad, FALSE);
  EXPECT_EQ(gst_harness_push(harness_.get(), make_frame(2 * GST_SECOND, {})), GST_FLOW_FLUSHING);
  gst_pad_set_active(harness_->sinkpad, TRUE);
}

TEST_F(Counter, ANumberIsGivenToARecordThatLeavesOnly) {
  set_caps();
  frames(0, 2100 * GST_MSECOND);
  EXPECT_EQ(next()->seq, 0u);
  EXPECT_TRUE(message());
  // As while the state changes.
  gst_pad_set_active(harness_->sinkpad, FALSE);
  frames(2100 * GST_MSECOND, 4 * GST_SECOND);
  EXPECT_EQ(gst_harness_push(harness_.get(), make_frame(4 * GST_SECOND, {})), GST_FLOW_FLUSHING);
  EXPECT_FALSE(message()) << "of a record that nobody got";
  gst_pad_set_active(harness_->sinkpad, TRUE);
  frames(4100 * GST_MSECOND, 6100 * GST_MSECOND);
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->seq, 1u);
  EXPECT_EQ(record.pts(), 4 * GST_SECOND);
}

// A tee answers with what one branch says, and the others may have the record.
TEST_F(Counter, ANumberThatOneBranchOfATeeTookIsNotGivenAgain) {
  set_caps();
  const Owned<GstPad> source(gst_element_get_static_pad(element(), "src"));
  GstElement *tee = gst_element_factory_make("tee", nullptr);
  const Owned<GstElement> owner(GST_ELEMENT(gst_object_ref_sink(tee)));
  const Owned<GstPad> sink(gst_element_get_static_pad(tee, "sink"));
  gst_pad_unlink(source.get(), harness_->sinkpad);
  ASSERT_EQ(gst_pad_link(source.get(), sink.get()), GST_PAD_LINK_OK);
  const Owned<GstPad> first(gst_element_request_pad_simple(tee, "src_%u"));
  const Owned<GstPad> second(gst_element_request_pad_simple(tee, "src_%u"));
  ASSERT_EQ(gst_pad_link(first.get(), harness_->sinkpad), GST_PAD_LINK_OK);
  const Owned<GstPad> flushing(GST_PAD(gst_object_ref_sink(gst_pad_new("sink", GST_PAD_SINK))));
  ASSERT_EQ(gst_pad_link(second.get(), flushing.get()), GST_PAD_LINK_OK);
  gst_element_set_state(tee, GST_STATE_PLAYING);

  frames(0, 2 * GST_SECOND);
  EXPECT_EQ(gst_harness_push(harness_.get(), make_frame(2 * GST_SECOND, {})), GST_FLOW_FLUSHING);
  EXPECT_EQ(next()->seq, 0u);
  gst_pad_unlink(second.get(), flushing.get());
  frames(2100 * GST_MSECOND, 4100 * GST_MSECOND);
  EXPECT_EQ(next()->seq, 1u);
  gst_element_set_state(tee, GST_STATE_NULL);
}

TEST_F(Counter, AddsNoLatency) {
  gst_harness_set_live(harness_.get(), TRUE);
  set_caps();
  gst_harness_set_upstream_latency(harness_.get(), 30 * GST_MSECOND);
  EXPECT_EQ(gst_harness_query_latency(harness_.get()), 30 * GST_MSECOND);
}

}  // namespace
}  // namespace npc::test
