// SPDX-License-Identifier: LGPL-2.1-or-later
// A chip behind the kernel's spidev, its other lines at a GPIO chip.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "transport/lora/chips/boards.h"
#include "transport/lora/chips/bus.h"

namespace npc::lora {

/// Opens the SPI device at `path`, as in "/dev/spidev0.1", and takes the board's lines of a GPIO
/// chip.
Status open_spi_bus(const std::string &path, const std::string &gpio_chip, const BoardPins &pins,
                    std::unique_ptr<Bus> *bus);

}  // namespace npc::lora
