// SPDX-License-Identifier: LGPL-2.1-or-later
// What the law of a region allows.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "transport/lora/radio/airtime.h"

namespace npc::lora {

/// How a radio is to be used.
struct RadioPlan {
  std::string region = "eu868";  ///< eu868, us915 or as923
  std::uint32_t frequency = 0;   ///< Hz, the middle of the channel; see default_frequency()
  Modulation modulation;
  int power = 14;                       ///< dBm, radiated: what the antenna gains is part of it
  std::size_t most_bytes = 0;           ///< of the longest frame that will be sent
  std::chrono::milliseconds period{0};  ///< between frames; 0 if there is none, as at a gateway
};

/// The channel that is used where none is named; 0 if there is no such region.
std::uint32_t default_frequency(std::string_view region);

/// Checks a plan against the limits of its region. If it can be kept, `*duty` is the duty cycle, in
/// millionths.
Status check_region(const RadioPlan &plan, std::uint32_t *duty);

}  // namespace npc::lora
