// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether detection keeps up with a live source, and what is lost where it does not.
#include "npcdetect/qosmonitor.h"

#include <algorithm>
#include <utility>

namespace npc::detect {
namespace {

// Cameras number their frames; parsers of raw video count bytes in the same place. No camera makes
// more than a thousand frames a second.
constexpr GstClockTime kShortestFrame = GST_MSECOND;

// No stream runs for 146 years: times beyond are mistakes, and sums of them would overflow.
constexpr GstClockTime kLatest = G_MAXINT64 / 2;

// Timestamps that go back by more than this are not out of order but begin anew.
constexpr GstClockTime kOutOfOrder = GST_SECOND;

// A frame that is ahead of the clock by more than this at once has leapt.
constexpr GstClockTime kAheadMost = 2 * GST_SECOND;

// Upstream skips frames for twice the lateness in a QoS event. One a second must come.
constexpr GstClockTimeDiff kToldMost = 400 * GST_MSECOND;

// Those of older looks count for seven eighths, as in GstBaseSink.
constexpr double kWeightOfNew = 1.0 / 8;

GstClockTime believable(GstClockTime latency) {
  return latency <= kLatest ? latency : 0;
}

/// How many frames after `last` the later `arrival` is, by their numbers; 0 if those say nothing.
guint64 numbers_between(const Arrival &last, const Arrival &arrival) {
  if (arrival.offset == GST_BUFFER_OFFSET_NONE || last.offset == GST_BUFFER_OFFSET_NONE ||
      arrival.offset <= last.offset)
    return 0;
  const guint64 steps = arrival.offset - last.offset;
  return (arrival.pts - last.pts) / steps >= kShortestFrame ? steps : 0;
}

}  // namespace

void QosMonitor::configure(const GstVideoInfo &info) {
  const gint numerator = GST_VIDEO_INFO_FPS_N(&info);
  duration_ = numerator > 0
                  ? gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&info), numerator)
                  : GST_CLOCK_TIME_NONE;
  if (duration_ < kShortestFrame)
    duration_ = GST_CLOCK_TIME_NONE;
  resume();
}

void QosMonitor::set_segment(const GstSegment *segment) {
  gst_segment_copy_into(segment, &segment_);
  resume();
}

void QosMonitor::set_latency(GstClockTime latency) {
  latency_ = believable(latency);
}

void QosMonitor::ask(GstPad *sinkpad) {
  last_.reset();
  looked_at_ = GST_CLOCK_TIME_NONE;
  spacing_ = 0;
  step_ = Step::onward;
  monitor_ = LatenessMonitor();
  source_latency_ = 0;
  gboolean live = FALSE;
  GstQuery *query = gst_query_new_latency();
  if (gst_pad_peer_query(sinkpad, query))
    gst_query_parse_latency(query, &live, &source_latency_, nullptr);
  gst_query_unref(query);
  source_latency_ = believable(source_latency_);
  live_ = live != FALSE;
}

Loss QosMonitor::note(GstPad *sinkpad, const Arrival &arrival, bool due, GstClockTime interval) {
  if (fresh_.exchange(false))
    ask(sinkpad);
  if (arrival.pts > kLatest) {
    last_.reset();
    looked_at_ = GST_CLOCK_TIME_NONE;
    return {};
  }
  const Step step = step_to(arrival);
  if (step != Step::onward)
    step_ = step;
  const Loss loss = live_ && step == Step::onward ? lost_before(arrival, due, interval) : Loss();
  last_ = arrival;
  if (due) {
    spacing_ = looked_at_ < arrival.pts && step == Step::onward ? arrival.pts - looked_at_ : 0;
    looked_at_ = arrival.pts;
  }
  return loss;
}

Step QosMonitor::step_to(const Arrival &arrival) const {
  if (!last_)
    return Step::onward;
  if (arrival.pts <= last_->pts)
    return last_->pts - arrival.pts > kOutOfOrder ? Step::back : Step::onward;
  const std::optional<GstClockTimeDiff> late = lateness_of(arrival);
  if (!late || *late >= -static_cast<GstClockTimeDiff>(kAheadMost) || last_->clock > arrival.clock)
    return Step::onward;
  const GstClockTime passed = arrival.pts - last_->pts;
  return passed > arrival.clock - last_->clock + kAheadMost ? Step::ahead : Step::onward;
}

Loss QosMonitor::lost_before(const Arrival &arrival, bool due, GstClockTime interval) const {
  if (!last_ || arrival.pts <= last_->pts)
    return {};
  const GstClockTime passed = arrival.pts - last_->pts;
  guint64 frames = 0;
  // A camera that exposes longer sends fewer frames and loses none: its numbers say so.
  const guint64 steps = numbers_between(*last_, arrival);
  if (steps > 0)
    frames = steps - 1;
  else if (GST_CLOCK_TIME_IS_VALID(duration_) && passed > duration_ + duration_ / 2)
    frames = (passed - duration_ / 2) / duration_;
  if (frames == 0)
    return {};
  const GstClockTime step = passed / (frames + 1);
  if (interval == 0 || !GST_CLOCK_TIME_IS_VALID(looked_at_))
    return {frames, last_->pts + step, passed - step};
  // Of those that nobody would have looked at, none is missed.
  const GstClockTime unseen = arrival.pts - looked_at_;
  if (!due || unseen <= interval || unseen - interval <= step + step / 2)
    return {};
  return {std::max<guint64>(1, (unseen - interval / 2) / interval), looked_at_ + interval,
          unseen - interval};
}

std::optional<GstClockTimeDiff> QosMonitor::lateness_of(const Arrival &arrival) const {
  const GstClockTime running = running_time(arrival.pts);
  if (!live_ || running > kLatest || arrival.clock > kLatest)
    return std::nullopt;
  return GST_CLOCK_DIFF(running + std::max(latency_.load(), source_latency_), arrival.clock);
}

Lateness QosMonitor::judge(const Arrival &arrival) {
  const Step step = std::exchange(step_, Step::onward);
  late_ = lateness_of(arrival);
  return late_ ? monitor_.judge(*late_, GST_CLOCK_DIFF(0, arrival.clock), step) : Lateness::in_time;
}

GstEvent *QosMonitor::qos_event(const Arrival &arrival, Lateness lateness) const {
  if (!late_)
    return nullptr;
  const GstClockTime running = running_time(arrival.pts);
  // Whoever is late by less than what is let pass is not asked to skip frames.
  if (lateness == Lateness::drop || lateness == Lateness::look_anyway)
    return gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, proportion_, std::min(excess(), kToldMost),
                             running);
  const GstClockTimeDiff early =
      std::clamp<GstClockTimeDiff>(excess(), -GST_CLOCK_DIFF(0, running), 0);
  return gst_event_new_qos(GST_QOS_TYPE_OVERFLOW, proportion_, early, running);
}

void QosMonitor::looked(const Arrival &arrival, GstClockTime end) {
  if (!late_ || end > kLatest || end < arrival.clock)
    return;
  monitor_.looked(GST_CLOCK_DIFF(0, arrival.clock), GST_CLOCK_DIFF(0, end));
  if (spacing_ == 0)
    return;
  const double taken = static_cast<double>(end - arrival.clock) / static_cast<double>(spacing_);
  proportion_ += (taken - proportion_) * kWeightOfNew;
}

GstMessage *QosMonitor::message(GstElement *element, GstClockTime pts, GstClockTimeDiff late,
                                guint64 processed, guint64 dropped) {
  const GstClockTime running = running_time(pts);
  if (!GST_CLOCK_TIME_IS_VALID(running) ||
      (GST_CLOCK_TIME_IS_VALID(told_) && running >= told_ && running - told_ < kMessageInterval))
    return nullptr;
  told_ = running;
  GstMessage *message = gst_message_new_qos(
      GST_OBJECT(element), live_, running,
      gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts), pts, duration_);
  const double proportion =
      processed > 0 ? static_cast<double>(processed + dropped) / static_cast<double>(processed) : 1;
  gst_message_set_qos_values(message, late, proportion, 1000000);
  gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, processed, dropped);
  return message;
}

void QosMonitor::reset() {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  told_ = GST_CLOCK_TIME_NONE;
  late_.reset();
  proportion_ = 1;
  latency_ = 0;
  resume();
}

GstEvent *missing_data_event(GstClockTime start, GstClockTime length) {
  GstEvent *event = gst_event_new_gap(start, length);
  gst_event_set_gap_flags(event, GST_GAP_FLAG_MISSING_DATA);
  return event;
}

}  // namespace npc::detect
