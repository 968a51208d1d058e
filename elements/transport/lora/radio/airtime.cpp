// SPDX-License-Identifier: LGPL-2.1-or-later
// The time on air, in integers.
#include "transport/lora/radio/airtime.h"

#include <algorithm>
#include <cstdint>

namespace npc::lora {

bool is_low_data_rate(const Modulation &modulation) {
  return (std::int64_t{1000} << modulation.spreading_factor) >
         16 * std::int64_t{modulation.bandwidth};
}

std::chrono::microseconds time_on_air(const Modulation &modulation, std::size_t bytes) {
  const std::int64_t sf = modulation.spreading_factor;
  const std::int64_t bits = 8 * static_cast<std::int64_t>(bytes) - 4 * sf + 28 + 16;
  const std::int64_t bits_in_four = 4 * (is_low_data_rate(modulation) ? sf - 2 : sf);
  const std::int64_t fours = std::max<std::int64_t>(bits + bits_in_four - 1, 0) / bits_in_four;
  const std::int64_t payload = 8 + fours * (modulation.coding_rate + 4);
  // The preamble is followed by 4.25 symbols: all in quarters.
  const std::int64_t quarters = 4 * (modulation.preamble + payload) + 17;
  const std::int64_t divisor = 4 * std::int64_t{modulation.bandwidth};
  return std::chrono::microseconds(((quarters << sf) * 1000000 + divisor - 1) / divisor);
}

}  // namespace npc::lora
