// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: its settings, and what the streaming thread does.
#pragma once

#include <gst/npc/npc.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/warninglimit.h"
#include "gstbase/objectlocker.h"
#include "npccount/core/rules.h"
#include "npccount/core/streamclock.h"
#include "npccount/core/tracker.h"
#include "npccount/core/window.h"
#include "npccount/detections.h"
#include "npccount/timer.h"

namespace npc {

/// A property that holds a name.
struct NameSetting {
  std::string value;  // always a name
  /// What was set instead and is none; it keeps the element from starting.
  std::optional<std::string> refused;
};

/// A property that defines lines, zones or thresholds.
struct ShapeSetting {
  std::string text;
  /// Why `text` cannot be used; it keeps the element from starting.
  std::string error;
};

/// The properties. Under the object lock.
struct CountSettings {
  NameSetting site{"home", {}};
  NameSetting camera{"camera", {}};
  GstClockTime interval = 2 * GST_SECOND;
  bool post_messages = true;
  ShapeSetting lines, zones, thresholds;
  PeopleClasses people_classes;
  /// What lines, zones and thresholds define; never null.
  std::shared_ptr<const count::Definitions> definitions =
      std::make_shared<const count::Definitions>();
  std::string state_file;
};

/// Why lines, zones and names may be refused together.
inline constexpr const char *kRecordRule =
    "with large numbers a record would be longer than the 4096 bytes that readers take; define "
    "fewer lines and zones, or give them, site or camera shorter names";

/// All but `settings` belong to who holds the sink pad's stream lock,
/// the streaming thread, or to the watchdog while it runs. Nothing else is locked while the former
/// pushes or posts, and nothing at all while the latter does.
class CountEngine {
 public:
  /// The element and its pads outlive it.
  CountEngine(GstElement *element, GstPad *sinkpad, GstPad *srcpad);

  /// Refuses, with a message, to start with names that are none or lines and zones that cannot
  /// work.
  bool start();
  void stop();
  /// The element plays, or pauses.
  void play();
  void pause() { timer_.pause(); }
  /// Ends the timer. Pads must be inactive.
  void stop_timer() { timer_.stop(); }
  /// Waits until the watchdog has run. Call in the streaming thread, with data.
  void await_watchdog();
  /// Keeps an event that comes while the watchdog runs for it to act on afterwards.
  /// Returns false if it does not run.
  bool defer(GstEvent *event);
  /// Acts on an event of the sink pad, of which it takes the reference, and passes it on.
  gboolean handle_event(GstEvent *event);
  GstFlowReturn chain(GstBuffer *buffer);
  /// Sets a name; `property` is what users call it.
  void set_name(NameSetting CountSettings::*which, const char *property, const gchar *name);

  void set_lines(const gchar *text);
  void set_zones(const gchar *text);
  void set_thresholds(const gchar *text);
  /// Totals of a line, or of all if `name` is null or empty, begin at 0 again.
  void reset(const gchar *name);

  CountSettings settings;        // under the object lock
  std::set<std::string> resets;  // under the object lock; an empty name stands for all

 private:
  using Time = count::Time;

  bool set_caps(GstCaps *caps);
  bool set_segment(const GstSegment *segment);
  void flush();
  /// Nothing was analysed from `pts` on for `duration`; `lost`: there was something to analyse.
  GstFlowReturn gap(GstClockTime pts, GstClockTime duration, bool lost);
  /// Closes the open window at the end of the stream.
  void finish();

  CountSettings copy_settings();
  bool refuse_to_start(const CountSettings &current);
  template <typename Definition>
  void set_shapes(ShapeSetting CountSettings::*which,
                  std::vector<Definition> count::Definitions::*kind, const char *property,
                  const gchar *text,
                  bool (*read)(const char *, std::vector<Definition> &, std::string &));
  void apply_definitions(const CountSettings &current);
  void apply_resets();
  void load_totals(const CountSettings &current);
  void save_totals(const CountSettings &current);
  void post(const count::Events &events, GstClockTime pts, Time running,
            const CountSettings &current);
  void post(const count::Crossing &crossing, GstClockTime pts, Time running,
            const CountSettings &current);
  void post(const count::Alarm &alarm, Time running, const CountSettings &current);
  void forget();
  void miss_detector(Time now);
  void note_activity();
  GstClockTime watch();
  GstClockTime check_activity();
  std::optional<Time> clock_time();
  std::optional<Time> running_time(GstClockTime pts);
  Time duration_of(GstClockTime duration) const;
  Time advance_clock(Time start, const CountSettings &current);
  GstFlowReturn advance_window(Time end, bool lost, const CountSettings &current);
  GstFlowReturn emit(const count::WindowCounts &window, const CountSettings &current);
  bool nobody_took(GstFlowReturn flow) const;
  gint64 utc_of(const count::WindowCounts &window);

  GstElement *const element_;
  GstPad *const sinkpad_, *const srcpad_;
  const std::string boot_;
  guint64 seq_ = 0;  // with boot_, the name of a record: never starts again
  GstSegment segment_;
  bool negotiated_ = false;
  bool searching_ = false;  // frames came, but no detection yet
  std::optional<Time> searching_since_;
  count::FrameSize frame_;  // in square pixels: speed is the same in all directions
  double pixel_width_ = 1;  // of the frame's own pixels, in their heights
  Time frame_duration_{};   // by the caps' frame rate; 0 if that is variable
  count::Tracker tracker_;
  count::Window window_;
  count::Rules rules_;
  std::shared_ptr<const count::Definitions> applied_;  // to rules_
  std::optional<std::string> loaded_;                  // the file that totals came from
  bool unsaved_ = false;
  bool save_failed_ = false;
  WarningLimit unwritten_;
  std::vector<count::Detection> detections_;
  count::StreamClock stream_clock_;
  std::optional<Time> last_;        // time of the last frame or gap
  std::optional<gint64> utc_base_;  // UTC in ns at running time 0
  bool streaming_ = false;          // between a segment and the end of the stream
  std::optional<bool> live_;        // once upstream knows
  Time last_activity_{};            // running time by the clock when the last sign of life came
  std::optional<Time> active_at_;   // its time in the stream
  Time active_length_{};            // how long it lasts
  std::mutex watchdog_mutex_;
  std::condition_variable watchdog_ends_;
  bool watchdog_runs_ = false;
  std::deque<GstEvent *> deferred_;  // until the watchdog has run
  Timer timer_;
};

}  // namespace npc
