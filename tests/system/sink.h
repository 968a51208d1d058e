// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink in a harness, for tests against the real far side.
#pragma once

#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <string>

#include "../records.h"

namespace npc::test {

/// npcsink in PLAYING.
class SinkUnderTest {
 public:
  explicit SinkUnderTest(const std::string &updaters)
      : sink_(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("npcsink", nullptr)))),
        bus_(gst_bus_new()) {
    gst_element_set_bus(sink_, bus_);
    g_object_set(sink_, "updaters", updaters.c_str(), "drain-timeout", 60 * GST_SECOND, nullptr);
    harness_ = gst_harness_new_with_element(sink_, "sink", nullptr);
    gst_harness_set_src_caps_str(harness_, GST_NPC_COUNTS_CAPS);
  }
  ~SinkUnderTest() {
    gst_element_set_state(sink_, GST_STATE_NULL);
    gst_harness_teardown(harness_);
    gst_element_set_bus(sink_, nullptr);
    gst_object_unref(sink_);
    gst_object_unref(bus_);
  }
  SinkUnderTest(const SinkUnderTest &) = delete;

  void push(guint64 from, guint64 to, const char *camera = "door") {
    for (guint64 seq = from; seq < to; seq++)
      ASSERT_EQ(gst_harness_push(harness_, record_buffer(seq, camera)), GST_FLOW_OK);
  }

  /// Waits until all is delivered. Whether it was.
  bool drain() {
    gst_harness_push_event(harness_, gst_event_new_eos());
    return number("pending") == 0;
  }

  /// Gives up at once what cannot be delivered.
  void hurry() { g_object_set(sink_, "drain-timeout", G_GUINT64_CONSTANT(0), nullptr); }

  /// A figure of an updater's statistics.
  guint64 number(const char *field, guint index = 0) {
    GstStructure *stats = nullptr;
    g_object_get(sink_, "stats", &stats, nullptr);
    const GValue *list = gst_structure_get_value(stats, "updaters");
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(gst_value_get_structure(gst_value_array_get_value(list, index)), field,
                             &value);
    gst_structure_free(stats);
    return value;
  }

  /// Waits for the next npc-updater message of that state and returns its reason.
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
  GstElement *sink_;
  GstBus *bus_;
  GstHarness *harness_;
};

}  // namespace npc::test
