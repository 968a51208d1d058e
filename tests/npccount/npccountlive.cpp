// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount and live streams whose times are wrong.
#include "support/silence.h"

namespace npc::test {
namespace {

/// A live camera whose clock is wrong.
class CounterLive : public CounterSilence {
 protected:
  void SetUp() override {
    CounterSilence::SetUp();
    set_caps();
  }

  /// One that comes when the clock says `now`. `time` of records is bounded.
  void live_frame(GstClockTime now, GstClockTime pts) {
    pass(now);
    frame(pts, {person(100)});
    const gint64 system = g_get_real_time() / 1000;
    while (const Record record = next()) {
      EXPECT_LE(static_cast<gint64>(record->time), system + 2000) << record.text;
      EXPECT_EQ(record->people, 1u) << record.text;
      EXPECT_EQ(record->seq, times_.size());
      EXPECT_GE(record.pts(), times_.empty() ? 0 : times_.back() + 2 * GST_SECOND);
      times_.push_back(record.pts());
    }
  }

  /// Windows that gave a record.
  std::vector<GstClockTime> times_;
};

TEST_F(CounterLive, ALeapAheadIsMappedAnew) {
  for (GstClockTime now = 0; now <= 12 * GST_SECOND; now += 100 * GST_MSECOND)
    live_frame(now, now < 5 * GST_SECOND ? now : now + 3600 * GST_SECOND);
  EXPECT_EQ(times_.size(), 6u);
  EXPECT_EQ(times_.back(), 10 * GST_SECOND);
}

TEST_F(CounterLive, ASpikeIsPassedOver) {
  for (GstClockTime now = 0; now <= 12 * GST_SECOND; now += 100 * GST_MSECOND)
    live_frame(now, now == 5 * GST_SECOND ? now + 3600 * GST_SECOND : now);
  EXPECT_EQ(times_.size(), 6u);
}

TEST_F(CounterLive, TimestampsThatRestartGoOn) {
  for (GstClockTime now = 0; now <= 12 * GST_SECOND; now += 100 * GST_MSECOND)
    live_frame(now, now < 5 * GST_SECOND ? now : now - 5 * GST_SECOND);
  EXPECT_EQ(times_.size(), 6u);
}

TEST_F(CounterLive, ASlowClockGivesARecordForEveryWindow) {
  for (GstClockTime now = 0; now <= 60 * GST_SECOND; now += 100 * GST_MSECOND)
    live_frame(now, now / 3);
  EXPECT_GE(times_.size(), 28u);
}

TEST_F(CounterLive, AGapThatClaimsAnHourDoesNotStopIt) {
  for (GstClockTime now = 0; now <= 12 * GST_SECOND; now += 100 * GST_MSECOND) {
    live_frame(now, now);
    if (now == 5 * GST_SECOND)
      lost(now, 3600 * GST_SECOND);
  }
  EXPECT_EQ(times_.size(), 6u);
}

TEST_F(CounterLive, WindowsThatCloseLateHaveTheirOwnTime) {
  for (GstClockTime pts = 0; pts < 4 * GST_SECOND; pts += 100 * GST_MSECOND)
    live_frame(pts, pts);
  // From here on the way takes two seconds and a half.
  for (GstClockTime pts = 4 * GST_SECOND; pts < 20 * GST_SECOND; pts += 100 * GST_MSECOND) {
    pass(pts + 2500 * GST_MSECOND);
    frame(pts, {person(100)});
    const gint64 system = g_get_real_time() / 1000;
    if (const Record record = next()) {
      EXPECT_EQ(record.pts() + record.duration(), pts);
      EXPECT_LE(static_cast<gint64>(record->time), system - 2500);
    }
  }
}

TEST_F(CounterLive, FramesOutOfOrderAreCounted) {
  for (GstClockTime now = 0; now <= 12 * GST_SECOND; now += 300 * GST_MSECOND) {
    live_frame(now, now + 200 * GST_MSECOND);
    live_frame(now, now);
    live_frame(now, now + 100 * GST_MSECOND);
  }
  EXPECT_EQ(times_.size(), 6u);
}

}  // namespace
}  // namespace npc::test
