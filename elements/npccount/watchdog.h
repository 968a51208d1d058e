// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks from time to time whether something still comes, in turn with the streaming thread.
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <deque>
#include <functional>

#include "base/mutex.h"
#include "npccount/timer.h"

namespace npc::count {

/// Calls a function while an element plays, from a thread of its own and never beside the streaming
/// thread: what one of them owns belongs to the other in its turn.
///
/// The function may push a record, and that may have to wait for PLAYING. Frames wait meanwhile,
/// but events must not: GstBaseSrc pushes them with its live lock held, which it needs on its way
/// to PAUSED. So the pad's stream lock is not held during the call; await() and defer() serialise.
/// A flush or the state READY ends the push.
class Watchdog {
 public:
  /// The element and the pad outlive it.
  /// @param check what is called; returns the running time at which it wants to be called next;
  ///        none: not before play()
  /// @param handle_event acts on an event that was deferred, of which it takes the reference
  Watchdog(GstElement *element, GstPad *sinkpad, std::function<GstClockTime()> check,
           std::function<void(GstEvent *)> handle_event)
      : sinkpad_(sinkpad),
        check_(std::move(check)),
        handle_event_(std::move(handle_event)),
        timer_(element, [this] { return run(); }) {}

  /// Makes the thread. @return whether that went well
  bool start() { return timer_.start(); }
  /// Ends the thread. Pads must be inactive.
  void stop() { timer_.stop(); }
  /// The element plays: checks after `delay`, and goes on from there.
  void play(GstClockTime delay) { timer_.play(delay); }
  void pause() { timer_.pause(); }

  /// Waits for the end of a check. Call in the streaming thread, with data.
  void await() NPC_EXCLUDES(mutex_);
  /// Keeps an event that comes during a check, to be handled after it.
  /// @return false, and the event is still the caller's, if there is none
  bool defer(GstEvent *event) NPC_EXCLUDES(mutex_);

 private:
  enum class State { idle, checking };

  GstClockTime run() NPC_EXCLUDES(mutex_);

  GstPad *const sinkpad_;
  const std::function<GstClockTime()> check_;
  const std::function<void(GstEvent *)> handle_event_;
  Mutex mutex_;
  std::condition_variable_any idle_;
  State state_ NPC_GUARDED_BY(mutex_) = State::idle;
  std::deque<GstEvent *> deferred_ NPC_GUARDED_BY(mutex_);
  Timer timer_;  // ends before all else does
};

}  // namespace npc::count
