// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: its settings, and what the streaming thread does.
#pragma once

#include <gst/npc/npc.h>

#include <optional>
#include <string>
#include <vector>

#include "../objectlocker.h"
#include "gstnpccount.h"
#include "tracker.h"
#include "window.h"

namespace npc {

/// A property that holds a name.
struct NameSetting {
  std::string value;  // always a name
  /// What was set instead and is none; it keeps the element from starting.
  std::optional<std::string> refused;
};

/// The properties. Under the object lock.
struct CountSettings {
  NameSetting site{"home", {}};
  NameSetting camera{"camera", {}};
  GstClockTime interval = 2 * GST_SECOND;
  bool post_messages = true;
};

}  // namespace npc

struct _GstNpcCount {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  struct GstNpcCountState *state;
};

// C++ objects with destructors. The streaming thread owns all but `settings`.
struct GstNpcCountState {
  explicit GstNpcCountState(GstNpcCount *element);

  /// Refuses, with a message, to start with names that are none.
  bool start();
  void stop();
  bool set_caps(GstCaps *caps);
  bool set_segment(const GstSegment *segment);
  void flush();
  GstFlowReturn chain(GstBuffer *buffer);
  /// Nothing was analysed from `pts` on for `duration`.
  GstFlowReturn gap(GstClockTime pts, GstClockTime duration);
  /// Closes the open window at the end of the stream.
  void finish();
  /// Sets a name; `property` is what users call it.
  void set_name(npc::NameSetting npc::CountSettings::*which, const char *property,
                const gchar *name);

  npc::CountSettings settings;  // under the object lock

 private:
  using Time = npc::count::Time;

  npc::CountSettings copy_settings();
  void forget();
  std::optional<Time> running_time(GstClockTime pts);
  Time duration_of(GstClockTime duration) const;
  GstFlowReturn come_to(Time start, Time end, const npc::CountSettings &current);
  GstFlowReturn emit(const npc::count::WindowCounts &window, const npc::CountSettings &current);
  gint64 utc_of(Time running);

  GstNpcCount *element_;
  const std::string boot_;
  guint64 seq_ = 0;  // with boot_, the name of a record: never starts again
  GstSegment segment_;
  bool negotiated_ = false;
  npc::count::FrameSize frame_;
  Time frame_duration_{};  // by the caps' frame rate; 0 if that is variable
  npc::count::Tracker tracker_;
  npc::count::Window window_;
  std::vector<npc::count::Detection> detections_;
  std::optional<Time> last_;        // running time of the last frame or gap
  std::optional<gint64> utc_base_;  // UTC in ns at running time 0
};
