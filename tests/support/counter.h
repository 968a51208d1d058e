// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount in a harness: frames of detections in, records out.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "support/owned.h"

namespace npc::test {

inline GstNpcDetection seen(const char *label, double x, double bottom = 300) {
  return {label, x, bottom - 100, 40, 100, 0.9, FALSE, {}};
}
inline GstNpcDetection person(double x, double bottom = 300) {
  return seen("person", x, bottom);
}

/// A record as it came out: the buffer and what it says.
struct Record {
  Owned<GstBuffer> buffer;
  Owned<GstNpcCounts> counts;
  std::string text;

  explicit operator bool() const { return counts != nullptr; }
  const GstNpcCounts *operator->() const { return counts.get(); }
  GstClockTime pts() const { return GST_BUFFER_PTS(buffer.get()); }
  GstClockTime duration() const { return GST_BUFFER_DURATION(buffer.get()); }
  bool has(GstNpcCountsFlags flag) const { return (counts->flags & flag) != 0; }
};

/// npccount behind a file: times are those of the frames, whatever the clock says.
class Counter : public testing::Test {
 protected:
  void SetUp() override {
    harness_.reset(gst_harness_new("npccount"));
    gst_harness_set_live(harness_.get(), FALSE);
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element(), bus_.get());
  }
  void TearDown() override { gst_element_set_bus(element(), nullptr); }

  GstElement *element() { return harness_->element; }

  void set_caps(int width = 640, int height = 480, int fps = 10) {
    gst_harness_set_src_caps(
        harness_.get(),
        gst_caps_new_simple("application/x-npc-detections", "version", G_TYPE_INT, 1, "width",
                            G_TYPE_INT, width, "height", G_TYPE_INT, height, "framerate",
                            GST_TYPE_FRACTION, fps, 1, nullptr));
  }

  void set_video_caps() {
    gst_harness_set_src_caps(
        harness_.get(), gst_caps_from_string("video/x-raw, format=GRAY8, width=640, height=480, "
                                             "framerate=10/1"));
  }

  void set_segment(const GstSegment &segment) {
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment)));
  }

  GstBuffer *make_frame(GstClockTime pts, const std::vector<GstNpcDetection> &detections,
                        GstClockTime duration = 100 * GST_MSECOND) {
    GstBuffer *buffer = gst_buffer_new();
    GST_BUFFER_PTS(buffer) = pts;
    GST_BUFFER_DURATION(buffer) = duration;
    for (const GstNpcDetection &detection : detections)
      EXPECT_TRUE(gst_npc_buffer_add_detection(buffer, &detection, 640, 480));
    return buffer;
  }

  void frame(GstClockTime pts, const std::vector<GstNpcDetection> &detections = {}) {
    EXPECT_EQ(gst_harness_push(harness_.get(), make_frame(pts, detections)), GST_FLOW_OK);
  }

  /// Frames ten times a second from `start` up to but not including `end`.
  void frames(GstClockTime start, GstClockTime end,
              const std::vector<GstNpcDetection> &detections = {}) {
    for (GstClockTime pts = start; pts < end; pts += 100 * GST_MSECOND)
      frame(pts, detections);
  }

  void gap(GstClockTime pts, GstClockTime duration) {
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_gap(pts, duration)));
  }

  void flush() {
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_flush_start()));
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE)));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    set_segment(segment);
  }

  /// The next record that came out, or an empty one.
  Record next() {
    Record record;
    record.buffer.reset(gst_harness_try_pull(harness_.get()));
    if (!record.buffer)
      return record;
    GstMapInfo map;
    EXPECT_TRUE(gst_buffer_map(record.buffer.get(), &map, GST_MAP_READ));
    record.text.assign(reinterpret_cast<const char *>(map.data), map.size);
    gst_buffer_unmap(record.buffer.get(), &map);
    EXPECT_EQ(record.text.find('\n'), record.text.size() - 1) << "one line, with its end";
    GError *error = nullptr;
    record.counts.reset(gst_npc_counts_from_json(
        record.text.c_str(), static_cast<gssize>(record.text.size()) - 1, &error));
    EXPECT_EQ(error, nullptr) << error->message;
    g_clear_error(&error);
    return record;
  }

  Owned<GstMessage> message(GstMessageType type = GST_MESSAGE_ELEMENT) {
    return Owned<GstMessage>(gst_bus_pop_filtered(bus_.get(), type));
  }

  /// The sentence of the next error or warning, or an empty text.
  std::string sentence(GstMessageType type) {
    Owned<GstMessage> found = message(type);
    if (!found)
      return {};
    GError *error = nullptr;
    if (type == GST_MESSAGE_ERROR)
      gst_message_parse_error(found.get(), &error, nullptr);
    else
      gst_message_parse_warning(found.get(), &error, nullptr);
    std::string text = error->message;
    g_error_free(error);
    return text;
  }

  /// How many events of a type came out.
  int events(GstEventType type) {
    int count = 0;
    while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
      count += GST_EVENT_TYPE(event) == type;
      gst_event_unref(event);
    }
    return count;
  }

  Owned<GstHarness> harness_;
  Owned<GstBus> bus_;
};

}  // namespace npc::test
