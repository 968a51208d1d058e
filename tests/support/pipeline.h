// SPDX-License-Identifier: LGPL-2.1-or-later
// A pipeline of a test, from the line that a user would type.
#pragma once

#include <gst/gst.h>

#include <stdexcept>
#include <string>

#include "support/owned.h"

namespace npc::test {

/// Is stopped at the end of its scope. What goes wrong is a std::runtime_error in the words that a
/// user would read.
class Pipeline {
 public:
  /// `clip`: the file that is decoded in front of the line, or empty.
  explicit Pipeline(const std::string &line, const std::string &clip = {}) {
    const std::string source = clip.empty() ? "" : "filesrc name=clip ! decodebin ! ";
    g_autoptr(GError) error = nullptr;
    pipeline_.reset(gst_parse_launch_full((source + line).c_str(), nullptr,
                                          GST_PARSE_FLAG_FATAL_ERRORS, &error));
    if (!pipeline_)
      throw std::runtime_error(error->message);
    gst_object_ref_sink(pipeline_.get());
    if (!clip.empty())
      g_object_set(element("clip").get(), "location", clip.c_str(), nullptr);
    bus_.reset(gst_element_get_bus(pipeline_.get()));
  }
  ~Pipeline() {
    if (pipeline_)
      gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  void play() const { gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }

  Owned<GstElement> element(const char *name) const {
    return Owned<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
  }

  /// The next message of these types, or nothing if none came for so long.
  Owned<GstMessage> read(unsigned types, GstClockTime wait) const {
    Owned<GstMessage> message(gst_bus_timed_pop_filtered(
        bus_.get(), wait, static_cast<GstMessageType>(types | GST_MESSAGE_ERROR)));
    if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_ERROR)
      return message;
    g_autoptr(GError) error = nullptr;
    g_autofree gchar *details = nullptr;
    gst_message_parse_error(message.get(), &error, &details);
    throw std::runtime_error(std::string(error->message) +
                             (details != nullptr ? std::string(" (") + details + ")" : ""));
  }

  /// The next message of an element, or nothing at the end of the stream. A pipeline that says
  /// nothing for ten minutes hangs, on a slow machine and under valgrind too.
  Owned<GstMessage> next() const {
    auto message = read(GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS, 600 * GST_SECOND);
    if (!message)
      throw std::runtime_error("nothing came from the pipeline for ten minutes");
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS)
      message.reset();
    return message;
  }

  /// Waits for the end of the stream.
  void finish() const {
    while (next()) {
    }
  }

 private:
  Owned<GstElement> pipeline_;
  Owned<GstBus> bus_;
};

}  // namespace npc::test
