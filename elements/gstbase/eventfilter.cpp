// SPDX-License-Identifier: LGPL-2.1-or-later
// What may pass an element that takes pictures, besides what it makes of them: a short list, so
// that none rides along.
#include "gstbase/eventfilter.h"

#include <gst/video/video.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace npc {
namespace {

struct Unref {
  void operator()(GstQuery *query) const { gst_query_unref(query); }
};
using Query = std::unique_ptr<GstQuery, Unref>;

struct Field {
  const char *name;
  GType type;
};

std::vector<Field> fields_of(GstEventType type) {
  switch (type) {
    case GST_EVENT_STREAM_START:
      return {{"stream-id", G_TYPE_STRING}};
    case GST_EVENT_CAPS:
      return {{"caps", GST_TYPE_CAPS}};
    case GST_EVENT_SEGMENT:
      return {{"segment", GST_TYPE_SEGMENT}};
    case GST_EVENT_GAP:
      return {{"timestamp", G_TYPE_UINT64}, {"duration", G_TYPE_UINT64}};
    case GST_EVENT_TAG:
      return {{"taglist", GST_TYPE_TAG_LIST}};
    case GST_EVENT_STREAM_GROUP_DONE:
      return {{"group-id", G_TYPE_UINT}};
    case GST_EVENT_SEGMENT_DONE:
      return {{"format", GST_TYPE_FORMAT}, {"position", G_TYPE_INT64}};
    case GST_EVENT_FLUSH_STOP:
      return {{"reset-time", G_TYPE_BOOLEAN}};
    case GST_EVENT_QOS:
      return {{"type", GST_TYPE_QOS_TYPE},
              {"proportion", G_TYPE_DOUBLE},
              {"diff", G_TYPE_INT64},
              {"timestamp", G_TYPE_UINT64}};
    case GST_EVENT_SEEK:
      return {{"rate", G_TYPE_DOUBLE},        {"format", GST_TYPE_FORMAT},
              {"flags", GST_TYPE_SEEK_FLAGS}, {"cur-type", GST_TYPE_SEEK_TYPE},
              {"cur", G_TYPE_INT64},          {"stop-type", GST_TYPE_SEEK_TYPE},
              {"stop", G_TYPE_INT64}};
    case GST_EVENT_LATENCY:
      return {{"latency", G_TYPE_UINT64}};
    default:
      return {};
  }
}

GstEvent *plain_stream_start(GstEvent *event) {
  const gchar *id = nullptr;
  guint group = 0;
  GstStreamFlags flags = GST_STREAM_FLAG_NONE;
  gst_event_parse_stream_start(event, &id);
  gst_event_parse_stream_flags(event, &flags);
  // An id is any text, of any length. Its digest tells streams apart as well.
  g_autofree gchar *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, id, -1);
  GstEvent *plain = gst_event_new_stream_start(digest);
  gst_event_set_stream_flags(plain, flags);
  // The GstStream is left behind: it has tags.
  if (gst_event_parse_group_id(event, &group))
    gst_event_set_group_id(plain, group);
  return plain;
}

GstEvent *plain_segment(GstEvent *event) {
  const GstSegment *segment;
  gst_event_parse_segment(event, &segment);
  GstSegment plain;
  gst_segment_init(&plain, segment->format);
  plain.flags = segment->flags;
  plain.rate = segment->rate;
  plain.applied_rate = segment->applied_rate;
  plain.base = segment->base;
  plain.offset = segment->offset;
  plain.start = segment->start;
  plain.stop = segment->stop;
  plain.time = segment->time;
  plain.position = segment->position;
  plain.duration = segment->duration;
  return gst_event_new_segment(&plain);
}

GstEvent *plain_gap(GstEvent *event) {
  GstClockTime timestamp, duration;
  gst_event_parse_gap(event, &timestamp, &duration);
  GstGapFlags flags = static_cast<GstGapFlags>(0);
  gst_event_parse_gap_flags(event, &flags);
  GstEvent *plain = gst_event_new_gap(timestamp, duration);
  gst_event_set_gap_flags(plain, flags);
  return plain;
}

GstEvent *plain_seek(GstEvent *event) {
  gdouble rate;
  GstFormat format;
  GstSeekFlags flags;
  GstSeekType start_type, stop_type;
  gint64 start, stop;
  GstClockTime interval = 0;
  gst_event_parse_seek(event, &rate, &format, &flags, &start_type, &start, &stop_type, &stop);
  gst_event_parse_seek_trickmode_interval(event, &interval);
  GstEvent *plain = gst_event_new_seek(rate, format, flags, start_type, start, stop_type, stop);
  if (GST_CLOCK_TIME_IS_VALID(interval))
    gst_event_set_seek_trickmode_interval(plain, interval);
  return plain;
}

GstEvent *plain_downstream(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      return plain_stream_start(event);
    case GST_EVENT_SEGMENT:
      return plain_segment(event);
    case GST_EVENT_GAP:
      return plain_gap(event);
    case GST_EVENT_STREAM_GROUP_DONE: {
      guint group;
      gst_event_parse_stream_group_done(event, &group);
      return gst_event_new_stream_group_done(group);
    }
    case GST_EVENT_SEGMENT_DONE: {
      GstFormat format;
      gint64 position;
      gst_event_parse_segment_done(event, &format, &position);
      return gst_event_new_segment_done(format, position);
    }
    case GST_EVENT_FLUSH_START:
      return gst_event_new_flush_start();
    case GST_EVENT_FLUSH_STOP: {
      gboolean reset;
      gst_event_parse_flush_stop(event, &reset);
      return gst_event_new_flush_stop(reset);
    }
    case GST_EVENT_EOS:
      return gst_event_new_eos();
    default:
      return nullptr;
  }
}

// What is not here is of no use to a camera: who moves the mouse over detections (NAVIGATION) or
// chooses streams and chapters by their names.
GstEvent *plain_upstream(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS: {
      GstQOSType type;
      gdouble proportion;
      GstClockTimeDiff late;
      GstClockTime timestamp;
      gst_event_parse_qos(event, &type, &proportion, &late, &timestamp);
      return gst_event_new_qos(type, proportion, late, timestamp);
    }
    case GST_EVENT_SEEK:
      return plain_seek(event);
    case GST_EVENT_LATENCY: {
      GstClockTime latency;
      gst_event_parse_latency(event, &latency);
      return gst_event_new_latency(latency);
    }
    case GST_EVENT_RECONFIGURE:
      return gst_event_new_reconfigure();
    default:
      return nullptr;
  }
}

/// An event that says what `event` says and holds nothing else; null if its kind may not pass.
/// Takes `event`.
GstEvent *filter_event(GstEvent *event) {
  if (!is_well_formed(event)) {
    gst_event_unref(event);
    return nullptr;
  }
  // With the offset, parsing would change the times of a QOS event.
  const gint64 offset = gst_event_get_running_time_offset(event);
  if (offset != 0) {
    event = gst_event_make_writable(event);
    gst_event_set_running_time_offset(event, 0);
  }
  // A flush may go either way.
  GstEvent *plain = plain_downstream(event);
  if (plain == nullptr)
    plain = plain_upstream(event);
  if (plain != nullptr) {
    gst_event_set_seqnum(plain, gst_event_get_seqnum(event));
    gst_event_set_running_time_offset(plain, offset);
  }
  gst_event_unref(event);
  return plain;
}

/// A query that asks what `query` asks; null if its kind may not pass.
Query question_that_may_pass(GstQuery *query) {
  GstFormat format;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      return Query(gst_query_new_position(format));
    case GST_QUERY_DURATION:
      gst_query_parse_duration(query, &format, nullptr);
      return Query(gst_query_new_duration(format));
    case GST_QUERY_LATENCY:
      return Query(gst_query_new_latency());
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      return Query(gst_query_new_seeking(format));
    case GST_QUERY_SEGMENT:
      gst_query_parse_segment(query, nullptr, &format, nullptr, nullptr);
      return Query(gst_query_new_segment(format));
    case GST_QUERY_CONVERT: {
      gint64 value;
      GstFormat wanted;
      gst_query_parse_convert(query, &format, &value, &wanted, nullptr);
      return Query(gst_query_new_convert(format, value, wanted));
    }
    default:
      return nullptr;
  }
}

/// Copies the answer of `plain`, which question_that_may_pass() made of `query`.
void copy_answer(GstQuery *plain, GstQuery *query) {
  GstFormat format, wanted;
  gint64 first, second;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      gst_query_parse_position(plain, nullptr, &first);
      gst_query_set_position(query, format, first);
      break;
    case GST_QUERY_DURATION:
      gst_query_parse_duration(query, &format, nullptr);
      gst_query_parse_duration(plain, nullptr, &first);
      gst_query_set_duration(query, format, first);
      break;
    case GST_QUERY_LATENCY: {
      gboolean live;
      GstClockTime least, most;
      gst_query_parse_latency(plain, &live, &least, &most);
      gst_query_set_latency(query, live, least, most);
      break;
    }
    case GST_QUERY_SEEKING: {
      gboolean seekable;
      gst_query_parse_seeking(plain, &format, &seekable, &first, &second);
      gst_query_set_seeking(query, format, seekable, first, second);
      break;
    }
    case GST_QUERY_SEGMENT: {
      gdouble rate;
      gst_query_parse_segment(plain, &rate, &format, &first, &second);
      gst_query_set_segment(query, rate, format, first, second);
      break;
    }
    case GST_QUERY_CONVERT:
      gst_query_parse_convert(query, &format, &first, nullptr, nullptr);
      gst_query_parse_convert(plain, nullptr, nullptr, &wanted, &second);
      gst_query_set_convert(query, format, first, wanted, second);
      break;
    default:
      break;
  }
}

}  // namespace

bool is_well_formed(GstEvent *event) {
  const GstStructure *structure = gst_event_get_structure(event);
  return std::ranges::all_of(fields_of(GST_EVENT_TYPE(event)), [&](const Field &field) {
    const GValue *value =
        structure != nullptr ? gst_structure_get_value(structure, field.name) : nullptr;
    if (value == nullptr || !G_VALUE_HOLDS(value, field.type))
      return false;
    return G_VALUE_HOLDS_STRING(value)  ? g_value_get_string(value) != nullptr
           : G_VALUE_HOLDS_BOXED(value) ? g_value_get_boxed(value) != nullptr
                                        : true;
  });
}

gboolean pass_downstream(GstPad *pad, GstObject *parent, GstEvent *event) {
  GstEvent *plain = filter_event(event);
  return plain == nullptr || gst_pad_event_default(pad, parent, plain);
}

gboolean pass_upstream(GstPad *pad, GstObject *parent, GstEvent *event) {
  GstEvent *plain = filter_event(event);
  return plain != nullptr && gst_pad_event_default(pad, parent, plain);
}

gboolean answer_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_ALLOCATION:
      // Strides are honoured or nothing is looked at: no frame needs to be copied into a plainer
      // form. The pool is the camera's.
      gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
      return TRUE;
    case GST_QUERY_DRAIN:
      // A frame is given back before the chain function returns.
      return TRUE;
    case GST_QUERY_CAPS:
    case GST_QUERY_ACCEPT_CAPS:
      // These pads answer for themselves and ask nobody.
      return gst_pad_query_default(pad, parent, query);
    default:
      break;
  }
  const Query plain = question_that_may_pass(query);
  if (!plain || !gst_pad_query_default(pad, parent, plain.get()))
    return FALSE;
  copy_answer(plain.get(), query);
  return TRUE;
}

std::string describe(const GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  const gchar *format = gst_structure_get_string(structure, "format");
  gint width = 0, height = 0, numerator = 0, denominator = 1;
  gst_structure_get_int(structure, "width", &width);
  gst_structure_get_int(structure, "height", &height);
  gst_structure_get_fraction(structure, "framerate", &numerator, &denominator);
  const bool known =
      format != nullptr && gst_video_format_from_string(format) != GST_VIDEO_FORMAT_UNKNOWN;
  return std::string(known ? format : "unknown format") + ", " + std::to_string(width) + "x" +
         std::to_string(height) + " at " + std::to_string(numerator) + "/" +
         std::to_string(denominator);
}

}  // namespace npc
