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

  struct News {
    std::vector<Gap> found;  ///< that have lasted for long enough to be said
    std::vector<Gap> old;    ///< that nobody will fill any more; they are not followed further
  };

  /// To be called with all gaps that there are, now and then. Those that lasted for `patience` are
  /// old.
  News update(const std::vector<Gap> &gaps, std::chrono::nanoseconds patience, Time now);
  void clear() { gaps_.clear(); }

 private:
  struct Followed {
    std::uint64_t to;
    Time since;
    bool said;
  };
  using Numbers = std::map<std::uint64_t, Followed>;  // by the first number

  std::map<Series, Numbers> gaps_;
};

}  // namespace npc::source
