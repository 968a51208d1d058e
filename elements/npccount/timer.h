// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls a function later, from a thread of its own.
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <functional>
#include <stop_token>
#include <thread>

#include "base/mutex.h"

namespace npc::count {

/// Calls a function at running times of an element, by its clock, while it plays.
class Timer {
 public:
  /// What is called, on the timer's thread with no lock held.
  /// @return the running time at which it wants to be called next; none: not before play()
  using Callback = std::function<GstClockTime()>;

  Timer(GstElement *element, Callback callback)
      : element_(element), callback_(std::move(callback)) {}
  ~Timer() { stop(); }

  /// Makes the thread. @return whether that went well
  bool start();
  /// Makes the first call after `delay`. Without a clock there is nothing to wait for.
  void play(GstClockTime delay) NPC_EXCLUDES(mutex_);
  /// Does not wait for a call that is going on: it may be blocked until the element stops.
  void pause() NPC_EXCLUDES(mutex_);
  /// Ends the thread. What a call may be blocked in must have been unblocked before.
  void stop() NPC_EXCLUDES(mutex_);

 private:
  void run(const std::stop_token &stop) NPC_EXCLUDES(mutex_);
  GstClockReturn wait() NPC_REQUIRES(mutex_);
  void release_clock() NPC_REQUIRES(mutex_);

  GstElement *const element_;
  const Callback callback_;

  // Innermost: nothing is called with it held that takes a lock of GStreamer's, but the clock's.
  Mutex mutex_;
  std::condition_variable_any wake_;
  GstClock *clock_ NPC_GUARDED_BY(mutex_) = nullptr;  // null: paused
  GstClockTime base_ NPC_GUARDED_BY(mutex_) = 0;
  GstClockTime next_ NPC_GUARDED_BY(mutex_) = 0;  // running time; none: not before play()
  GstClockID waiting_ NPC_GUARDED_BY(mutex_) = nullptr;
  std::jthread thread_;  // asked to stop under the mutex only
};

}  // namespace npc::count
