// SPDX-License-Identifier: LGPL-2.1-or-later
// When the camera sends: after the budget allows it, a random delay, and a look at the channel.
#include <algorithm>

#include "transport/lora/sender/sender.h"

namespace npc::lora {
namespace {

constexpr Time kMostDelay = std::chrono::seconds(10);
// A gateway answers within so much, and the answer's airtime.
constexpr Time kAnswer = std::chrono::milliseconds(20);
constexpr int kMostTries = 8;  // of a busy channel, before it is taken for noise
constexpr int kResendsAFresh = 1;
constexpr int kSilentPeriods = 4;
constexpr std::uint64_t kMostHelloStep = 128;  // fresh frames

}  // namespace

// From then on an ack should have come for what was sent, or another block have been counted: at
// the end of a stream, neither does.
Time Sender::silent_from() const {
  return sent_at_ + kSilentPeriods * Time(settings_.period);
}

std::optional<Sender::Choice> Sender::choose(Time now) const {
  if (must_save_)
    return std::nullopt;
  for (auto at = boots_.rbegin(); at != boots_.rend(); ++at) {
    if (at->second.hellos_due > 0)
      return Choice{at->first, std::nullopt, false};
  }
  const bool is_silent = settings_.ack && now >= silent_from();
  const bool is_behind = settings_.ack && now >= sent_at_ + Time(settings_.period);
  const std::optional<BlockKey> fresh = backlog_.fresh(), lost = backlog_.resend();
  // In turn: where blocks are counted faster than they can be sent, there is always a fresh one. If
  // there is none, as with a backlog of which only the beginning is here, its turn is over too.
  if (lost && (resent_ < kResendsAFresh || is_behind))
    return Choice{0, lost, false};
  if (fresh)
    return Choice{0, fresh, true};
  if (is_silent && backlog_.size() > 0)
    return Choice{0, backlog_.oldest(), false};
  return std::nullopt;
}

Time Sender::delay_before(const Choice &choice) {
  const Time half_period = Time(settings_.period) / 2;
  const bool is_resend = choice.block && !choice.is_fresh;
  const Time most = std::min(half_period, is_resend ? 20 * longest_ : kMostDelay);
  const Time least = settings_.ack && is_resend ? kAnswer + airtime_of(kAckBytes) : Time(0);
  return least + Time(static_cast<std::int64_t>(random() * static_cast<double>(most.count())));
}

Action Sender::next(Time now) {
  Action action;
  if (step_ == Step::kIdle) {
    const std::optional<Choice> choice = choose(now);
    if (!choice) {
      if (settings_.ack && !must_save_ && backlog_.size() > 0)
        action.until =
            std::max(backlog_.resend() ? sent_at_ + Time(settings_.period) : silent_from(), now);
      return action;
    }
    const Time allowed = budget_.when(longest_, now);
    if (allowed == Time::max())
      return action;
    ready_ = allowed + delay_before(*choice);
    tries_ = 0;
    step_ = Step::kDelay;
  }
  if (step_ == Step::kDelay) {
    action.until = ready_;
    if (now < ready_)
      return action;
    step_ = Step::kSense;
  }
  action.until = Time::max();
  if (step_ == Step::kSense) {
    action.kind = Action::Kind::kSense;
  } else {
    action.kind = Action::Kind::kSend;
    action.frame = frame_;
  }
  return action;
}

void Sender::sensed(bool is_busy, Time now) {
  if (step_ != Step::kSense)
    return;
  if (is_busy && tries_ < kMostTries) {
    ++tries_;
    const double frames = 0.5 + 4 * random();
    ready_ = now + Time(static_cast<std::int64_t>(frames * static_cast<double>(longest_.count())));
    step_ = Step::kDelay;
    return;
  }
  begin_sending(now);
}

void Sender::begin_sending(Time now) {
  step_ = Step::kIdle;
  // What there is to send may have changed since.
  sending_ = choose(now);
  if (!sending_)
    return;
  const std::optional<Bytes> frame = make_frame(*sending_, now);
  if (!frame)
    return;
  frame_ = *frame;
  taken_ = airtime_of(frame_.size());
  budget_.take(taken_);
  sent_at_ = now;
  step_ = Step::kSending;
}

void Sender::sent(Time airtime) {
  if (step_ != Step::kSending)
    return;
  step_ = Step::kIdle;
  budget_.take(std::max(airtime - taken_, Time(0)));
  if (!sending_->block) {
    const auto boot = boots_.find(sending_->hello_of);
    if (boot != boots_.end() && boot->second.hellos_due > 0)
      --boot->second.hellos_due;
    return;
  }
  backlog_.sent(*sending_->block, sent_at_, settings_.ack);
  if (!sending_->is_fresh) {
    ++resent_;
    return;
  }
  resent_ = 0;
  ++fresh_sent_;
  Boot &boot = boots_.rbegin()->second;
  if (!boot.hello_known && fresh_sent_ >= boot.next_hello) {
    boot.hellos_due = std::max<std::size_t>(boot.hellos_due, hello_parts_);
    boot.hello_step = std::min(2 * boot.hello_step, kMostHelloStep);
    boot.next_hello = fresh_sent_ + boot.hello_step;
  }
}

}  // namespace npc::lora
