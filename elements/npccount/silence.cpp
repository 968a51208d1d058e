// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: what it says when a camera says nothing.
#include <algorithm>

#include "state.h"

GST_DEBUG_CATEGORY_EXTERN(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

namespace {

using npc::count::Time;
using namespace std::chrono_literals;

// A camera that delivers nothing for this long hangs, or is gone.
constexpr Time kPatience = 5s;
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

void GstNpcCountState::play() {
  timer_.play(to_clock(kPatience));
}

// There was a sign of life.
void GstNpcCountState::hear() {
  if (!live_)
    live_ = is_live(element_->sinkpad);
  heard_ = clock_time().value_or(heard_);
  heard_at_ = last_;
}

void GstNpcCountState::await_turn() {
  std::unique_lock lock(turn_mutex_);
  turn_ends_.wait(lock, [this] { return !timers_turn_; });
}

bool GstNpcCountState::leave(GstEvent *event) {
  const std::lock_guard lock(turn_mutex_);
  if (timers_turn_)
    left_.push_back(event);
  return timers_turn_;
}

// The timer calls it when it may be that nothing comes any more. Its record may have to wait for
// PLAYING. Frames wait meanwhile, but events must not: GstBaseSrc pushes them with its live lock
// held, which it needs on its way to PAUSED. So the stream lock is not held, as chain() does, but
// makes it the timer's turn. A flush or the state READY ends the push.
GstClockTime GstNpcCountState::look() {
  GST_PAD_STREAM_LOCK(element_->sinkpad);
  std::unique_lock lock(turn_mutex_);
  timers_turn_ = true;
  lock.unlock();
  GST_PAD_STREAM_UNLOCK(element_->sinkpad);

  const GstClockTime next = look_in_turn();

  lock.lock();
  while (!left_.empty()) {
    GstEvent *event = left_.front();
    left_.pop_front();
    lock.unlock();
    gst_npc_count_handle_event(element_, event);
    lock.lock();
  }
  timers_turn_ = false;
  turn_ends_.notify_all();
  return next;
}

GstClockTime GstNpcCountState::look_in_turn() {
  const std::optional<Time> clock = clock_time();
  if (!clock)
    return GST_CLOCK_TIME_NONE;
  const Time now = *clock;
  // As after a pause, which ends for the sink before it does for us.
  heard_ = std::min(heard_, now);
  // A file is not silent but slow, and what is counted in it must not depend on how slow.
  if (!streaming_ || !negotiated_ || !live_.value_or(false) ||
      GST_PAD_IS_FLUSHING(element_->sinkpad))
    return to_clock(now + kPatience);
  const Time lasting = heard_at_ ? std::min(heard_length_, kLongest) : Time::zero();
  if (now - heard_ < lasting + kPatience)
    return to_clock(heard_ + lasting + kPatience);

  // Where the stream would be by now.
  const Time reached = heard_at_ ? *heard_at_ + (now - heard_) : now;
  const npc::CountSettings current = copy_settings();
  if (!window_.is_silent())
    GST_WARNING_OBJECT(element_, "nothing has come for %" GST_TIME_FORMAT,
                       GST_TIME_ARGS(to_clock(now - heard_)));
  window_.fall_silent(heard_at_ ? *heard_at_ + lasting : now);
  apply_resets();
  window_.set_length(Time(static_cast<Time::rep>(current.interval)));
  if (const auto closed = window_.pass(reached))
    emit(*closed, current);
  return to_clock(now + std::max(window_.end() - reached, Time(1ms)));
}
