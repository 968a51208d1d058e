// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls a function later, from a thread of its own.
#include "npccount/timer.h"

#include <system_error>

#include "base/threads.h"

namespace npc::count {

bool Timer::start() {
  stop();
  try {
    thread_ = start_thread("npc-watchdog", [this](const std::stop_token &stop) { run(stop); });
  } catch (const std::system_error &) {
    return false;
  }
  return true;
}

void Timer::play(GstClockTime delay) {
  GstClock *clock = gst_element_get_clock(element_);
  const GstClockTime base = gst_element_get_base_time(element_);
  const GstClockTime now = clock != nullptr ? gst_clock_get_time(clock) : 0;
  Lock lock(mutex_);
  release_clock();
  clock_ = clock;
  base_ = base;
  next_ = (now > base ? now - base : 0) + delay;
  wake_.notify_all();
}

void Timer::pause() {
  Lock lock(mutex_);
  release_clock();
}

void Timer::stop() {
  {
    Lock lock(mutex_);
    thread_.request_stop();
    release_clock();
    wake_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

void Timer::release_clock() {
  if (waiting_ != nullptr)
    gst_clock_id_unschedule(waiting_);
  gst_clear_object(&clock_);
}

// Waits for the next call, with the mutex released.
GstClockReturn Timer::wait() {
  const GstClockID id = gst_clock_new_single_shot_id(clock_, base_ + next_);
  waiting_ = id;
  mutex_.unlock();
  const GstClockReturn result = gst_clock_id_wait(id, nullptr);
  mutex_.lock();
  waiting_ = nullptr;
  gst_clock_id_unref(id);
  return result;
}

void Timer::run(const std::stop_token &stop) {
  Lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (clock_ == nullptr || !GST_CLOCK_TIME_IS_VALID(next_)) {
      wake_.wait(lock);
      continue;
    }
    const GstClockReturn result = wait();
    if (result == GST_CLOCK_UNSCHEDULED || stop.stop_requested() || clock_ == nullptr)
      continue;
    next_ = GST_CLOCK_TIME_NONE;
    if (result != GST_CLOCK_OK && result != GST_CLOCK_EARLY)
      continue;  // a clock that does not work must not make this spin
    lock.unlock();
    const GstClockTime next = callback_();
    lock.lock();
    // Unless it was paused and played meanwhile.
    if (!GST_CLOCK_TIME_IS_VALID(next_))
      next_ = next;
  }
}

}  // namespace npc::count
