// SPDX-License-Identifier: LGPL-2.1-or-later
// The numbers that stand for boots over the air.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace npc::lora {

/// Gives each boot of the counter a number of 16 bits, higher than all before it, and remembers the
/// last ones. It must be saved before a frame has a new number: a number that is used for two boots
/// loses counts. When even that was lost, a gateway names its newest number, and all boots get new
/// ones past it.
class BootNumbers {
 public:
  /// As many boots as a gateway remembers.
  static constexpr std::size_t kMost = 8;

  /// A stretch of one boot's windows. Numbers on the air have 24 bits, and totals may be set back
  /// within a boot: then another stretch begins.
  struct Stretch {
    std::uint32_t id = 0;  ///< never changes, in this process
    std::uint16_t number = 0;
    std::string boot;
    std::uint64_t first_seq = 0;
    /// What is window 0 on the air.
    std::uint64_t base() const;
  };

  /// The stretch that has window `seq` of a boot; null if there is none.
  const Stretch *find(std::string_view boot, std::uint64_t seq) const;
  const Stretch *find(std::uint32_t id) const;
  const Stretch *with_number(std::uint16_t number) const;
  /// Begins a stretch, and forgets the oldest one if there are too many. Null if all numbers are
  /// used.
  const Stretch *begin(std::string_view boot, std::uint64_t first_seq);
  /// All remembered stretches get numbers past this one. False if there are not as many.
  bool jump_past(std::uint16_t number);

  bool empty() const { return stretches_.empty(); }
  const Stretch &newest() const { return stretches_.back(); }
  const Stretch &oldest() const { return stretches_.front(); }

  std::string state() const;
  /// Takes what state() gave. If it fails, nothing has changed.
  Status restore(std::string_view text);

 private:
  std::uint32_t next_number_ = 1;
  std::uint32_t next_id_ = 1;
  std::deque<Stretch> stretches_;
};

}  // namespace npc::lora
