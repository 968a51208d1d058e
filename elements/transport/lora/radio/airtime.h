// SPDX-License-Identifier: LGPL-2.1-or-later
// How long a LoRa frame is on the air.
#pragma once

#include <chrono>
#include <cstddef>

namespace npc::lora {

/// How a frame is modulated. The header is explicit, and the radio adds its own checksum.
struct Modulation {
  int spreading_factor = 7;  ///< 7 to 12
  int bandwidth = 125000;    ///< Hz
  int coding_rate = 1;       ///< 1 is 4/5, 4 is 4/8
  int preamble = 8;          ///< symbols
};

/// Whether a symbol is so long (over 16 ms) that the low data rate optimisation is mandatory.
bool is_low_data_rate(const Modulation &modulation);

/// By Semtech's application note AN1200.13, rounded up to the next microsecond.
std::chrono::microseconds time_on_air(const Modulation &modulation, std::size_t bytes);

}  // namespace npc::lora
