// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether detection keeps up with a live source, and what is lost where it does not.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <optional>

#include "npcdetect/core/lateness.h"

namespace npc::detect {

/// A frame as it arrived.
struct Arrival {
  GstClockTime pts;
  guint64 offset;      ///< cameras number their frames here
  GstClockTime clock;  ///< running time at which it arrived; none: there is no clock
};

/// Frames that never came.
struct Loss {
  guint64 frames = 0;
  GstClockTime start = GST_CLOCK_TIME_NONE, length = 0;
};

/// Watches the pace of one stream. The streaming thread's, but for set_latency() and resume().
class QosMonitor {
 public:
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

  /// Whether a frame that is due, and was noted, comes too late.
  Lateness judge(const Arrival &arrival);

  /// By how much the frame that was judged last is late, beyond what is taken for granted.
  GstClockTimeDiff excess() const { return late_.value_or(0) - monitor_.granted(); }

  /// The lateness that is taken for granted.
  GstClockTimeDiff granted() const { return monitor_.granted(); }

  /// What GstBaseSink sends upstream about a frame that it shows or drops, of the frame that was
  /// judged last: decoders skip frames by it. The lateness in it is bounded. Null if the source
  /// is not live.
  GstEvent *qos_event(const Arrival &arrival, Lateness lateness) const;

  /// The frame that was judged last was looked at, until running time `end`.
  void looked(const Arrival &arrival, GstClockTime end);

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
  std::optional<GstClockTimeDiff> lateness_of(const Arrival &arrival) const;
  Step step_to(const Arrival &arrival) const;
  Loss lost_before(const Arrival &arrival, bool due, GstClockTime interval) const;

  GstSegment segment_ = undefined_segment();
  GstClockTime duration_ = GST_CLOCK_TIME_NONE;  // of a frame; none: not known
  bool live_ = false;
  GstClockTime source_latency_ = 0;
  std::optional<Arrival> last_;
  GstClockTime looked_at_ = GST_CLOCK_TIME_NONE;  // the last frame that `interval` chose
  GstClockTime spacing_ = 0;                      // of the last two of these; 0: not known
  Step step_ = Step::onward;                      // since the last frame that was judged
  LatenessMonitor monitor_;
  std::optional<GstClockTimeDiff> late_;     // the frame that was judged last; none: unknown
  double proportion_ = 1;                    // of the time between frames, that a look takes
  GstClockTime told_ = GST_CLOCK_TIME_NONE;  // running time of the last message
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

}  // namespace npc::detect
