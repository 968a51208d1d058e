// SPDX-License-Identifier: LGPL-2.1-or-later
// The token bucket of the duty cycle, in integers.
#include "transport/lora/radio/dutybudget.h"

#include <algorithm>

namespace npc::lora {
namespace {

constexpr std::int64_t kHour = 3600000000;  // microseconds

std::int64_t rate_of(std::uint32_t duty) {
  return std::max<std::int64_t>(std::int64_t{duty} * 9 / 10, 1);
}

std::int64_t capacity_of(std::uint32_t duty) {
  return kHour / 10 * std::int64_t{duty};
}

std::int64_t divided_up(std::int64_t number, std::int64_t by) {
  return (number + by - 1) / by;
}

}  // namespace

DutyBudget::DutyBudget(std::uint32_t duty, Time start)
    : rate_(rate_of(duty)), capacity_(capacity_of(duty)), filled_(start) {}

void DutyBudget::refill(Time now) {
  if (now <= filled_)
    return;
  // More than an hour fills it in any case.
  const std::int64_t elapsed = std::min((now - filled_).count(), kHour);
  level_ = std::min(capacity_, level_ + elapsed * rate_);
  filled_ = now;
}

bool DutyBudget::allows(Time airtime, Time now) {
  refill(now);
  return level_ >= airtime.count() * kMillion;
}

DutyBudget::Time DutyBudget::when(Time airtime, Time now) {
  const std::int64_t needed = airtime.count() * kMillion;
  if (needed > capacity_)
    return Time::max();
  refill(now);
  return level_ >= needed ? now : now + Time(divided_up(needed - level_, rate_));
}

DutyBudget::Time DutyBudget::longest(std::uint32_t duty) {
  return Time(capacity_of(duty) / kMillion);
}

DutyBudget::Time DutyBudget::shortest_period(std::uint32_t duty, Time airtime) {
  return Time(divided_up(airtime.count() * kMillion, rate_of(duty)));
}

}  // namespace npc::lora
