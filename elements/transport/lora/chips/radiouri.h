// SPDX-License-Identifier: LGPL-2.1-or-later
// The radio that a URI of an updater or a receiver names.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/uri.h"
#include "transport/lora/chips/boards.h"
#include "transport/lora/radio/radio.h"
#include "transport/lora/radio/region.h"

namespace npc::lora {

/// A radio, and how it is to be used.
struct RadioChoice {
  std::string device;     ///< path
  std::string gpio_chip;  ///< name, label or path
  Board board;
  RadioPlan plan;
};

/// Reads `lora:/dev/spidev0.1` and the parameters `board`, `pins`, `gpio-chip`, `region`,
/// `frequency` (MHz), `bandwidth` (kHz), `sf` and `power` (dBm). Throws UriError.
RadioChoice read_radio(const Uri &uri);

/// Checks the choice against the limits of its region and of its chip. Returns the duty cycle, in
/// millionths. Throws UriError.
std::uint32_t check_radio(const Uri &uri, const RadioChoice &choice);

/// Refuses the URI with a sentence of ours. Throws UriError.
void check(const Uri &uri, const Status &status);

/// The value of a parameter that is a whole number. Throws UriError.
int number_parameter(const Uri &uri, const std::string &name, int otherwise, int least, int most);

/// Opens it; it is to be started.
Status open_radio(const RadioChoice &choice, std::unique_ptr<Radio> *radio);

}  // namespace npc::lora
