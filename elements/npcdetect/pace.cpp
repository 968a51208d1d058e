// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether detection keeps up with a live source, and what is lost where it does not.
#include "pace.h"

#include <algorithm>

namespace npc {
namespace {

// Cameras number their frames; parsers of raw video count bytes in the same place. No camera makes
// more than a thousand frames a second.
constexpr GstClockTime kShortestFrame = GST_MSECOND;

// No stream runs for 146 years: times beyond are mistakes, and sums of them would overflow.
constexpr GstClockTime kLatest = G_MAXINT64 / 2;

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

void Pace::configure(const GstVideoInfo &info) {
  const gint numerator = GST_VIDEO_INFO_FPS_N(&info);
  duration_ = numerator > 0
                  ? gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&info), numerator)
                  : GST_CLOCK_TIME_NONE;
  if (duration_ < kShortestFrame)
    duration_ = GST_CLOCK_TIME_NONE;
  resume();
}

void Pace::set_segment(const GstSegment *segment) {
  gst_segment_copy_into(segment, &segment_);
  resume();
}

void Pace::set_latency(GstClockTime latency) {
  latency_ = believable(latency);
}

void Pace::ask(GstPad *sinkpad) {
  last_.reset();
  looked_at_ = GST_CLOCK_TIME_NONE;
  source_latency_ = 0;
  gboolean live = FALSE;
  GstQuery *query = gst_query_new_latency();
  if (gst_pad_peer_query(sinkpad, query))
    gst_query_parse_latency(query, &live, &source_latency_, nullptr);
  gst_query_unref(query);
  source_latency_ = believable(source_latency_);
  live_ = live != FALSE;
}

Loss Pace::note(GstPad *sinkpad, const Arrival &arrival, bool due, GstClockTime interval) {
  if (fresh_.exchange(false))
    ask(sinkpad);
  if (arrival.pts > kLatest) {
    last_.reset();
    looked_at_ = GST_CLOCK_TIME_NONE;
    return {};
  }
  const Loss loss = live_ ? lost_before(arrival, due, interval) : Loss();
  last_ = arrival;
  if (due)
    looked_at_ = arrival.pts;
  return loss;
}

Loss Pace::lost_before(const Arrival &arrival, bool due, GstClockTime interval) const {
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

std::optional<GstClockTimeDiff> Pace::too_late(GstElement *element, GstClockTime pts) const {
  if (!live_)
    return std::nullopt;
  const GstClockTime now = gst_element_get_current_running_time(element);
  const GstClockTime running = running_time(pts);
  if (now > kLatest || running > kLatest)
    return std::nullopt;
  const GstClockTime latency = std::max(latency_.load(), source_latency_);
  const GstClockTimeDiff late = GST_CLOCK_DIFF(running + latency, now);
  if (late <= static_cast<GstClockTimeDiff>(kLateMost))
    return std::nullopt;
  return late;
}

GstMessage *Pace::message(GstElement *element, GstClockTime pts, GstClockTimeDiff late,
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

void Pace::reset() {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  told_ = GST_CLOCK_TIME_NONE;
  latency_ = 0;
  resume();
}

GstEvent *missing_data_event(GstClockTime start, GstClockTime length) {
  GstEvent *event = gst_event_new_gap(start, length);
  gst_event_set_gap_flags(event, GST_GAP_FLAG_MISSING_DATA);
  return event;
}

}  // namespace npc
