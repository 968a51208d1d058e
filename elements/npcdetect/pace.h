// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether detection keeps up with a live source, and what is lost where it does not.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <optional>

namespace npc {

/// A frame as it arrived.
struct Arrival {
  GstClockTime pts;
  guint64 offset;  ///< cameras number their frames here
};

/// Frames that never came.
struct Loss {
  guint64 frames = 0;
  GstClockTime start = GST_CLOCK_TIME_NONE, length = 0;
};

/// Watches the pace of one stream. The streaming thread's, but for set_latency() and resume().
class Pace {
 public:
  /// A live frame that is later than this is dropped. Detections are bursts: whoever is late by
  /// less catches up in the frames between them.
  static constexpr GstClockTime kLateMost = 500 * GST_MSECOND;
  /// QoS messages come no more often than this, in time of the stream.
  static constexpr GstClockTime kMessageInterval = GST_SECOND;

  /// Frames of `info` follow.
  void configure(const GstVideoInfo &info);

  /// Frames of `segment` follow.
  void set_segment(const GstSegment *segment);

  /// The latency of the pipeline: how late frames may be anyway.
  void set_latency(GstClockTime latency);

  /// The next frame has no predecessor. From any thread.
  void resume() { fresh_ = true; }

  /// What was lost between the last frame and this one, which is `due` to be looked at, as one is
  /// every `interval` (0: all are). Asks upstream of `sinkpad` whether the source is live: only
  /// those lose.
  Loss note(GstPad *sinkpad, const Arrival &arrival, bool due, GstClockTime interval);

  /// By how much the frame of `pts` is too late for `element`; nothing if it is not.
  std::optional<GstClockTimeDiff> too_late(GstElement *element, GstClockTime pts) const;

  /// The rule is one message a dropped frame. A camera of 30 frames a second of which 5 are looked
  /// at would post two million a day, each the same news: totals once a second say as much.
  ///
  /// A QoS message of `element` about the frame of `pts`, or null if there was one shortly before.
  /// `processed` and `dropped` are totals.
  GstMessage *message(GstElement *element, GstClockTime pts, GstClockTimeDiff late,
                      guint64 processed, guint64 dropped);

  /// Forgets the stream.
  void reset();

 private:
  GstClockTime running_time(GstClockTime pts) const {
    return gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, pts);
  }

  void ask(GstPad *sinkpad);
  Loss lost_before(const Arrival &arrival, bool due, GstClockTime interval) const;

  GstSegment segment_ = undefined_segment();
  GstClockTime duration_ = GST_CLOCK_TIME_NONE;  // of a frame; none: not known
  bool live_ = false;
  GstClockTime source_latency_ = 0;
  std::optional<Arrival> last_;
  GstClockTime looked_at_ = GST_CLOCK_TIME_NONE;  // the last frame that `interval` chose
  GstClockTime told_ = GST_CLOCK_TIME_NONE;       // running time of the last message
  std::atomic<GstClockTime> latency_ = 0;
  std::atomic<bool> fresh_ = true;

  static GstSegment undefined_segment() {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    return segment;
  }
};

/// A GAP event that says that data is missing, rather than that there is none.
GstEvent *missing_data_event(GstClockTime start, GstClockTime length);

}  // namespace npc
