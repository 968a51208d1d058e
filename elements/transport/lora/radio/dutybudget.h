// SPDX-License-Identifier: LGPL-2.1-or-later
// How much may be sent.
#pragma once

#include <chrono>
#include <cstdint>

namespace npc::lora {

/// A token bucket that keeps a duty cycle in every hour, wherever that hour begins, and over
/// restarts of the process: it holds a tenth of an hour's allowance, is filled at 0.9 times the
/// duty cycle, and is empty at the start. In an hour no more can go out than what it held and what
/// came in. (One that starts full would allow twice as much, and a log of what was sent is lost
/// with a crash.)
class DutyBudget {
 public:
  using Time = std::chrono::microseconds;

  /// `duty` in millionths: 10000 is 1 %.
  DutyBudget(std::uint32_t duty, Time start);

  bool allows(Time airtime, Time now);
  /// When as much will be allowed; Time::max(), if never.
  Time when(Time airtime, Time now);
  /// Takes what was sent, also if that was more than allowed.
  void take(Time airtime) { level_ -= airtime.count() * kMillion; }

  /// The longest frame that a duty cycle of `duty` millionths ever allows.
  static Time longest(std::uint32_t duty);
  /// The shortest mean time between frames of this length.
  static Time shortest_period(std::uint32_t duty, Time airtime);

 private:
  static constexpr std::int64_t kMillion = 1000000;

  void refill(Time now);

  // All in millionths of a microsecond on the air.
  const std::int64_t rate_;  // for each microsecond
  const std::int64_t capacity_;
  std::int64_t level_ = 0;
  Time filled_;
};

}  // namespace npc::lora
