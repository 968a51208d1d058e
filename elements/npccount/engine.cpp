// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: what the streaming thread does.
#include "npccount/engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/pixels.h"
#include "gstbase/eventfilter.h"
#include "gstbase/objectlocker.h"
#include "npccount/core/clocksync.h"
#include "npccount/neighbours.h"

GST_DEBUG_CATEGORY_EXTERN(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

namespace npc::count {
namespace {

// No stream runs for 146 years: times beyond are mistakes, and sums of them would overflow.
constexpr GstClockTime kLatest = G_MAXINT64 / 2;

Time time_from(GstClockTime time) {
  return Time(static_cast<Time::rep>(time));
}

GstClockTime time_to(Time time) {
  return static_cast<GstClockTime>(time.count());
}

}  // namespace

CountEngine::CountEngine(GstElement *element, GstPad *sinkpad, GstPad *srcpad)
    : element_(element),
      sinkpad_(sinkpad),
      srcpad_(srcpad),
      window_(time_from(settings.interval)),
      watchdog_(
          element, sinkpad, [this] { return check_activity(); },
          [this](GstEvent *event) { handle_event(event); }) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
}

bool CountEngine::start() {
  const CountSettings current = copy_settings();
  const std::string error = current.rules.error();
  if (!error.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.c_str()), (nullptr));
    return false;
  }
  window_ = Window(time_from(current.interval));
  apply_definitions(current);
  load_totals(current);
  apply_resets();
  if (!watchdog_.start()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, FAILED,
                      ("npccount cannot make a thread: end other programs, or raise the limit of "
                       "processes (ulimit -u)."),
                      (nullptr));
    return false;
  }
  return true;
}

void CountEngine::stop() {
  watchdog_.stop();
  flush();
  apply_resets();
  save_totals(copy_settings());
  negotiated_ = false;
  utc_clock_.reset();
}

void CountEngine::play() {
  watchdog_.play(time_to(ActivityMonitor::kTimeout));
}

void CountEngine::flush() {
  forget();
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  stream_ = Stream::closed;
}

void CountEngine::forget() {
  tracker_.reset();
  window_.reset();
  rules_.forget();
  stream_clock_.reset();
  last_.reset();
  activity_.forget_stream();
  search_.restart();
}

bool CountEngine::set_caps(GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int width = 0, height = 0, numerator = 0, denominator = 1, across = 1, down = 1;
  // Video need not have a frame rate.
  gst_structure_get_fraction(structure, "framerate", &numerator, &denominator);
  if (!gst_structure_get_int(structure, "width", &width) ||
      !gst_structure_get_int(structure, "height", &height)) {
    GST_ERROR_OBJECT(element_, "caps are not fixed: %s", describe(caps).c_str());
    return false;
  }
  gst_structure_get_fraction(structure, "pixel-aspect-ratio", &across, &down);
  pixel_width_ = is_believable_pixel(across, down) ? static_cast<double>(across) / down : 1;
  const FrameSize frame = {width * pixel_width_, static_cast<double>(height)};
  // Boxes of one size of frame mean nothing in another. What was counted so far stands.
  if (frame.width != frame_.width || frame.height != frame_.height) {
    tracker_.reset();
    rules_.forget_tracks();
  }
  frame_ = frame;
  tracker_.set_frame_size(frame_);
  frame_duration_ = numerator > 0
                        ? time_from(gst_util_uint64_scale_int(GST_SECOND, denominator, numerator))
                        : Time::zero();
  if (!negotiated_) {
    if (gst_structure_has_name(structure, "video/x-raw"))
      search_.begin();
    else
      search_.end();
  }
  GstCaps *counts = gst_caps_from_string(GST_NPC_COUNTS_CAPS);
  negotiated_ = gst_pad_push_event(srcpad_, gst_event_new_caps(counts));
  gst_caps_unref(counts);
  return negotiated_;
}

bool CountEngine::set_segment(const GstSegment *segment) {
  if (segment->format != GST_FORMAT_TIME) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("npccount counts in time: the stream before it must be timed, as that of "
                       "npcdetect is."),
                      ("segment in format %s", gst_format_get_name(segment->format)));
    return false;
  }
  if (!gst_segment_is_equal(segment, &segment_)) {
    forget();
    gst_segment_copy_into(segment, &segment_);
  }
  if (stream_ == Stream::closed)
    stream_ = Stream::unknown;
  note_activity({});
  return true;
}

CountSettings CountEngine::copy_settings() {
  ObjectLocker lock(element_);
  return settings;
}

// The running time by the clock, if there is one.
std::optional<Time> CountEngine::clock_time() {
  const GstClockTime now = gst_element_get_current_running_time(element_);
  return now <= kLatest ? std::optional(time_from(now)) : std::nullopt;
}

// The running time of a timestamp, or of now if there is none; none if it lies outside of the
// segment.
std::optional<Time> CountEngine::running_time(GstClockTime pts) {
  if (!GST_CLOCK_TIME_IS_VALID(pts))
    return clock_time().value_or(time_from(gst_util_get_timestamp()));
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, pts);
  return running <= kLatest ? std::optional(time_from(running)) : std::nullopt;
}

GstClockTime CountEngine::timestamp_of(Time running) const {
  return gst_segment_position_from_running_time(&segment_, GST_FORMAT_TIME, time_to(running));
}

Time CountEngine::duration_of(GstClockTime duration) const {
  return GST_CLOCK_TIME_IS_VALID(duration) ? time_from(std::min(duration, kLatest))
                                           : frame_duration_;
}

GstFlowReturn CountEngine::chain(GstBuffer *buffer) {
  watchdog_.await();
  const CountSettings current = copy_settings();
  read_detections(buffer, frame_, pixel_width_, current.people_classes, detections_);
  const GstClockTime pts = GST_BUFFER_PTS(buffer), duration = GST_BUFFER_DURATION(buffer);
  // It may be a frame of the camera, which has few.
  gst_buffer_unref(buffer);
  if (!negotiated_)
    return GST_FLOW_NOT_NEGOTIATED;
  const std::optional<Time> running = running_time(pts);
  if (!running) {
    GST_DEBUG_OBJECT(element_, "frame at %" GST_TIME_FORMAT " lies outside of the segment",
                     GST_TIME_ARGS(pts));
    return GST_FLOW_OK;
  }
  const Time now = advance_clock(*running, current);
  if (search_.note(now, !detections_.empty()))
    GST_ELEMENT_WARNING(
        element_, STREAM, FORMAT,
        ("No detections have come with the video. If nobody is there all is well; "
         "else put a detector before npccount, such as npcdetect."),
        ("neither GstVideoRegionOfInterestMeta nor GstAnalyticsODMtd on any frame"));
  const GstFlowReturn flow = advance_window(now, false, current);
  const Time length = duration_of(duration);
  // Now, not before: while downstream blocks, frames cannot come.
  note_activity(length);
  if (flow != GST_FLOW_OK)
    return flow;
  apply_definitions(current);
  tracker_.update(now, detections_);
  post(rules_.update(now, tracker_.tracks(), frame_), pts, now, current);
  const FrameCounts counts = count_tracks(tracker_.tracks());
  window_.add(now, length, counts);
  GST_LOG_OBJECT(element_, "%zu detections at %" GST_TIME_FORMAT ": %u people, %u moving, %u faces",
                 detections_.size(), GST_TIME_ARGS(time_to(now)), counts.people, counts.moving,
                 counts.faces);
  return GST_FLOW_OK;
}

GstFlowReturn CountEngine::gap(GstClockTime pts, GstClockTime duration, bool lost) {
  const std::optional<Time> running =
      GST_CLOCK_TIME_IS_VALID(pts) ? running_time(pts) : std::nullopt;
  if (!running)
    return GST_FLOW_OK;
  const CountSettings current = copy_settings();
  const Time start = advance_clock(*running, current), length = duration_of(duration);
  Time end = start + length;
  // What lies ahead of the clock may come all the same.
  if (const std::optional<Time> now = clock_time(); now && stream_ == Stream::live)
    end = std::min(end, std::max(start, *now + time_from(current.interval)));
  if (lost) {
    GST_DEBUG_OBJECT(element_, "frames were lost at %" GST_TIME_FORMAT, GST_TIME_ARGS(pts));
    window_.lose(start, end);
    // No sign of life: who only ever loses frames says nothing.
    return advance_window(end, true, current);
  }
  const GstFlowReturn flow = advance_window(end, false, current);
  note_activity(length);
  return flow;
}

// A frame or a gap begins at `running`. Returns the time to go by.
Time CountEngine::advance_clock(Time running, const CountSettings &current) {
  Time time = running;
  if (const std::optional<Time> now = clock_time(); now && stream_ == Stream::live) {
    const Time shift = stream_clock_.shift();
    time = stream_clock_.map(running, *now, time_from(current.interval));
    if (std::chrono::abs(stream_clock_.shift() - shift) > StreamClock::kOutOfOrder)
      GST_INFO_OBJECT(element_, "timestamps say %" GST_TIME_FORMAT " at %" GST_TIME_FORMAT,
                      GST_TIME_ARGS(time_to(running)), GST_TIME_ARGS(time_to(time)));
  } else if (last_ && time < *last_ - StreamClock::kOutOfOrder) {
    GST_INFO_OBJECT(element_, "time went back from %" GST_TIME_FORMAT " to %" GST_TIME_FORMAT,
                    GST_TIME_ARGS(time_to(*last_)), GST_TIME_ARGS(time_to(time)));
    forget();
  } else if (last_) {
    time = std::max(time, *last_);
  }
  last_ = time;
  return time;
}

// Time has come to `end`, by a frame or a gap, or by one that says that frames were lost.
GstFlowReturn CountEngine::advance_window(Time end, bool lost, const CountSettings &current) {
  apply_resets();
  window_.set_length(time_from(current.interval));
  const auto closed = lost ? window_.pass(end) : window_.advance(end);
  return closed ? emit(*closed, current) : GST_FLOW_OK;
}

void CountEngine::finish() {
  if (const auto closed = window_.finish())
    emit(*closed, copy_settings());
  forget();
  stream_ = Stream::closed;
}

// There was a sign of life, which lasts for `length`, or as long as the last one.
void CountEngine::note_activity(std::optional<Time> length) {
  if (stream_ == Stream::unknown)
    if (const std::optional<bool> live = is_live(sinkpad_))
      stream_ = *live ? Stream::live : Stream::file;
  activity_.note(clock_time(), last_, length);
}

// Nothing may come any more. Returns when to check again.
GstClockTime CountEngine::check_activity() {
  const std::optional<Time> now = clock_time();
  if (!now)
    return GST_CLOCK_TIME_NONE;
  const auto silence = activity_.check(*now);
  // A file is not silent but slow, and what is counted in it must not depend on how slow.
  if (stream_ != Stream::live || !negotiated_ || GST_PAD_IS_FLUSHING(sinkpad_))
    return time_to(*now + ActivityMonitor::kTimeout);
  if (!silence)
    return time_to(activity_.due());
  const CountSettings current = copy_settings();
  if (!window_.is_stalled())
    GST_WARNING_OBJECT(element_, "nothing has come for %" GST_TIME_FORMAT,
                       GST_TIME_ARGS(time_to(silence->length)));
  window_.stall(silence->since);
  advance_window(silence->reached, true, current);
  return time_to(*now +
                 std::max(window_.end() - silence->reached, Time(std::chrono::milliseconds(1))));
}

// UTC in ns at the end of a window.
gint64 CountEngine::utc_of(const WindowCounts &window) {
  const Time running = window.start + window.length;
  const std::optional<Time> now = clock_time();
  const gint64 utc = g_get_real_time() * 1000;
  // A pipeline that prerolls has no clock yet: running time begins when it plays.
  if (!now)
    return GST_STATE(element_) < GST_STATE_PLAYING ? utc + running.count() : utc;
  const gint64 time = utc_clock_.at(running, *now, utc);
  return stream_ == Stream::live ? std::min(time, utc + window.length.count()) : time;
}

GstFlowReturn CountEngine::emit(const WindowCounts &window, const CountSettings &current) {
  const CountsPtr counts = records_.build(
      window, rules_.close(),
      {current.rules.site(), current.rules.camera(), utc_of(window), system_clock_is_unsynced()});
  // Before they are published: totals that somebody knows never fall.
  save_totals(current);

  const GstClockTime running = time_to(window.start), length = time_to(window.length);
  const GstClockTime pts = timestamp_of(window.start);
  const GstClockTime stream_time = gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts);
  g_autofree gchar *json = gst_npc_counts_to_json(counts.get());
  GST_DEBUG_OBJECT(element_, "%s", json);
  gchar *line = g_strconcat(json, "\n", nullptr);
  GstBuffer *buffer = gst_buffer_new_wrapped(line, strlen(line));
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = length;

  const GstFlowReturn flow = gst_pad_push(srcpad_, buffer);
  // Who finds a number missing takes it for a loss, so a record that a flush or a change of state
  // kept from leaving has none, and no message.
  if (was_refused(srcpad_, flow)) {
    GST_DEBUG_OBJECT(element_, "nobody takes the record: %s", gst_flow_get_name(flow));
    return flow;
  }
  records_.advance();
  if (current.post_messages)
    gst_element_post_message(
        element_, gst_npc_counts_to_message(counts.get(), GST_OBJECT(element_), pts, stream_time,
                                            running, length));
  return flow;
}

void CountEngine::set_rule(RuleSettings::Property property, const gchar *text) {
  std::string error;
  {
    ObjectLocker lock(element_);
    error = settings.rules.set(property, text, GST_STATE(element_) >= GST_STATE_PAUSED);
  }
  if (!error.empty())
    GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", error.c_str()), (nullptr));
}

void CountEngine::apply_definitions(const CountSettings &current) {
  if (applied_ == current.rules.definitions())
    return;
  applied_ = current.rules.definitions();
  rules_.define(*applied_);
}

void CountEngine::reset(const gchar *name) {
  const std::string text = name != nullptr ? name : "";
  {
    ObjectLocker lock(element_);
    bool known = text.empty();
    for (const LineDefinition &line : settings.rules.definitions()->lines)
      known |= line.name == text;
    if (known) {
      resets.insert(text);
      return;
    }
  }
  g_autofree gchar *shown = g_utf8_make_valid(text.c_str(), -1);
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("There is no line \"%s\", so no totals were reset. The property lines names "
                       "those there are.",
                       shown),
                      (nullptr));
}

void CountEngine::apply_resets() {
  std::set<std::string> names;
  {
    ObjectLocker lock(element_);
    names.swap(resets);
  }
  for (const std::string &name : names)
    rules_.reset_totals(name);
  if (!names.empty())
    totals_file_.note_change();
}

void CountEngine::load_totals(const CountSettings &current) {
  if (current.state_file.empty())
    return;
  std::optional<Totals> totals;
  const Status loaded = totals_file_.load(current.state_file, totals);
  if (totals)
    rules_.set_totals(*std::move(totals));
  if (loaded.is_failed())
    GST_ELEMENT_WARNING(element_, RESOURCE, READ, ("%s", loaded.error().c_str()), (nullptr));
}

void CountEngine::save_totals(const CountSettings &current) {
  if (current.state_file.empty())
    return;
  const auto failure = totals_file_.save(current.state_file, rules_.totals());
  if (failure && failure->warn)
    GST_ELEMENT_WARNING(element_, RESOURCE, WRITE, ("%s", failure->error.c_str()), (nullptr));
  else if (failure)
    GST_DEBUG_OBJECT(element_, "%s", failure->error.c_str());
}

void CountEngine::post(const Events &events, GstClockTime pts, Time running,
                       const CountSettings &current) {
  for (const Crossing &crossing : events.crossings) {
    totals_file_.note_change();
    GST_DEBUG_OBJECT(element_, "line %s: one more %s", crossing.line.c_str(),
                     crossing.in ? "in" : "out");
    post(crossing, pts, time_to(running), current);
  }
  for (const Alarm &alarm : events.alarms) {
    GST_DEBUG_OBJECT(element_, "threshold %s: %s, with %u", alarm.threshold.c_str(),
                     alarm.above ? "above" : "below", alarm.people);
    const Time since = running - alarm.held;
    post(alarm, timestamp_of(since), time_to(since), current);
  }
}

template <typename Event>
void CountEngine::post(const Event &event, GstClockTime pts, GstClockTime running,
                       const CountSettings &current) {
  if (!current.post_messages)
    return;
  const EventTimes times = {pts, gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts),
                            running};
  gst_element_post_message(
      element_, gst_message_new_element(GST_OBJECT(element_),
                                        structure_of_event(event, times, current.rules)));
}

gboolean CountEngine::take_event(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    // What makes records or ends them waits, as frames do.
    case GST_EVENT_GAP:
    case GST_EVENT_EOS:
    case GST_EVENT_FLUSH_STOP:
      watchdog_.await();
      break;
    default:
      if ((gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED) != 0 &&
          watchdog_.defer(event))
        return TRUE;
  }
  return handle_event(event);
}

// Acts on an event, of which it takes the reference, and passes it on.
gboolean CountEngine::handle_event(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps;
      gst_event_parse_caps(event, &caps);
      const bool accepted = set_caps(caps);
      gst_event_unref(event);
      return accepted;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment;
      gst_event_parse_segment(event, &segment);
      if (!set_segment(segment)) {
        gst_event_unref(event);
        return FALSE;
      }
      break;
    }
    case GST_EVENT_GAP: {
      GstClockTime pts, duration;
      GstGapFlags flags;
      gst_event_parse_gap(event, &pts, &duration);
      gst_event_parse_gap_flags(event, &flags);
      gst_event_unref(event);
      return gap(pts, duration, (flags & GST_GAP_FLAG_MISSING_DATA) != 0) == GST_FLOW_OK;
    }
    case GST_EVENT_FLUSH_STOP:
      flush();
      break;
    case GST_EVENT_EOS:
      finish();
      break;
    default:
      break;
  }
  return pass_downstream(sinkpad_, GST_OBJECT(element_), event);
}

}  // namespace npc::count
