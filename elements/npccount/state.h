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

#include "../objectlocker.h"
#include "../warninglimit.h"
#include "core/rules.h"
#include "core/streamclock.h"
#include "core/tracker.h"
#include "core/window.h"
#include "detections.h"
#include "gstnpccount.h"
#include "timer.h"

namespace npc {

/// A property that holds a name.
struct NameSetting {
  std::string value;  // always a name
  /// What was set instead and is none; it keeps the element from starting.
  std::optional<std::string> refused;
};

/// A property that defines lines, zones or thresholds.
struct PlacesSetting {
  std::string text;
  /// Why `text` cannot be used; it keeps the element from starting.
  std::string fault;
};

/// The properties. Under the object lock.
struct CountSettings {
  NameSetting site{"home", {}};
  NameSetting camera{"camera", {}};
  GstClockTime interval = 2 * GST_SECOND;
  bool post_messages = true;
  PlacesSetting lines, zones, thresholds;
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

}  // namespace npc

struct _GstNpcCount {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  struct GstNpcCountState *state;
};

/// Acts on an event of the sink pad, of which it takes the reference, and passes it on.
gboolean gst_npc_count_handle_event(GstNpcCount *self, GstEvent *event);

// C++ objects with destructors. All but `settings` belong to who holds the sink pad's stream lock,
// the streaming thread, or to the timer in its turn. Nothing else is locked while the former pushes
// or posts, and nothing at all while the latter does.
struct GstNpcCountState {
  explicit GstNpcCountState(GstNpcCount *element);

  /// Refuses, with a message, to start with names that are none or lines and zones that cannot
  /// work.
  bool start();
  void stop();
  /// The element plays, or pauses.
  void play();
  void pause() { timer_.pause(); }
  /// Ends the timer. Pads must be inactive.
  void stop_timer() { timer_.stop(); }
  /// Waits for the end of the timer's turn. Call in the streaming thread, with data.
  void await_turn();
  /// Leaves an event that comes in the timer's turn to the timer, which acts on it afterwards.
  /// Returns false if it is not its turn.
  bool leave(GstEvent *event);
  bool set_caps(GstCaps *caps);
  bool set_segment(const GstSegment *segment);
  void flush();
  GstFlowReturn chain(GstBuffer *buffer);
  /// Nothing was analysed from `pts` on for `duration`; `lost`: there was something to analyse.
  GstFlowReturn gap(GstClockTime pts, GstClockTime duration, bool lost);
  /// Closes the open window at the end of the stream.
  void finish();
  /// Sets a name; `property` is what users call it.
  void set_name(npc::NameSetting npc::CountSettings::*which, const char *property,
                const gchar *name);

  void set_lines(const gchar *text);
  void set_zones(const gchar *text);
  void set_thresholds(const gchar *text);
  /// Totals of a line, or of all if `name` is null or empty, begin at 0 again.
  void reset(const gchar *name);

  npc::CountSettings settings;   // under the object lock
  std::set<std::string> resets;  // under the object lock; an empty name stands for all

 private:
  using Time = npc::count::Time;

  npc::CountSettings copy_settings();
  bool refuse_to_start(const npc::CountSettings &current);
  template <typename Definition>
  void set_places(npc::PlacesSetting npc::CountSettings::*which,
                  std::vector<Definition> npc::count::Definitions::*kind, const char *property,
                  const gchar *text,
                  bool (*read)(const char *, std::vector<Definition> &, std::string &));
  void apply_definitions(const npc::CountSettings &current);
  void apply_resets();
  void load_totals(const npc::CountSettings &current);
  void save_totals(const npc::CountSettings &current);
  void post(const npc::count::Events &events, GstClockTime pts, Time running,
            const npc::CountSettings &current);
  void post(const npc::count::Crossing &crossing, GstClockTime pts, Time running,
            const npc::CountSettings &current);
  void post(const npc::count::Alarm &alarm, Time running, const npc::CountSettings &current);
  void forget();
  void miss_detector(Time now);
  void hear();
  GstClockTime look();
  GstClockTime look_in_turn();
  std::optional<Time> clock_time();
  std::optional<Time> running_time(GstClockTime pts);
  Time duration_of(GstClockTime duration) const;
  Time turn_to(Time start, const npc::CountSettings &current);
  GstFlowReturn come_to(Time end, bool lost, const npc::CountSettings &current);
  GstFlowReturn emit(const npc::count::WindowCounts &window, const npc::CountSettings &current);
  bool nobody_took(GstFlowReturn flow) const;
  gint64 utc_of(const npc::count::WindowCounts &window);

  GstNpcCount *element_;
  const std::string boot_;
  guint64 seq_ = 0;  // with boot_, the name of a record: never starts again
  GstSegment segment_;
  bool negotiated_ = false;
  bool searching_ = false;  // frames came, but no detection yet
  std::optional<Time> searching_since_;
  npc::count::FrameSize frame_;  // in square pixels: speed is the same in all directions
  double pixel_width_ = 1;       // of the frame's own pixels, in their heights
  Time frame_duration_{};        // by the caps' frame rate; 0 if that is variable
  npc::count::Tracker tracker_;
  npc::count::Window window_;
  npc::count::Rules rules_;
  std::shared_ptr<const npc::count::Definitions> applied_;  // to rules_
  std::optional<std::string> loaded_;                       // the file that totals came from
  bool unsaved_ = false;
  bool save_failed_ = false;
  npc::WarningLimit unwritten_;
  std::vector<npc::count::Detection> detections_;
  npc::count::StreamClock stream_clock_;
  std::optional<Time> last_;        // time of the last frame or gap
  std::optional<gint64> utc_base_;  // UTC in ns at running time 0
  bool streaming_ = false;          // between a segment and the end of the stream
  std::optional<bool> live_;        // once upstream knows
  Time heard_{};                    // running time by the clock when the last sign of life came
  std::optional<Time> heard_at_;    // its time in the stream
  Time heard_length_{};             // how long it lasts
  std::mutex turn_mutex_;
  std::condition_variable turn_ends_;
  bool timers_turn_ = false;
  std::deque<GstEvent *> left_;  // for the end of the turn
  npc::Timer timer_;
};
