// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount behind a live source, with a clock that the test sets.
#pragma once

#include <gst/check/gsttestclock.h>
#include <atomic>
#include <thread>
#include "support/counter.h"
#include "support/waiting.h"

namespace npc::test {

inline constexpr auto kDegraded = GST_NPC_COUNTS_FLAG_DEGRADED;
inline constexpr auto kStalled = GST_NPC_COUNTS_FLAG_STALLED;

class CounterSilence : public Counter {
 protected:
  void SetUp() override {
    Counter::SetUp();
    gst_harness_set_live(harness_.get(), TRUE);
    clock_.reset(reinterpret_cast<GstClock *>(gst_harness_get_testclock(harness_.get())));
    base_ = gst_element_get_base_time(element());
  }
  void TearDown() override {
    Counter::TearDown();
    harness_.reset();
  }
  GstTestClock *clock() { return GST_TEST_CLOCK(clock_.get()); }

  void set_time(GstClockTime running) {
    if (base_ + running > gst_clock_get_time(clock_.get()))
      gst_test_clock_set_time(clock(), base_ + running);
  }

  /// Lets the clock run to `running`, and the timer look whenever it wants to; it is done then.
  void pass(GstClockTime running) {
    for (;;) {
      GstClockID pending = nullptr;
      gst_test_clock_wait_for_next_pending_id(clock(), &pending);
      const GstClockTime due = gst_clock_id_get_time(pending);
      gst_clock_id_unref(pending);
      if (due > base_ + running)
        break;
      release(due);
    }
    set_time(running);
  }
  void release(GstClockTime due) {
    set_time(due - base_);
    gst_clock_id_unref(gst_test_clock_process_next_clock_id(clock()));
  }
  /// Lets the timer look once, without waiting until it has.
  void look_once() {
    GstClockID pending = nullptr;
    gst_test_clock_wait_for_next_pending_id(clock(), &pending);
    const GstClockTime due = gst_clock_id_get_time(pending);
    gst_clock_id_unref(pending);
    release(due);
  }

  /// Frames from `start` to `end` as they come from a camera: when the clock says so.
  void live_frames(GstClockTime start, GstClockTime end,
                   const std::vector<GstNpcDetection> &detections = {}) {
    for (GstClockTime pts = start; pts < end; pts += 100 * GST_MSECOND) {
      pass(pts);
      frame(pts, detections);
    }
  }

  void lost(GstClockTime pts, GstClockTime duration) {
    GstEvent *event = gst_event_new_gap(pts, duration);
    gst_event_set_gap_flags(event, GST_GAP_FLAG_MISSING_DATA);
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), event));
  }

  Owned<GstClock> clock_;
  GstClockTime base_ = 0;
};

}  // namespace npc::test
