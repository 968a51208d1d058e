// SPDX-License-Identifier: LGPL-2.1-or-later
// Windows of the counter, merged to blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "transport/lora/frame/frame.h"

namespace npc::lora {

/// A time on a clock that is never set. Its origin does not matter: times may lie before it.
using Time = std::chrono::microseconds;

/// Crossings of one line.
struct LineCounts {
  std::uint64_t in = 0, out = 0;              ///< in the block
  std::uint64_t in_total = 0, out_total = 0;  ///< at its end
  bool operator==(const LineCounts &) const = default;
};

/// What was counted in windows that follow one another; also in a single one.
struct Block {
  std::uint32_t seq = 0;          ///< of the last window
  std::uint32_t windows = 1;      ///< how many they are
  std::uint64_t interval_ms = 0;  ///< how long they are together
  Time end{0};                    ///< when the last one ended
  BlockPeople people;
  std::uint8_t flags = 0;
  std::vector<LineCounts> lines;  ///< always the same ones, in the same order

  std::uint32_t first() const { return seq + 1 - windows; }
  bool operator==(const Block &) const = default;
};

/// Merges blocks of one boot, of which each begins where the one before ends. People, moving and
/// faces are the lower medians, weighted by the lengths: somebody who was there for half of the
/// time or less is not counted. people_max is the maximum, the lines' totals are the last ones,
/// flags those of all. Blocks of blocks have medians of medians.
Block merge(std::span<const Block> blocks);

}  // namespace npc::lora
