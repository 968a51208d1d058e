// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures a duty cycle exactly.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

namespace npc::test {

/// The longest time on the air in any 3600 s.
class WorstHour {
 public:
  using Time = std::chrono::microseconds;

  /// Frames in the order of time, each after the end of the one before.
  void add(Time begin, Time airtime) {
    const Time end = begin + airtime, from = end - std::chrono::hours(1);
    frames_.emplace_back(begin, airtime);
    sum_ += airtime;
    total_ += airtime;
    while (frames_.front().first + frames_.front().second <= from) {
      sum_ -= frames_.front().second;
      frames_.pop_front();
    }
    // A frame may have begun before that hour.
    worst_ = std::max(worst_, sum_ - std::max(from - frames_.front().first, Time(0)));
  }

  Time worst() const { return worst_; }
  Time total() const { return total_; }

 private:
  std::deque<std::pair<Time, Time>> frames_;
  Time sum_{0}, worst_{0}, total_{0};
};

}  // namespace npc::test
