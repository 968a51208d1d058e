// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls a function later, from a thread of its own.
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace npc {

/// Calls a function at running times of an element, by its clock, while it plays.
class Timer {
 public:
  /// What is called, on the timer's thread with no lock held.
  /// @return the running time at which it wants to be called next; none: not before play()
  using Look = std::function<GstClockTime()>;

  Timer(GstElement *element, Look look) : element_(element), look_(std::move(look)) {}
  ~Timer() { stop(); }

  /// Makes the thread. @return whether that went well
  bool start();
  /// Calls look() after `delay`, and goes on from there. Without a clock there is nothing to wait
  /// for.
  void play(GstClockTime delay);
  /// Does not wait for a look() that is going on: it may be blocked until the element stops.
  void pause();
  /// Ends the thread. What look() may be blocked in must have been unblocked before.
  void stop();

 private:
  void run();
  GstClockReturn wait(std::unique_lock<std::mutex> &lock);
  void let_go();

  GstElement *element_;
  Look look_;
  std::thread thread_;

  // Innermost: nothing is called with it held that takes a lock of GStreamer's, but the clock's.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool quit_ = false;
  GstClock *clock_ = nullptr;  // null: paused
  GstClockTime base_ = 0;
  GstClockTime next_ = 0;  // running time
  GstClockID waiting_ = nullptr;
};

}  // namespace npc
