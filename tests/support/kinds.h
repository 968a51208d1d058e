// SPDX-License-Identifier: LGPL-2.1-or-later
// Every kind of event and query that GStreamer has, and some that it does not have yet.
#pragma once

#include <gst/gst.h>

#include <set>

namespace npc::test {

inline constexpr int kWidth = 64, kHeight = 48;

/// The numbers of all kinds of `type`, an enumeration, and of some that are not in it and have the
/// flags `unknown`.
inline std::set<int> kinds_of(GType type, int unknown) {
  std::set<int> kinds;
  auto *values = static_cast<GEnumClass *>(g_type_class_ref(type));
  for (guint i = 0; i < values->n_values; i++)
    kinds.insert(values->values[i].value);
  g_type_class_unref(values);
  for (int number = 1; number < 250; number += 7)
    kinds.insert(number << GST_EVENT_NUM_SHIFT | unknown);
  kinds.erase(0);
  return kinds;
}

inline GstCaps *video_caps() {
  return gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "GRAY8", "width", G_TYPE_INT,
                             kWidth, "height", G_TYPE_INT, kHeight, "framerate", GST_TYPE_FRACTION,
                             25, 1, nullptr);
}

/// A number that is no rate is none.
inline double rate_from(gint64 number) {
  const double rate = static_cast<double>(number % 64) / 4;
  return rate != 0 ? rate : 1;
}

inline GstFormat format_from(gint64 number) {
  return number % 4 == 0 ? GST_FORMAT_TIME : static_cast<GstFormat>(number & 7);
}

/// A query of `type`. `number` gives the numbers in it, any 64 bits.
template <typename Number>
GstQuery *make_query(GstQueryType type, Number &&number) {
  switch (type) {
    case GST_QUERY_POSITION:
      return gst_query_new_position(format_from(number()));
    case GST_QUERY_DURATION:
      return gst_query_new_duration(format_from(number()));
    case GST_QUERY_LATENCY:
      return gst_query_new_latency();
    case GST_QUERY_SEEKING:
      return gst_query_new_seeking(format_from(number()));
    case GST_QUERY_SEGMENT:
      return gst_query_new_segment(format_from(number()));
    case GST_QUERY_CONVERT: {
      const gint64 value = number();
      const GstFormat from = format_from(number());
      return gst_query_new_convert(from, value, format_from(number()));
    }
    case GST_QUERY_FORMATS:
      return gst_query_new_formats();
    case GST_QUERY_URI:
      return gst_query_new_uri();
    case GST_QUERY_SCHEDULING:
      return gst_query_new_scheduling();
    case GST_QUERY_BUFFERING:
      return gst_query_new_buffering(format_from(number()));
    case GST_QUERY_CONTEXT:
      return gst_query_new_context("gst.gl.GLDisplay");
    case GST_QUERY_DRAIN:
      return gst_query_new_drain();
    case GST_QUERY_BITRATE:
      return gst_query_new_bitrate();
    case GST_QUERY_SELECTABLE:
      return gst_query_new_selectable();
    case GST_QUERY_CAPS:
      return gst_query_new_caps(nullptr);
    case GST_QUERY_ACCEPT_CAPS: {
      g_autoptr(GstCaps) caps = video_caps();
      return gst_query_new_accept_caps(caps);
    }
    case GST_QUERY_ALLOCATION: {
      g_autoptr(GstCaps) caps = video_caps();
      return gst_query_new_allocation(caps, TRUE);
    }
    default:
      return gst_query_new_custom(type, gst_structure_new_empty("query"));
  }
}

/// Answers `query` with numbers, if it is of a kind that is answered with some.
template <typename Number>
void set_answer(GstQuery *query, Number &&number) {
  GstFormat format;
  gint64 first, second;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      gst_query_set_position(query, format, number());
      break;
    case GST_QUERY_DURATION:
      gst_query_parse_duration(query, &format, nullptr);
      gst_query_set_duration(query, format, number());
      break;
    case GST_QUERY_LATENCY: {
      const GstClockTime least = static_cast<GstClockTime>(number());
      gst_query_set_latency(query, TRUE, least, static_cast<GstClockTime>(number()));
      break;
    }
    case GST_QUERY_SEEKING:
      first = number(), second = number();
      gst_query_set_seeking(query, format_from(number()), TRUE, first, second);
      break;
    case GST_QUERY_SEGMENT:
      first = number(), second = number();
      gst_query_set_segment(query, rate_from(number()), format_from(number()), first, second);
      break;
    case GST_QUERY_CONVERT: {
      GstFormat wanted;
      gst_query_parse_convert(query, &format, &first, &wanted, nullptr);
      gst_query_set_convert(query, format, first, wanted, number());
      break;
    }
    default:
      break;
  }
}

template <typename Number>
GstEvent *make_segment(Number &&number) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = rate_from(number());
  segment.applied_rate = rate_from(number());
  for (guint64 *field : {&segment.base, &segment.offset, &segment.start, &segment.stop,
                         &segment.time, &segment.position, &segment.duration})
    *field = static_cast<guint64>(number());
  return gst_event_new_segment(&segment);
}

template <typename Number>
GstEvent *make_seek(Number &&number) {
  // Without those that need others: INSTANT_RATE_CHANGE and both SNAP ones.
  const auto flags = static_cast<GstSeekFlags>(number() & 0x39f);
  const auto start_type = static_cast<GstSeekType>((number() & 0xff) % 3);
  const auto stop_type = static_cast<GstSeekType>((number() & 0xff) % 3);
  const gint64 start = number(), stop = number();
  GstEvent *event = gst_event_new_seek(rate_from(number()), format_from(number()), flags,
                                       start_type, start, stop_type, stop);
  gst_event_set_seek_trickmode_interval(event, static_cast<GstClockTime>(number()));
  return event;
}

/// An event of `type`, with numbers as make_query() has them.
template <typename Number>
GstEvent *make_event(GstEventType type, Number &&number) {
  switch (type) {
    case GST_EVENT_FLUSH_START:
      return gst_event_new_flush_start();
    case GST_EVENT_FLUSH_STOP:
      return gst_event_new_flush_stop(TRUE);
    case GST_EVENT_STREAM_START: {
      GstEvent *event = gst_event_new_stream_start("an id");
      g_autoptr(GstStream) stream =
          gst_stream_new("a stream", nullptr, GST_STREAM_TYPE_VIDEO, GST_STREAM_FLAG_NONE);
      gst_event_set_stream(event, stream);
      return event;
    }
    case GST_EVENT_CAPS: {
      g_autoptr(GstCaps) caps = video_caps();
      return gst_event_new_caps(caps);
    }
    case GST_EVENT_SEGMENT:
      return make_segment(number);
    case GST_EVENT_GAP: {
      const GstClockTime timestamp = static_cast<GstClockTime>(number()) >> 1;
      GstEvent *event = gst_event_new_gap(timestamp, static_cast<GstClockTime>(number()));
      gst_event_set_gap_flags(event, static_cast<GstGapFlags>(number() & 1));
      return event;
    }
    case GST_EVENT_STREAM_GROUP_DONE:
      return gst_event_new_stream_group_done(static_cast<guint>(number()) | 1);
    case GST_EVENT_SEGMENT_DONE: {
      const gint64 position = number();
      return gst_event_new_segment_done(format_from(number()), position);
    }
    case GST_EVENT_EOS:
      return gst_event_new_eos();
    case GST_EVENT_QOS: {
      const auto timestamp = static_cast<GstClockTime>(number());
      const double proportion = rate_from(number());
      // Not earlier than it may be.
      const auto late = static_cast<GstClockTimeDiff>(static_cast<guint64>(number()) >> 1);
      return gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, proportion, late, timestamp);
    }
    case GST_EVENT_SEEK:
      return make_seek(number);
    case GST_EVENT_LATENCY:
      return gst_event_new_latency(static_cast<GstClockTime>(number()));
    case GST_EVENT_RECONFIGURE:
      return gst_event_new_reconfigure();
    default:
      return gst_event_new_custom(type, gst_structure_new_empty("event"));
  }
}

}  // namespace npc::test
