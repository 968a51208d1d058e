// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: what the streaming thread does.
#pragma once

#include <gst/npc/npc.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "npccount/core/activitymonitor.h"
#include "npccount/core/detectorsearch.h"
#include "npccount/core/rules.h"
#include "npccount/core/streamclock.h"
#include "npccount/core/totalsfile.h"
#include "npccount/core/tracker.h"
#include "npccount/core/utcclock.h"
#include "npccount/core/window.h"
#include "npccount/messages.h"
#include "npccount/recordbuilder.h"
#include "npccount/settings.h"
#include "npccount/watchdog.h"

namespace npc::count {

/// Takes detections, and pushes a record for each window. All but `settings` and `resets` belong to
/// who holds the sink pad's stream lock, the streaming thread, or to the watchdog while it checks.
/// Nothing else is locked while the former pushes or posts, and nothing at all while the latter
/// does.
class CountEngine {
 public:
  /// The element and its pads outlive it.
  CountEngine(GstElement *element, GstPad *sinkpad, GstPad *srcpad);

  /// Refuses, with a message, to start with invalid names, or with lines and zones that cannot
  /// work.
  bool start();
  /// Pads must be inactive.
  void stop();
  /// The element plays, or pauses.
  void play();
  void pause() { watchdog_.pause(); }

  GstFlowReturn chain(GstBuffer *buffer);
  /// Takes the reference of an event of the sink pad.
  gboolean take_event(GstEvent *event);

  /// Sets a property of names or rules.
  void set_rule(RuleSettings::Property property, const gchar *text);
  /// Totals of a line, or of all if `name` is null or empty, begin at 0 again.
  void reset(const gchar *name);

  CountSettings settings;        // under the object lock
  std::set<std::string> resets;  // under the object lock; an empty name stands for all

 private:
  using Time = count::Time;

  /// What comes from upstream.
  enum class Stream {
    closed,   // no segment yet, or the stream has ended
    unknown,  // upstream does not know yet whether it is live
    live,     // frames come when they are made, late ones too, and may cease to come
    file,     // frames come as fast as they are taken
  };

  gboolean handle_event(GstEvent *event);
  bool set_caps(GstCaps *caps);
  bool set_segment(const GstSegment *segment);
  void flush();
  /// Nothing was analysed from `pts` on for `duration`; `lost`: there was something to analyse.
  GstFlowReturn gap(GstClockTime pts, GstClockTime duration, bool lost);
  /// Closes the open window at the end of the stream.
  void finish();
  void forget();

  CountSettings copy_settings();
  void apply_definitions(const CountSettings &current);
  void apply_resets();
  void load_totals(const CountSettings &current);
  void save_totals(const CountSettings &current);
  void post(const count::Events &events, GstClockTime pts, Time running,
            const CountSettings &current);
  template <typename Event>
  void post(const Event &event, GstClockTime pts, GstClockTime running,
            const CountSettings &current);

  void note_activity(std::optional<Time> length);
  GstClockTime check_activity();
  std::optional<Time> clock_time();
  std::optional<Time> running_time(GstClockTime pts);
  GstClockTime timestamp_of(Time running) const;
  Time duration_of(GstClockTime duration) const;
  Time advance_clock(Time start, const CountSettings &current);
  GstFlowReturn advance_window(Time end, bool lost, const CountSettings &current);
  GstFlowReturn emit(const count::WindowCounts &window, const CountSettings &current);
  gint64 utc_of(const count::WindowCounts &window);

  GstElement *const element_;
  GstPad *const sinkpad_, *const srcpad_;
  bool negotiated_ = false;  // downstream has our caps
  GstSegment segment_;
  Stream stream_ = Stream::closed;
  count::DetectorSearch search_;
  count::FrameSize frame_;  // in square pixels: speed is the same in all directions
  double pixel_width_ = 1;  // of the frame's own pixels, in their heights
  Time frame_duration_{};   // by the caps' frame rate; 0 if that is variable
  std::vector<count::Detection> detections_;
  count::StreamClock stream_clock_;
  std::optional<Time> last_;  // time of the last frame or gap
  count::UtcClock utc_clock_;
  count::Tracker tracker_;
  count::Rules rules_;
  std::shared_ptr<const count::Definitions> applied_;  // to rules_
  count::TotalsFile totals_file_;
  count::Window window_;
  RecordBuilder records_;
  count::ActivityMonitor activity_;
  Watchdog watchdog_;  // its thread ends before all else does
};

}  // namespace npc::count
