// SPDX-License-Identifier: LGPL-2.1-or-later
// How old gaps are.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "npcsrc/core/coverage.h"

namespace npc::source {

/// Follows gaps from when they are noticed until they are filled or too old.
class GapWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Records of several senders, and those that are on their way to the store, come in any order:
  /// only a gap that lasts for so long is one.
  static constexpr std::chrono::seconds kGrace{5};

  /// Who has missing records is asked for them when the gap lasts, and again and again, with a
  /// pause that doubles. Not for all gaps at once: a sender that was away has many.
  static constexpr std::chrono::seconds kFirstPause{30}, kLastPause{600};
  static constexpr std::size_t kMostAsked = 16;

  struct News {
    std::vector<Gap> ask;    ///< that somebody is to be asked for now
    std::vector<Gap> found;  ///< that have lasted for long enough to be said
    std::vector<Gap> old;    ///< that nobody will fill any more; they are not followed further
  };

  /// To be called with all gaps that there are, now and then. Those that lasted for `patience` are
  /// old. `asks`: there is somebody to be asked.
  News update(const std::vector<Gap> &gaps, std::chrono::nanoseconds patience, Time now,
              bool asks = false);
  void clear() { gaps_.clear(); }

 private:
  struct Followed {
    std::uint64_t to;
    Time since;
    bool said = false;
    Time ask{};  // then
    std::chrono::seconds pause = kFirstPause;
  };
  using Numbers = std::map<std::uint64_t, Followed>;  // by the first number

  std::map<Series, Numbers> gaps_;
};

}  // namespace npc::source
