// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink in a harness, with a directory of its own.
#pragma once

#include <glib/gstdio.h>
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "support/owned.h"
#include "support/records.h"
#include "support/waiting.h"

namespace npc::test {

using Structure = Owned<GstStructure>;
using Message = Owned<GstMessage>;

class Sink : public testing::Test {
 protected:
  Sink()
      : sink_(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("npcsink", nullptr)))),
        bus_(gst_bus_new()) {
    gst_element_set_bus(sink_, bus_);
    std::string name = (std::filesystem::temp_directory_path() / "npcsink-XXXXXX").string();
    directory_ = g_mkdtemp(name.data());
  }

  ~Sink() override {
    if (harness_ != nullptr)
      gst_harness_teardown(harness_);
    gst_element_set_state(sink_, GST_STATE_NULL);
    gst_element_set_bus(sink_, nullptr);
    gst_object_unref(sink_);
    gst_object_unref(bus_);
    std::filesystem::remove_all(directory_);
  }

  std::string path(const std::string &name) const { return directory_ + "/" + name; }
  void set_updaters(const std::string &updaters) {
    g_object_set(sink_, "updaters", updaters.c_str(), nullptr);
  }

  // To PLAYING, with caps and segment.
  void play() {
    harness_ = gst_harness_new_with_element(sink_, "sink", nullptr);
    gst_harness_set_src_caps_str(harness_, GST_NPC_COUNTS_CAPS);
  }
  GstFlowReturn push(GstBuffer *buffer) { return gst_harness_push(harness_, buffer); }
  void push_records(guint64 from, guint64 to) {
    for (guint64 seq = from; seq < to; seq++)
      ASSERT_EQ(push(record_buffer(seq)), GST_FLOW_OK);
  }

  static std::string lines(guint64 from, guint64 to) {
    std::string text;
    for (guint64 seq = from; seq < to; seq++)
      text += record_json(seq) + "\n";
    return text;
  }
  static std::string content(const std::string &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  Message pop(GstMessageType type) { return Message(gst_bus_pop_filtered(bus_, type)); }
  Message wait_for(GstMessageType type) {
    return Message(gst_bus_timed_pop_filtered(bus_, 30 * GST_SECOND, type));
  }
  std::string warning() {
    Message message(pop(GST_MESSAGE_WARNING));
    return message ? text_of(message.get(), gst_message_parse_warning) : std::string();
  }
  static std::string text_of(GstMessage *message,
                             void (*parse)(GstMessage *, GError **, gchar **)) {
    GError *error = nullptr;
    parse(message, &error, nullptr);
    std::string text = error->message;
    g_error_free(error);
    return text;
  }

  Structure stats() {
    GstStructure *structure = nullptr;
    g_object_get(sink_, "stats", &structure, nullptr);
    return Structure(structure);
  }
  guint64 total(const char *field) {
    guint64 number = G_MAXUINT64;
    gst_structure_get_uint64(stats().get(), field, &number);
    return number;
  }
  Structure updater_stats(guint index = 0) {
    const Structure all = stats();
    const GValue *list = gst_structure_get_value(all.get(), "updaters");
    const GValue *item = gst_value_array_get_value(list, index);
    return Structure(gst_structure_copy(gst_value_get_structure(item)));
  }
  guint64 number(const char *field, guint index = 0) {
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(updater_stats(index).get(), field, &value);
    return value;
  }

  // The element refuses to go to READY, and says why.
  std::string refusal(const std::string &updaters) {
    set_updaters(updaters);
    EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const Message message = pop(GST_MESSAGE_ERROR);
    if (!message)
      return {};
    GError *error = nullptr;
    gchar *details = nullptr;
    gst_message_parse_error(message.get(), &error, &details);
    EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
    EXPECT_EQ(std::string(details).find("secret"), std::string::npos) << details;
    std::string text = error->message;
    g_error_free(error);
    g_free(details);
    return text;
  }

  GstElement *sink_;
  GstBus *bus_;
  std::string directory_;
  GstHarness *harness_ = nullptr;
};

}  // namespace npc::test
