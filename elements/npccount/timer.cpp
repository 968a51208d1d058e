// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls a function later, from a thread of its own.
#include "npccount/timer.h"

#include <system_error>
#include <utility>

namespace npc {

bool Timer::start() {
  stop();
  quit_ = false;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error &) {
    return false;
  }
  return true;
}

void Timer::play(GstClockTime delay) {
  GstClock *clock = gst_element_get_clock(element_);
  const GstClockTime base = gst_element_get_base_time(element_);
  const GstClockTime now = clock != nullptr ? gst_clock_get_time(clock) : 0;
  const std::lock_guard lock(mutex_);
  let_go();
  clock_ = clock;
  base_ = base;
  next_ = (now > base ? now - base : 0) + delay;
  wake_.notify_all();
}

void Timer::pause() {
  const std::lock_guard lock(mutex_);
  let_go();
}

void Timer::stop() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
    let_go();
    wake_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

void Timer::let_go() {
  if (waiting_ != nullptr)
    gst_clock_id_unschedule(waiting_);
  gst_clear_object(&clock_);
}

// Waits for the next look with the lock released.
GstClockReturn Timer::wait(std::unique_lock<std::mutex> &lock) {
  const GstClockID id = gst_clock_new_single_shot_id(clock_, base_ + next_);
  waiting_ = id;
  lock.unlock();
  const GstClockReturn result = gst_clock_id_wait(id, nullptr);
  lock.lock();
  waiting_ = nullptr;
  gst_clock_id_unref(id);
  return result;
}

void Timer::run() {
  std::unique_lock lock(mutex_);
  while (!quit_) {
    if (clock_ == nullptr || !GST_CLOCK_TIME_IS_VALID(next_)) {
      wake_.wait(lock);
      continue;
    }
    const GstClockReturn result = wait(lock);
    if (result == GST_CLOCK_UNSCHEDULED || quit_ || clock_ == nullptr)
      continue;
    next_ = GST_CLOCK_TIME_NONE;
    if (result != GST_CLOCK_OK && result != GST_CLOCK_EARLY)
      continue;  // a clock that does not work must not make this spin
    lock.unlock();
    const GstClockTime next = look_();
    lock.lock();
    // Unless it was paused and played meanwhile.
    if (!GST_CLOCK_TIME_IS_VALID(next_))
      next_ = next;
  }
}

}  // namespace npc
