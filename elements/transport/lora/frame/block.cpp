// SPDX-License-Identifier: LGPL-2.1-or-later
// Merging of windows.
#include "transport/lora/frame/block.h"

#include <algorithm>
#include <utility>

namespace npc::lora {
namespace {

std::uint32_t lower_median(std::span<const Block> blocks, std::uint32_t BlockPeople::*count) {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> weighted;
  weighted.reserve(blocks.size());
  std::uint64_t total = 0;
  for (const Block &block : blocks) {
    weighted.emplace_back(block.people.*count, block.interval_ms);
    total += block.interval_ms;
  }
  std::sort(weighted.begin(), weighted.end());
  std::uint64_t sum = 0;
  for (const auto &[value, weight] : weighted) {
    sum += weight;
    if (2 * sum >= total)
      return value;
  }
  return 0;
}

}  // namespace

Block merge(std::span<const Block> blocks) {
  Block merged = blocks.back();
  merged.people = {lower_median(blocks, &BlockPeople::people), 0,
                   lower_median(blocks, &BlockPeople::moving),
                   lower_median(blocks, &BlockPeople::faces)};
  for (const Block &block : blocks) {
    merged.people.people_max = std::max(merged.people.people_max, block.people.people_max);
    merged.flags |= block.flags;
  }
  for (const Block &block : blocks.first(blocks.size() - 1)) {
    merged.windows += block.windows;
    merged.interval_ms += block.interval_ms;
    for (std::size_t i = 0; i < std::min(merged.lines.size(), block.lines.size()); ++i) {
      merged.lines[i].in += block.lines[i].in;
      merged.lines[i].out += block.lines[i].out;
    }
  }
  return merged;
}

}  // namespace npc::lora
