// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: what it says when a camera says nothing.
#include <algorithm>

#include "npccount/engine.h"

GST_DEBUG_CATEGORY_EXTERN(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

namespace {

using npc::count::Time;
using namespace std::chrono_literals;

// A camera that delivers nothing for this long hangs, or is gone.
constexpr Time kTimeout = 5s;
// Frames and gaps that claim to last longer than this are not believed to.
constexpr Time kLongest = 60s;

// Whether upstream makes frames in real time; none if it does not know yet.
std::optional<bool> is_live(GstPad *pad) {
  GstQuery *query = gst_query_new_latency();
  std::optional<bool> live;
  if (gst_pad_peer_query(pad, query)) {
    gboolean answer;
    gst_query_parse_latency(query, &answer, nullptr, nullptr);
    live = answer != FALSE;
  }
  gst_query_unref(query);
  return live;
}

GstClockTime to_clock(Time time) {
  return static_cast<GstClockTime>(time.count());
}

}  // namespace

void npc::CountEngine::play() {
  timer_.play(to_clock(kTimeout));
}

// There was a sign of life.
void npc::CountEngine::note_activity() {
  if (!live_)
    live_ = is_live(sinkpad_);
  last_activity_ = clock_time().value_or(last_activity_);
  active_at_ = last_;
}

void npc::CountEngine::await_watchdog() {
  std::unique_lock lock(watchdog_mutex_);
  watchdog_ends_.wait(lock, [this] { return !watchdog_runs_; });
}

bool npc::CountEngine::defer(GstEvent *event) {
  const std::lock_guard lock(watchdog_mutex_);
  if (watchdog_runs_)
    deferred_.push_back(event);
  return watchdog_runs_;
}

// The timer calls it when it may be that nothing comes any more. Its record may have to wait for
// PLAYING. Frames wait meanwhile, but events must not: GstBaseSrc pushes them with its live lock
// held, which it needs on its way to PAUSED. So the stream lock is not held, as chain() does, but
// says that the watchdog runs. A flush or the state READY ends the push.
GstClockTime npc::CountEngine::watch() {
  GST_PAD_STREAM_LOCK(sinkpad_);
  std::unique_lock lock(watchdog_mutex_);
  watchdog_runs_ = true;
  lock.unlock();
  GST_PAD_STREAM_UNLOCK(sinkpad_);

  const GstClockTime next = check_activity();

  lock.lock();
  while (!deferred_.empty()) {
    GstEvent *event = deferred_.front();
    deferred_.pop_front();
    lock.unlock();
    handle_event(event);
    lock.lock();
  }
  watchdog_runs_ = false;
  watchdog_ends_.notify_all();
  return next;
}

GstClockTime npc::CountEngine::check_activity() {
  const std::optional<Time> clock = clock_time();
  if (!clock)
    return GST_CLOCK_TIME_NONE;
  const Time now = *clock;
  // As after a pause, which ends for the sink before it does for us.
  last_activity_ = std::min(last_activity_, now);
  // A file is not silent but slow, and what is counted in it must not depend on how slow.
  if (!streaming_ || !negotiated_ || !live_.value_or(false) || GST_PAD_IS_FLUSHING(sinkpad_))
    return to_clock(now + kTimeout);
  const Time lasting = active_at_ ? std::min(active_length_, kLongest) : Time::zero();
  if (now - last_activity_ < lasting + kTimeout)
    return to_clock(last_activity_ + lasting + kTimeout);

  // Where the stream would be by now.
  const Time reached = active_at_ ? *active_at_ + (now - last_activity_) : now;
  const npc::CountSettings current = copy_settings();
  if (!window_.is_stalled())
    GST_WARNING_OBJECT(element_, "nothing has come for %" GST_TIME_FORMAT,
                       GST_TIME_ARGS(to_clock(now - last_activity_)));
  window_.stall(active_at_ ? *active_at_ + lasting : now);
  apply_resets();
  window_.set_length(Time(static_cast<Time::rep>(current.interval)));
  if (const auto closed = window_.pass(reached))
    emit(*closed, current);
  return to_clock(now + std::max(window_.end() - reached, Time(1ms)));
}
