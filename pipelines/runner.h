// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays a pipeline until it ends, fails for good or is asked to end.
#pragma once

#include <gst/gst.h>

#include <string>

namespace npc {

/// Plays one pipeline: its bus, SIGINT and SIGTERM, and a camera that goes away.
///
/// A camera that fails after it has delivered frames (a USB plug, a network, an RTSP camera that
/// reboots) is started again after pauses that double from one second to one minute, for ever. One
/// that never delivered is an error: then more likely the pipeline is wrong. Our own elements keep
/// their state meanwhile: records that wait, totals, the number of the next record.
class Runner {
 public:
  /// Takes over the pipeline, of all that follows the source: its first element is named `frames`.
  /// `restarts`: the source is live, and may come back.
  Runner(GstElement *pipeline, bool restarts);
  Runner(const Runner &) = delete;
  Runner &operator=(const Runner &) = delete;
  virtual ~Runner();

  /// Plays until the end. Returns false after an error, which was reported.
  bool run();

  /// Plays until the source has delivered a frame. Returns false after an error, which was
  /// reported, and after SIGINT or SIGTERM.
  bool check();

 protected:
  GstElement *pipeline() const { return pipeline_; }
  /// Ends all streaming threads. To be called before what they use is gone.
  void stop();

 private:
  /// Makes the source: a bin with a pad `src`, or null after an error, which was reported. It is
  /// made anew for each start: what gst-launch links later it links once.
  virtual GstElement *make_source() const = 0;
  /// How many frames the source has delivered.
  virtual guint64 frames() const = 0;
  /// An element has posted `message`.
  virtual void see(GstMessage *message) = 0;
  /// Our elements are about to forget what they know of this run.
  virtual void before_restart() = 0;
  /// What a user can do about an error of an element that is not ours.
  virtual const char *advice(const GError &error) const = 0;

  static gboolean on_message(GstBus *, GstMessage *message, gpointer self);
  static gboolean on_signal(gpointer self);
  static gboolean on_end_timeout(gpointer self);
  static gboolean on_restart(gpointer self);
  void handle(GstMessage *message);
  void report(GstMessage *message);
  bool report_next(GstBus *bus, GstClockTime timeout);
  bool start();
  void end();
  bool can_restart() const;
  void restart_later(const std::string &why);
  void note_return();

  void drop_source();

  GstElement *pipeline_;
  GstElement *source_ = nullptr;  // in the pipeline
  const bool restarts_;
  GMainLoop *loop_;
  guint interrupt_, terminate_;
  guint restart_ = 0;      // the timer, or 0: the pipeline plays
  bool away_ = false;      // the camera failed and has not delivered since
  unsigned attempts_ = 0;  // since it last delivered
  guint64 frames_at_start_ = 0;
  bool ending_ = false;
  bool failed_ = false;
};

}  // namespace npc
