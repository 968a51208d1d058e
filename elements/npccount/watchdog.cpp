// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks from time to time whether something still comes, in turn with the streaming thread.
#include "npccount/watchdog.h"

namespace npc::count {

void Watchdog::await() {
  Lock lock(mutex_);
  while (state_ != State::idle)
    idle_.wait(lock);
}

bool Watchdog::defer(GstEvent *event) {
  Lock lock(mutex_);
  if (state_ == State::idle)
    return false;
  deferred_.push_back(event);
  return true;
}

GstClockTime Watchdog::run() {
  // With the stream lock, the streaming thread is neither in a frame nor in an event.
  GST_PAD_STREAM_LOCK(sinkpad_);
  {
    Lock lock(mutex_);
    state_ = State::checking;
  }
  GST_PAD_STREAM_UNLOCK(sinkpad_);

  const GstClockTime next = check_();

  Lock lock(mutex_);
  while (!deferred_.empty()) {
    GstEvent *event = deferred_.front();
    deferred_.pop_front();
    lock.unlock();
    handle_event_(event);
    lock.lock();
  }
  state_ = State::idle;
  idle_.notify_all();
  return next;
}

}  // namespace npc::count
