// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount behind a live source: what it says when frames were lost, when none come any more.
#include "support/silence.h"

namespace npc::test {
namespace {

TEST_F(CounterSilence, LostFramesDegradeTheirWindows) {
  gst_harness_set_live(harness_.get(), FALSE);
  set_caps();
  frames(0, GST_SECOND, {person(100)});
  lost(GST_SECOND, 500 * GST_MSECOND);
  frames(1500 * GST_MSECOND, 4 * GST_SECOND, {person(100)});
  lost(3900 * GST_MSECOND, 300 * GST_MSECOND);
  frames(4200 * GST_MSECOND, 8 * GST_SECOND, {person(100)});
  gap(8 * GST_SECOND, 100 * GST_MSECOND);
  for (bool degraded : {true, true, true, false}) {
    const Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record.has(kDegraded), degraded) << record.text;
    EXPECT_FALSE(record.has(kStalled));
    EXPECT_EQ(record->people, 1u);
  }
}

TEST_F(CounterSilence, ALossThatTurnsTimeBackIsOfTheNewWindow) {
  gst_harness_set_live(harness_.get(), FALSE);
  set_caps();
  frames(60 * GST_SECOND, 61 * GST_SECOND);
  lost(10 * GST_SECOND, GST_SECOND);
  frames(10500 * GST_MSECOND, 12600 * GST_MSECOND);
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 10500 * GST_MSECOND);
  EXPECT_TRUE(record.has(kDegraded));
}

TEST_F(CounterSilence, ADiscontOrAPlainGapIsNoLoss) {
  set_caps();
  frames(0, GST_SECOND);
  GstBuffer *buffer = make_frame(GST_SECOND, {});
  GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  gst_harness_push(harness_.get(), buffer);
  gap(1100 * GST_MSECOND, GST_SECOND);
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record.has(kDegraded));
}

TEST_F(CounterSilence, ACameraThatHangsGivesStalledRecords) {
  set_caps();
  live_frames(0, 3 * GST_SECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record.has(kStalled));
  // The last frame lasts to 3 s: nothing is said before 8 s.
  pass(7900 * GST_MSECOND);
  EXPECT_FALSE(next());
  pass(8 * GST_SECOND);
  record = next();
  ASSERT_TRUE(record) << "the window in which it fell silent";
  EXPECT_EQ(record.pts(), 2 * GST_SECOND);
  EXPECT_TRUE(record.has(kStalled));
  EXPECT_EQ(record->people, 1u) << "of the frames that came";
  EXPECT_FALSE(next()) << "at the end of an interval, not before";
  guint64 seq = 1, time = record->time;
  message();
  message();
  for (GstClockTime end = 10 * GST_SECOND; end <= 20 * GST_SECOND; end += 2 * GST_SECOND) {
    pass(end);
    record = next();
    ASSERT_TRUE(record);
    EXPECT_FALSE(next());
    EXPECT_EQ(record.pts(), end - 2 * GST_SECOND);
    EXPECT_EQ(record.duration(), 2 * GST_SECOND);
    EXPECT_TRUE(record.has(kStalled));
    EXPECT_FALSE(record.has(GST_NPC_COUNTS_FLAG_PARTIAL));
    EXPECT_EQ(record->people + record->people_max + record->moving, 0u);
    EXPECT_EQ(record->seq, ++seq);
    EXPECT_GE(record->time, time) << "the system's clock hardly moves here";
    time = record->time;
    Owned<GstMessage> posted = message();
    ASSERT_TRUE(posted);
    Owned<GstNpcCounts> counts(gst_npc_counts_from_message(posted.get()));
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->seq, seq);
  }
}

TEST_F(CounterSilence, ItEndsWithTheNextFrame) {
  set_caps();
  live_frames(0, 3 * GST_SECOND, {person(100)});
  pass(14500 * GST_MSECOND);
  live_frames(14500 * GST_MSECOND, 18100 * GST_MSECOND, {person(100)});
  GstClockTime end = 0;
  guint64 seq = 0;
  std::vector<bool> stalled;
  while (Record record = next()) {
    EXPECT_GE(record.pts(), end);
    end = record.pts() + record.duration();
    EXPECT_EQ(record->seq, seq++);
    stalled.push_back(record.has(kStalled));
    if (end >= 16 * GST_SECOND) {
      EXPECT_EQ(record->people, 1u);
    }
  }
  // 0, 2 | two pass unsaid before it is known | 8, 10, 12, 14 | 16
  EXPECT_EQ(stalled, (std::vector<bool>{false, true, true, true, true, true, false}));
  EXPECT_EQ(end, 18 * GST_SECOND);
}

TEST_F(CounterSilence, FramesThatWereHeldUpDoNotTurnRecordsBack) {
  set_caps();
  live_frames(0, 3 * GST_SECOND, {person(100)});
  pass(12100 * GST_MSECOND);
  // As after a queue that was stuck: all the frames since, at once.
  frames(3 * GST_SECOND, 14100 * GST_MSECOND, {person(100)});
  GstClockTime end = 0;
  guint64 seq = 0;
  while (Record record = next()) {
    EXPECT_GE(record.pts(), end) << record.text;
    end = record.pts() + record.duration();
    EXPECT_EQ(record->seq, seq++);
  }
  EXPECT_EQ(end, 14 * GST_SECOND);
}

TEST_F(CounterSilence, GapsAreSignsOfLife) {
  set_caps();
  live_frames(0, GST_SECOND);
  for (GstClockTime pts = GST_SECOND; pts < 20 * GST_SECOND; pts += 4 * GST_SECOND) {
    pass(pts);
    gap(pts, 100 * GST_MSECOND);
  }
  ASSERT_TRUE(next());
  EXPECT_FALSE(next()) << "windows in which nothing was analysed";
}

TEST_F(CounterSilence, FramesThatAreAllLostAreNone) {
  set_caps();
  live_frames(0, GST_SECOND, {person(100)});
  for (GstClockTime pts = GST_SECOND; pts <= 20 * GST_SECOND; pts += 100 * GST_MSECOND) {
    pass(pts);
    lost(pts, 100 * GST_MSECOND);
  }
  EXPECT_EQ(next()->people, 1u);
  int stalled = 0;
  while (const Record record = next()) {
    EXPECT_TRUE(record.has(kStalled));
    EXPECT_TRUE(record.has(kDegraded));
    EXPECT_EQ(record->people, 0u);
    stalled++;
  }
  EXPECT_EQ(stalled, 7) << "from six seconds on, one each two";
}

TEST_F(CounterSilence, FramesOutsideOfTheSegmentAreNoSignsOfLife) {
  set_caps();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.stop = GST_SECOND;
  set_segment(segment);
  live_frames(0, 9 * GST_SECOND, {person(100)});
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_TRUE(record.has(kStalled));
}

TEST_F(CounterSilence, AGapThatLastsIsWaitedFor) {
  set_caps();
  live_frames(0, GST_SECOND);
  pass(GST_SECOND);
  gap(GST_SECOND, 30 * GST_SECOND);
  ASSERT_TRUE(next());
  pass(35900 * GST_MSECOND);
  EXPECT_FALSE(next());
  pass(40 * GST_SECOND);
  EXPECT_TRUE(next().has(kStalled));
}

TEST_F(CounterSilence, SlowCamerasAreNotSilent) {
  gst_harness_set_src_caps(
      harness_.get(), gst_caps_from_string("application/x-npc-detections, version=1, width=640, "
                                           "height=480, framerate=1/20"));
  for (GstClockTime pts = 0; pts < 120 * GST_SECOND; pts += 20 * GST_SECOND) {
    pass(pts);
    EXPECT_EQ(gst_harness_push(harness_.get(), make_frame(pts, {}, GST_CLOCK_TIME_NONE)),
              GST_FLOW_OK);
  }
  while (Record record = next())
    EXPECT_FALSE(record.has(kStalled));
}

TEST_F(CounterSilence, ACameraThatNeverDeliversIsToldToo) {
  set_caps();
  pass(6900 * GST_MSECOND);
  EXPECT_FALSE(next());
  pass(9100 * GST_MSECOND);
  const Record record = next();
  ASSERT_TRUE(record);
  EXPECT_TRUE(record.has(kStalled));
  EXPECT_EQ(record->people, 0u);
}

TEST_F(CounterSilence, FilesAreNeverSilent) {
  gst_harness_set_live(harness_.get(), FALSE);
  set_caps();
  live_frames(0, GST_SECOND);
  pass(60 * GST_SECOND);
  EXPECT_FALSE(next());
}

TEST_F(CounterSilence, TheEndOfAStreamIsNoSilence) {
  set_caps();
  live_frames(0, GST_SECOND);
  EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  EXPECT_TRUE(next().has(GST_NPC_COUNTS_FLAG_PARTIAL));
  pass(60 * GST_SECOND);
  EXPECT_FALSE(next());
}

TEST_F(CounterSilence, APauseIsNoSilence) {
  set_caps();
  live_frames(0, GST_SECOND);
  gst_element_set_state(element(), GST_STATE_PAUSED);
  set_time(60 * GST_SECOND);
  EXPECT_EQ(gst_test_clock_peek_id_count(clock()), 0u);
  // As a pipeline does it: running time stands still meanwhile.
  base_ += 59 * GST_SECOND;
  gst_element_set_base_time(element(), base_);
  gst_element_set_state(element(), GST_STATE_PLAYING);
  pass(5900 * GST_MSECOND);
  EXPECT_FALSE(next());
  pass(8 * GST_SECOND);
  EXPECT_TRUE(next().has(kStalled));
}

TEST_F(CounterSilence, AFlushForgetsIt) {
  set_caps();
  live_frames(0, GST_SECOND);
  pass(9 * GST_SECOND);
  while (next())
    ;
  flush();
  live_frames(10 * GST_SECOND, 12100 * GST_MSECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record.pts(), 10 * GST_SECOND);
  EXPECT_FALSE(record.has(kStalled));
}

class CounterBlocked : public CounterSilence {
 protected:
  void SetUp() override {
    CounterSilence::SetUp();
    set_caps();
    live_frames(0, GST_SECOND, {person(100)});
    probe_ = gst_pad_add_probe(
        GST_PAD_PEER(harness_->sinkpad),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
        [](GstPad *, GstPadProbeInfo *, gpointer blocked) {
          *static_cast<std::atomic<bool> *>(blocked) = true;
          return GST_PAD_PROBE_OK;
        },
        &blocked_, nullptr);
    look_once();  // five seconds after it began to play
    look_once();
    ASSERT_TRUE(eventually([this] { return blocked_.load(); }));
  }

  /// Of the segment that went downstream last.
  GstClockTime segment_base() {
    const Owned<GstEvent> event(gst_pad_get_sticky_event(harness_->sinkpad, GST_EVENT_SEGMENT, 0));
    const GstSegment *segment;
    gst_event_parse_segment(event.get(), &segment);
    return segment->base;
  }

  gulong probe_ = 0;
  std::atomic<bool> blocked_ = false;
};

TEST_F(CounterBlocked, ARecordThatNobodyTakesDoesNotKeepItFromStopping) {
  EXPECT_EQ(gst_element_set_state(element(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(gst_element_set_state(element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

// GstBaseSrc pushes events with a lock held that it needs on its way to PAUSED.
TEST_F(CounterBlocked, NorDoesAnEventWaitForIt) {
  std::atomic<bool> passed = false;
  std::thread upstream([&] {
    GstTagList *tags = gst_tag_list_new(GST_TAG_TITLE, "door", nullptr);
    gst_harness_push_event(harness_.get(), gst_event_new_tag(tags));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = 42;
    gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
    passed = true;
  });
  EXPECT_TRUE(eventually([&] { return passed.load(); }));
  EXPECT_EQ(segment_base(), 0u) << "in front of the record";
  gst_pad_remove_probe(GST_PAD_PEER(harness_->sinkpad), probe_);
  upstream.join();
  EXPECT_TRUE(eventually([this] { return segment_base() == 42; }));
  EXPECT_TRUE(next().has(kStalled));
  frame(GST_SECOND, {});
}

TEST_F(CounterBlocked, NorFromBeingFlushed) {
  flush();
  EXPECT_FALSE(next());
}

TEST_F(CounterSilence, ManyStartsAndStopsAreHarmless) {
  set_caps();
  std::atomic<bool> done = false;
  std::thread time([&] {
    while (!done) {
      GstClockID pending = nullptr;
      if (!gst_test_clock_peek_next_pending_id(clock(), &pending)) {
        std::this_thread::yield();
        continue;
      }
      const GstClockTime due = gst_clock_id_get_time(pending);
      gst_clock_id_unref(pending);
      if (due > gst_clock_get_time(clock_.get()))
        gst_test_clock_set_time(clock(), due);
      if (GstClockID released = gst_test_clock_process_next_clock_id(clock()))
        gst_clock_id_unref(released);
    }
  });
  for (int round = 0; round < 60; round++) {
    gst_element_set_state(element(), round % 3 == 0 ? GST_STATE_NULL : GST_STATE_PAUSED);
    gst_element_set_state(element(), GST_STATE_PLAYING);
    if (round % 3 == 0) {
      gst_harness_push_event(harness_.get(), gst_event_new_stream_start("again"));
      set_caps();
      GstSegment segment;
      gst_segment_init(&segment, GST_FORMAT_TIME);
      set_segment(segment);
    }
    frame(round * 10 * GST_SECOND, {person(100)});
  }
  done = true;
  time.join();
  guint64 seq = 0;
  while (Record record = next())
    EXPECT_EQ(record->seq, seq++);
}

}  // namespace
}  // namespace npc::test
