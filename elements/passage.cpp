// SPDX-License-Identifier: LGPL-2.1-or-later
// What may pass an element that takes pictures, besides what it makes of them: a short list, so
// that none rides along.
#include "passage.h"

namespace npc {
namespace {

GstEvent *plain_stream_start(GstEvent *event) {
  const gchar *id = nullptr;
  guint group = 0;
  GstStreamFlags flags = GST_STREAM_FLAG_NONE;
  gst_event_parse_stream_start(event, &id);
  gst_event_parse_stream_flags(event, &flags);
  GstEvent *plain = gst_event_new_stream_start(id);
  gst_event_set_stream_flags(plain, flags);
  // The GstStream is left behind: it has tags.
  if (gst_event_parse_group_id(event, &group))
    gst_event_set_group_id(plain, group);
  return plain;
}

GstEvent *plain_event(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      return plain_stream_start(event);
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment;
      gst_event_parse_segment(event, &segment);
      return gst_event_new_segment(segment);
    }
    case GST_EVENT_GAP: {
      GstClockTime timestamp, duration;
      gst_event_parse_gap(event, &timestamp, &duration);
      GstGapFlags flags = static_cast<GstGapFlags>(0);
      gst_event_parse_gap_flags(event, &flags);
      GstEvent *plain = gst_event_new_gap(timestamp, duration);
      gst_event_set_gap_flags(plain, flags);
      return plain;
    }
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

}  // namespace

GstEvent *event_that_may_pass(GstEvent *event) {
  GstEvent *plain = plain_event(event);
  if (plain != nullptr) {
    gst_event_set_seqnum(plain, gst_event_get_seqnum(event));
    gst_event_set_running_time_offset(plain, gst_event_get_running_time_offset(event));
  }
  gst_event_unref(event);
  return plain;
}

bool query_may_pass(GstQuery *query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_POSITION:
    case GST_QUERY_DURATION:
    case GST_QUERY_LATENCY:
    case GST_QUERY_SEEKING:
    case GST_QUERY_SEGMENT:
    case GST_QUERY_CONVERT:
    case GST_QUERY_FORMATS:
    case GST_QUERY_URI:
      return true;
    default:
      return false;
  }
}

}  // namespace npc
