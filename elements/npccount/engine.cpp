// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: its settings, and what the streaming thread does.
#include "npccount/engine.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/pixels.h"
#include "gstbase/eventfilter.h"
#include "npccount/core/clocksync.h"
#include "npccount/ruleparser.h"

GST_DEBUG_CATEGORY_EXTERN(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

namespace {

using npc::count::Time;

// No stream runs for 146 years: times beyond are mistakes, and sums of them would overflow.
constexpr GstClockTime kLatest = G_MAXINT64 / 2;

// The system's clock is followed when it is set, not when it is nudged: windows stay evenly spaced.
constexpr gint64 kClockStep = 100 * GST_MSECOND;

// Video in which nothing was ever found for this long may have no detector.
constexpr Time kLongSearch = std::chrono::seconds(10);

constexpr const char *kNameRule = "a name has 1 to 64 letters, digits, _ or -";

Time time_from(GstClockTime time) {
  return Time(static_cast<Time::rep>(time));
}

GstClockTime time_to(Time time) {
  return static_cast<GstClockTime>(time.count());
}

std::string new_boot() {
  guint64 number;
  if (getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    number = static_cast<guint64>(g_random_int()) << 32 | g_random_int();
  g_autofree gchar *text = g_strdup_printf("%016" G_GINT64_MODIFIER "x", number);
  return text;
}

// Text from a user, fit for a message.
std::string in_quotes(const std::string &text) {
  g_autofree gchar *valid = g_utf8_make_valid(text.c_str(), -1);
  return '"' + std::string(valid) + '"';
}

void add_rules(GstNpcCounts *counts, const npc::count::RuleCounts &rules) {
  for (const auto &[name, in, out, totals] : rules.lines) {
    GstNpcLineCount *line = gst_npc_counts_add_line(counts, name.c_str());
    line->in = in;
    line->out = out;
    line->in_total = totals.in;
    line->out_total = totals.out;
  }
  for (const auto &[name, seen] : rules.zones) {
    GstNpcZoneCount *zone = gst_npc_counts_add_zone(counts, name.c_str());
    zone->people = seen.people;
    zone->people_max = seen.most_people;
    zone->entered = seen.entered;
    zone->dwell = gst_util_uint64_scale_round(time_to(seen.dwell), 1, GST_MSECOND);
  }
}

// What no reader would take counts for nothing: with many long names, the last classes give way.
void shorten(GstNpcCounts *counts) {
  while (const guint objects = gst_npc_counts_get_n_objects(counts)) {
    g_autofree gchar *json = gst_npc_counts_to_json(counts);
    g_autofree gchar *lines = gst_npc_counts_to_line_protocol(counts);
    if (std::max(strlen(json), strlen(lines)) <= GST_NPC_RECORD_MAX)
      return;
    gst_npc_counts_remove_object(counts, objects - 1);
  }
}

}  // namespace

npc::CountEngine::CountEngine(GstElement *element, GstPad *sinkpad, GstPad *srcpad)
    : element_(element),
      sinkpad_(sinkpad),
      srcpad_(srcpad),
      boot_(new_boot()),
      window_(time_from(settings.interval)),
      timer_(element, [this] { return watch(); }) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
}

bool npc::CountEngine::start() {
  const npc::CountSettings current = copy_settings();
  for (const auto &[property, name] :
       {std::pair{"site", &current.site}, std::pair{"camera", &current.camera}}) {
    if (!name->refused)
      continue;
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The property %s cannot be %s: %s.", property,
                       in_quotes(*name->refused).c_str(), kNameRule),
                      (nullptr));
    return false;
  }
  if (refuse_to_start(current))
    return false;
  window_ = npc::count::Window(time_from(current.interval));
  apply_definitions(current);
  load_totals(current);
  apply_resets();
  if (!timer_.start()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, FAILED,
                      ("npccount cannot make a thread: end other programs, or raise the limit of "
                       "processes (ulimit -u)."),
                      (nullptr));
    return false;
  }
  return true;
}

void npc::CountEngine::stop() {
  flush();
  apply_resets();
  save_totals(copy_settings());
  negotiated_ = false;
  utc_base_.reset();
}

void npc::CountEngine::flush() {
  forget();
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  streaming_ = false;
  live_.reset();
}

void npc::CountEngine::forget() {
  tracker_.reset();
  window_.reset();
  rules_.forget();
  stream_clock_.reset();
  last_.reset();
  active_at_.reset();
  searching_since_.reset();
}

bool npc::CountEngine::set_caps(GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int width = 0, height = 0, numerator = 0, denominator = 1, across = 1, down = 1;
  // Video need not have a frame rate.
  gst_structure_get_fraction(structure, "framerate", &numerator, &denominator);
  if (!gst_structure_get_int(structure, "width", &width) ||
      !gst_structure_get_int(structure, "height", &height)) {
    GST_ERROR_OBJECT(element_, "caps are not fixed: %s", npc::describe(caps).c_str());
    return false;
  }
  gst_structure_get_fraction(structure, "pixel-aspect-ratio", &across, &down);
  pixel_width_ = npc::is_believable_pixel(across, down) ? static_cast<double>(across) / down : 1;
  const npc::count::FrameSize frame = {width * pixel_width_, static_cast<double>(height)};
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
  if (!negotiated_)
    searching_ = gst_structure_has_name(structure, "video/x-raw");
  GstCaps *counts = gst_caps_from_string(GST_NPC_COUNTS_CAPS);
  negotiated_ = gst_pad_push_event(srcpad_, gst_event_new_caps(counts));
  gst_caps_unref(counts);
  return negotiated_;
}

bool npc::CountEngine::set_segment(const GstSegment *segment) {
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
  streaming_ = true;
  note_activity();
  return true;
}

npc::CountSettings npc::CountEngine::copy_settings() {
  npc::ObjectLocker lock(element_);
  return settings;
}

// The running time by the clock, if there is one.
std::optional<Time> npc::CountEngine::clock_time() {
  const GstClockTime now = gst_element_get_current_running_time(element_);
  return now <= kLatest ? std::optional(time_from(now)) : std::nullopt;
}

// The running time of a timestamp, or of now if there is none; none if it lies outside of the
// segment.
std::optional<Time> npc::CountEngine::running_time(GstClockTime pts) {
  if (!GST_CLOCK_TIME_IS_VALID(pts))
    return clock_time().value_or(time_from(gst_util_get_timestamp()));
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, pts);
  return running <= kLatest ? std::optional(time_from(running)) : std::nullopt;
}

Time npc::CountEngine::duration_of(GstClockTime duration) const {
  return GST_CLOCK_TIME_IS_VALID(duration) ? time_from(std::min(duration, kLatest))
                                           : frame_duration_;
}

GstFlowReturn npc::CountEngine::chain(GstBuffer *buffer) {
  const npc::CountSettings current = copy_settings();
  npc::read_detections(buffer, frame_, pixel_width_, current.people_classes, detections_);
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
  miss_detector(now);
  const GstFlowReturn flow = advance_window(now, false, current);
  active_length_ = duration_of(duration);
  // Now, not before: while downstream blocks, frames cannot come.
  note_activity();
  if (flow != GST_FLOW_OK)
    return flow;
  apply_definitions(current);
  tracker_.update(now, detections_);
  post(rules_.update(now, tracker_.tracks(), frame_), pts, now, current);
  const npc::count::FrameCounts counts = npc::count::count_tracks(tracker_.tracks());
  window_.add(now, active_length_, counts);
  GST_LOG_OBJECT(element_, "%zu detections at %" GST_TIME_FORMAT ": %u people, %u moving, %u faces",
                 detections_.size(), GST_TIME_ARGS(time_to(now)), counts.people, counts.moving,
                 counts.faces);
  return GST_FLOW_OK;
}

// Pictures without a detector before them look like an empty room.
void npc::CountEngine::miss_detector(Time now) {
  if (!searching_)
    return;
  if (!searching_since_)
    searching_since_ = now;
  searching_ = detections_.empty() && now - *searching_since_ < kLongSearch;
  if (searching_ || !detections_.empty())
    return;
  GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                      ("No detections have come with the video. If nobody is there all is well; "
                       "else put a detector before npccount, such as npcdetect."),
                      ("neither GstVideoRegionOfInterestMeta nor GstAnalyticsODMtd on any frame"));
}

GstFlowReturn npc::CountEngine::gap(GstClockTime pts, GstClockTime duration, bool lost) {
  const std::optional<Time> running =
      GST_CLOCK_TIME_IS_VALID(pts) ? running_time(pts) : std::nullopt;
  if (!running)
    return GST_FLOW_OK;
  const npc::CountSettings current = copy_settings();
  const Time start = advance_clock(*running, current), length = duration_of(duration);
  Time end = start + length;
  // What lies ahead of the clock may come all the same.
  if (const std::optional<Time> now = clock_time(); now && live_.value_or(false))
    end = std::min(end, std::max(start, *now + time_from(current.interval)));
  if (lost) {
    GST_DEBUG_OBJECT(element_, "frames were lost at %" GST_TIME_FORMAT, GST_TIME_ARGS(pts));
    window_.lose(start, end);
    // No sign of life: who only ever loses frames says nothing.
    return advance_window(end, true, current);
  }
  const GstFlowReturn flow = advance_window(end, false, current);
  active_length_ = length;
  note_activity();
  return flow;
}

// A frame or a gap begins at `running`. Returns the time to go by.
Time npc::CountEngine::advance_clock(Time running, const npc::CountSettings &current) {
  Time time = running;
  if (const std::optional<Time> now = clock_time(); now && live_.value_or(false)) {
    const Time shift = stream_clock_.shift();
    time = stream_clock_.map(running, *now, time_from(current.interval));
    if (std::chrono::abs(stream_clock_.shift() - shift) > npc::count::StreamClock::kOutOfOrder)
      GST_INFO_OBJECT(element_, "timestamps say %" GST_TIME_FORMAT " at %" GST_TIME_FORMAT,
                      GST_TIME_ARGS(time_to(running)), GST_TIME_ARGS(time_to(time)));
  } else if (last_ && time < *last_ - npc::count::StreamClock::kOutOfOrder) {
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
GstFlowReturn npc::CountEngine::advance_window(Time end, bool lost,
                                               const npc::CountSettings &current) {
  apply_resets();
  window_.set_length(time_from(current.interval));
  const auto closed = lost ? window_.pass(end) : window_.advance(end);
  return closed ? emit(*closed, current) : GST_FLOW_OK;
}

void npc::CountEngine::finish() {
  if (const auto closed = window_.finish())
    emit(*closed, copy_settings());
  forget();
  streaming_ = false;
}

// UTC in ns at the end of a window.
gint64 npc::CountEngine::utc_of(const npc::count::WindowCounts &window) {
  const Time running = window.start + window.length;
  const std::optional<Time> now = clock_time();
  const gint64 utc = g_get_real_time() * 1000;
  // A pipeline that prerolls has no clock yet: running time begins when it plays.
  if (!now)
    return GST_STATE(element_) < GST_STATE_PLAYING ? utc + running.count() : utc;
  const gint64 base = utc - now->count();
  if (!utc_base_ || std::abs(base - *utc_base_) > kClockStep)
    utc_base_ = base;
  const gint64 time = std::max<gint64>(*utc_base_ + running.count(), 0);
  return live_.value_or(false) ? std::min(time, utc + window.length.count()) : time;
}

// Whether a push that ended with `flow` was refused at the door. Else somebody may have the buffer:
// a tee says that one branch is flushing after it has served another.
bool npc::CountEngine::nobody_took(GstFlowReturn flow) const {
  if (flow != GST_FLOW_FLUSHING && flow != GST_FLOW_EOS)
    return flow == GST_FLOW_NOT_LINKED;
  const auto is_closed = [](GstPad *pad) {
    return GST_PAD_IS_FLUSHING(pad) || GST_PAD_IS_EOS(pad);
  };
  if (is_closed(srcpad_))
    return true;
  g_autoptr(GstPad) peer = gst_pad_get_peer(srcpad_);
  // Where a bin ends, it is the pad on its other side.
  while (peer != nullptr && GST_IS_PROXY_PAD(peer)) {
    g_autoptr(GstProxyPad) other = gst_proxy_pad_get_internal(GST_PROXY_PAD(peer));
    GstPad *next = other != nullptr ? gst_pad_get_peer(GST_PAD(other)) : nullptr;
    gst_object_unref(peer);
    peer = next;
  }
  return peer == nullptr || is_closed(peer);
}

GstFlowReturn npc::CountEngine::emit(const npc::count::WindowCounts &window,
                                     const npc::CountSettings &current) {
  const auto counts = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>(
      gst_npc_counts_new(current.site.value.c_str(), current.camera.value.c_str(), boot_.c_str()),
      gst_npc_counts_free);
  counts->seq = seq_;
  counts->time = utc_of(window) / GST_MSECOND;
  counts->interval = gst_util_uint64_scale_round(time_to(window.length), 1, GST_MSECOND);
  counts->people = window.people;
  counts->people_max = window.most_people;
  counts->moving = window.moving;
  counts->faces = window.faces;
  for (const auto &[name, count] : window.objects)
    gst_npc_counts_add_object(counts.get(), name.c_str())->count = count;
  add_rules(counts.get(), rules_.close());
  counts->flags = static_cast<GstNpcCountsFlags>(
      (window.partial ? GST_NPC_COUNTS_FLAG_PARTIAL : 0) |
      (window.degraded ? GST_NPC_COUNTS_FLAG_DEGRADED : 0) |
      (window.stalled ? GST_NPC_COUNTS_FLAG_STALLED : 0) |
      (npc::count::system_clock_is_unsynced() ? GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED : 0));
  shorten(counts.get());
  // Before anybody hears of them: totals that were told never fall.
  save_totals(current);

  const GstClockTime running = time_to(window.start), length = time_to(window.length);
  const GstClockTime pts =
      gst_segment_position_from_running_time(&segment_, GST_FORMAT_TIME, running);
  const GstClockTime stream_time = gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts);
  g_autofree gchar *json = gst_npc_counts_to_json(counts.get());
  GST_DEBUG_OBJECT(element_, "%s", json);
  gchar *line = g_strconcat(json, "\n", nullptr);
  GstBuffer *buffer = gst_buffer_new_wrapped(line, strlen(line));
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = length;

  const GstFlowReturn flow = gst_pad_push(srcpad_, buffer);
  // Who finds a number missing takes it for a loss, so a record that a flush or a change of state
  // kept from leaving has none, and nobody hears of it.
  if (nobody_took(flow)) {
    GST_DEBUG_OBJECT(element_, "nobody takes the record: %s", gst_flow_get_name(flow));
    return flow;
  }
  seq_++;
  if (current.post_messages)
    gst_element_post_message(
        element_, gst_npc_counts_to_message(counts.get(), GST_OBJECT(element_), pts, stream_time,
                                            running, length));
  return flow;
}

void npc::CountEngine::set_name(npc::NameSetting npc::CountSettings::*which, const char *property,
                                const gchar *name) {
  const std::string text = name != nullptr ? name : "";
  std::string kept;
  const char *rule = kNameRule;
  {
    npc::ObjectLocker lock(element_);
    npc::NameSetting &setting = settings.*which;
    const bool running = GST_STATE(element_) >= GST_STATE_PAUSED;
    bool good = gst_npc_name_is_valid(text.c_str());
    kept = setting.value;
    if (good)
      setting = {text, std::nullopt};
    else if (!running)
      setting.refused = text;
    if (good && running &&
        !npc::does_record_fit(settings.site.value, settings.camera.value, *settings.definitions)) {
      setting.value = kept;
      rule = npc::kRecordRule;
      good = false;
    }
    if (good || !running)
      return;
  }
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("The property %s cannot be %s: %s. It stays %s.", property,
                       in_quotes(text).c_str(), rule, in_quotes(kept).c_str()),
                      (nullptr));
}

gboolean npc::CountEngine::handle_event(GstEvent *event) {
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
  return npc::pass_downstream(sinkpad_, GST_OBJECT(element_), event);
}
