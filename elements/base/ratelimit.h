// SPDX-License-Identifier: LGPL-2.1-or-later
// So many a second, and not more.
#pragma once

#include <algorithm>
#include <chrono>

namespace npc {

/// A token bucket: allows `rate` things a second, and as many at once after a second of rest.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  RateLimit(double rate, Time now) : rate_(rate), tokens_(rate), time_(now) {}

  /// How many there may be now.
  unsigned available(Time now) {
    const double seconds = std::chrono::duration<double>(now - time_).count();
    tokens_ = std::min(rate_, tokens_ + rate_ * std::max(0.0, seconds));
    time_ = now;
    return static_cast<unsigned>(tokens_);
  }
  /// When there may be one more, if there may be none now.
  Time next() const {
    const double seconds = std::max(0.0, 1 - tokens_) / rate_;
    return time_ + std::chrono::ceil<Time::duration>(std::chrono::duration<double>(seconds));
  }
  /// There were so many, of those that were available.
  void take(unsigned count) { tokens_ -= count; }

 private:
  const double rate_;
  double tokens_;
  Time time_;
};

}  // namespace npc
