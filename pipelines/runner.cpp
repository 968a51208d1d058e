// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays a pipeline until it ends, fails for good or is asked to end.
#include "runner.h"

#include <glib-unix.h>

#include <algorithm>

namespace npc {
namespace {

// A camera that hangs must not keep the summary from who pressed Ctrl-C.
// npcsink may need its drain-timeout of 5 s.
constexpr guint kEndTimeoutMs = 8000;
constexpr guint kFirstPause = 1, kLastPause = 60;  // seconds
// How long a source may take to show that it delivers.
constexpr gint64 kCheckTimeout = 20 * G_USEC_PER_SEC;
constexpr GstClockTime kCheckStep = 100 * GST_MSECOND;

bool is_ours(GstObject *object) {
  return g_str_has_prefix(G_OBJECT_TYPE_NAME(object), "GstNpc");
}

}  // namespace

Runner::Runner(GstElement *pipeline, bool restarts) : pipeline_(pipeline), restarts_(restarts) {
  loop_ = g_main_loop_new(nullptr, FALSE);
  interrupt_ = g_unix_signal_add(SIGINT, on_signal, this);
  terminate_ = g_unix_signal_add(SIGTERM, on_signal, this);
}

Runner::~Runner() {
  if (restart_ != 0)
    g_source_remove(restart_);
  g_source_remove(interrupt_);
  g_source_remove(terminate_);
  stop();
  gst_object_unref(pipeline_);
  g_main_loop_unref(loop_);
}

void Runner::stop() {
  // A bin that failed on its way up may fail on its way down, once.
  if (gst_element_set_state(pipeline_, GST_STATE_NULL) == GST_STATE_CHANGE_FAILURE)
    gst_element_set_state(pipeline_, GST_STATE_NULL);
}

gboolean Runner::on_message(GstBus *, GstMessage *message, gpointer self) {
  static_cast<Runner *>(self)->handle(message);
  return G_SOURCE_CONTINUE;
}

gboolean Runner::on_signal(gpointer self) {
  static_cast<Runner *>(self)->end();
  return G_SOURCE_CONTINUE;
}

gboolean Runner::on_end_timeout(gpointer self) {
  g_main_loop_quit(static_cast<Runner *>(self)->loop_);
  return G_SOURCE_CONTINUE;
}

gboolean Runner::on_restart(gpointer self) {
  auto *runner = static_cast<Runner *>(self);
  runner->restart_ = 0;
  if (!runner->start())
    runner->restart_later({});
  return G_SOURCE_REMOVE;
}

bool Runner::start() {
  frames_at_start_ = frames();
  source_ = make_source();
  if (source_ == nullptr) {
    failed_ = true;
    return false;
  }
  gst_bin_add(GST_BIN(pipeline_), source_);
  g_autoptr(GstElement) first = gst_bin_get_by_name(GST_BIN(pipeline_), "frames");
  gst_element_link(source_, first);
  return gst_element_set_state(pipeline_, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

void Runner::drop_source() {
  if (source_ == nullptr)
    return;
  gst_element_set_state(source_, GST_STATE_NULL);
  gst_bin_remove(GST_BIN(pipeline_), source_);
  source_ = nullptr;
}

bool Runner::run() {
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
  gst_bus_add_watch(bus, on_message, this);
  if (start()) {
    g_main_loop_run(loop_);
  } else if (GstMessage *error = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR)) {
    report(error);
    gst_message_unref(error);
  } else if (!failed_) {
    g_printerr("Error: The pipeline did not start. Run again with GST_DEBUG=3 to see why.\n");
    failed_ = true;
  }
  gst_bus_remove_watch(bus);
  return !failed_;
}

bool Runner::check() {
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
  const gint64 end = g_get_monotonic_time() + kCheckTimeout;
  const bool waits = start();
  while (waits && !failed_ && !ending_ && frames() == 0 && g_get_monotonic_time() < end) {
    report_next(bus, kCheckStep);
    // For signals.
    g_main_context_iteration(nullptr, FALSE);
  }
  // What has been said until now, such as why it did not start.
  while (!failed_ && report_next(bus, 0)) {
  }
  if (ending_)
    return false;
  if (!failed_ && frames() == 0) {
    g_printerr("Error: No frame came. Check the source, or run with GST_DEBUG=3 to see more.\n");
    failed_ = true;
  }
  return !failed_;
}

/// Reports the next warning or error that comes within `timeout`. Returns whether there was one.
bool Runner::report_next(GstBus *bus, GstClockTime timeout) {
  GstMessage *message = gst_bus_timed_pop_filtered(
      bus, timeout, static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  if (message == nullptr)
    return false;
  report(message);
  gst_message_unref(message);
  return true;
}

void Runner::handle(GstMessage *message) {
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT:
      note_return();
      see(message);
      break;
    case GST_MESSAGE_WARNING:
      report(message);
      break;
    case GST_MESSAGE_ERROR:
      // A demuxer that is stopped before it has seen anything calls that an error. One of ours has
      // lost something.
      if (ending_ && !is_ours(GST_MESSAGE_SRC(message))) {
        g_main_loop_quit(loop_);
      } else if (can_restart() && !is_ours(GST_MESSAGE_SRC(message))) {
        g_autoptr(GError) error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        restart_later(error->message);
      } else {
        report(message);
      }
      break;
    case GST_MESSAGE_EOS:
      if (!ending_ && can_restart())
        restart_later("Its stream has ended.");
      else
        g_main_loop_quit(loop_);
      break;
    default:
      break;
  }
}

void Runner::report(GstMessage *message) {
  g_autoptr(GError) error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning(message, &error, nullptr);
    g_printerr("Warning: %s\n", error->message);
    return;
  }
  gst_message_parse_error(message, &error, nullptr);
  g_printerr("Error: %s\n", error->message);
  // Ours say themselves what to do.
  if (!is_ours(GST_MESSAGE_SRC(message)))
    g_printerr("%s\n", advice(*error));
  failed_ = true;
  g_main_loop_quit(loop_);
}

bool Runner::can_restart() const {
  return restarts_ && frames() > 0;
}

/// `why` is empty if nothing is known.
void Runner::restart_later(const std::string &why) {
  // Elements downstream of one that fails post errors of their own.
  if (restart_ != 0)
    return;
  if (frames() > frames_at_start_)
    attempts_ = 0;
  const guint pause = std::min(kFirstPause << std::min(attempts_, 6u), kLastPause);
  ++attempts_;
  // An outage of a night is one line, not a thousand.
  if (!away_)
    g_printerr(
        "The camera failed: %s It is tried again, first after %u s and at least once a "
        "minute.\n",
        why.empty() ? "it did not start." : why.c_str(), pause);
  away_ = true;
  before_restart();
  gst_element_set_state(pipeline_, GST_STATE_READY);
  drop_source();
  restart_ = g_timeout_add_seconds(pause, on_restart, this);
}

void Runner::note_return() {
  if (!away_ || restart_ != 0 || frames() == frames_at_start_)
    return;
  away_ = false;
  g_printerr("The camera is back.\n");
}

void Runner::end() {
  // The second time, or when nothing plays: at once.
  if (ending_ || restart_ != 0) {
    g_main_loop_quit(loop_);
    return;
  }
  ending_ = true;
  gst_element_send_event(pipeline_, gst_event_new_eos());
  g_timeout_add(kEndTimeoutMs, on_end_timeout, this);
}

}  // namespace npc
