// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink in a harness, for tests against the real remote.
#pragma once

#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "support/records.h"

namespace npc::test {

/// npcsink in PLAYING.
class PlayingSink {
 public:
  /// With the path of a store, it keeps all records.
  explicit PlayingSink(const std::string &updaters, const std::string &store = {})
      : sink_(gst_element_factory_make("npcsink", nullptr)), bus_(gst_bus_new()) {
    if (sink_ == nullptr)
      throw std::runtime_error("there is no npcsink: is GST_PLUGIN_PATH_1_0 set?");
    gst_object_ref_sink(sink_);
    gst_element_set_bus(sink_, bus_);
    g_object_set(sink_, "updaters", updaters.c_str(), "drain-timeout", 60 * GST_SECOND, nullptr);
    if (!store.empty())
      g_object_set(sink_, "store", store.c_str(), "store-retention", guint64{0}, nullptr);
    harness_ = gst_harness_new_with_element(sink_, "sink", nullptr);
    gst_harness_set_src_caps_str(harness_, GST_NPC_COUNTS_CAPS);
  }
  ~PlayingSink() {
    stop();
    gst_harness_teardown(harness_);
    gst_element_set_bus(sink_, nullptr);
    gst_object_unref(sink_);
    gst_object_unref(bus_);
  }

  void push(guint64 from, guint64 to, const char *camera = "door") {
    for (guint64 seq = from; seq < to; seq++)
      push(record_buffer(seq, camera));
  }
  void push(GstBuffer *buffer) { ASSERT_EQ(gst_harness_push(harness_, buffer), GST_FLOW_OK); }
  bool drain() {
    gst_harness_push_event(harness_, gst_event_new_eos());
    return number("pending") == 0;
  }
  /// A new stream after one that has ended.
  void flush() {
    gst_harness_push_event(harness_, gst_event_new_flush_start());
    gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness_, gst_event_new_segment(&segment));
  }
  void set_drain_timeout(GstClockTime timeout) {
    g_object_set(sink_, "drain-timeout", timeout, nullptr);
  }
  /// Gives up at once what cannot be delivered.
  void retry_now() { set_drain_timeout(0); }
  void play() { gst_element_set_state(sink_, GST_STATE_PLAYING); }
  void stop() { gst_element_set_state(sink_, GST_STATE_NULL); }

  guint64 number(const char *field, guint index = 0) {
    guint64 value = G_MAXUINT64;
    with_stats(index, [&](const GstStructure *updater) {
      gst_structure_get_uint64(updater, field, &value);
    });
    return value;
  }
  std::string last_error() {
    std::string text;
    with_stats(0, [&](const GstStructure *updater) {
      text = gst_structure_get_string(updater, "last-error");
    });
    return text;
  }

  // Waits for the next npc-updater message of that state and returns its reason.
  std::string wait_for(const std::string &state) {
    while (GstMessage *message =
               gst_bus_timed_pop_filtered(bus_, 60 * GST_SECOND, GST_MESSAGE_ELEMENT)) {
      const GstStructure *structure = gst_message_get_structure(message);
      const gchar *said = gst_structure_get_string(structure, "state");
      const gchar *reason = gst_structure_get_string(structure, "reason");
      const bool found = said != nullptr && state == said;
      const std::string text = reason != nullptr ? reason : "";
      gst_message_unref(message);
      if (found)
        return text;
    }
    ADD_FAILURE() << "no message " << state;
    return {};
  }
  bool posted_an_error() {
    GstMessage *message = gst_bus_pop_filtered(
        bus_, static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
    g_clear_pointer(&message, gst_message_unref);
    return message != nullptr;
  }

 private:
  template <typename Read>
  void with_stats(guint index, Read read) {
    GstStructure *stats = nullptr;
    g_object_get(sink_, "stats", &stats, nullptr);
    const GValue *list = gst_structure_get_value(stats, "updaters");
    read(gst_value_get_structure(gst_value_array_get_value(list, index)));
    gst_structure_free(stats);
  }

  GstElement *sink_;
  GstBus *bus_;
  GstHarness *harness_;
};

}  // namespace npc::test
