// SPDX-License-Identifier: LGPL-2.1-or-later
// What a LoRa chip is connected with.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "transport/lora/frame/block.h"

namespace npc::lora {

/// A SPI bus, the lines of the chip that are no part of it, and the time.
class Bus {
 public:
  virtual ~Bus() = default;

  /// For sentences: "the LoRa chip at /dev/spidev0.1".
  virtual std::string name() const = 0;
  /// Both ways at once; the chip is selected for as long as this takes. Both are as long.
  virtual Status transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) = 0;
  virtual Status set_reset(bool active) = 0;
  /// The chip's BUSY line. A chip that has none is never busy.
  virtual Status read_busy(bool *is_busy) = 0;
  /// The chip's interrupt line: DIO0 or DIO1.
  virtual Status read_interrupt(bool *active) = 0;
  /// Waits until the interrupt line is active, for as long as `most`. Returns false if `wake`, when
  /// it is not negative, can be read before.
  virtual bool wait_interrupt(Time most, int wake) = 0;
  /// Switches the antenna, where the chip does not do that itself.
  virtual Status set_sending(bool sending) = 0;
  virtual Time now() const = 0;
  /// UTC, since 1970.
  virtual std::chrono::milliseconds utc() const = 0;
  virtual void sleep(Time time) = 0;
};

}  // namespace npc::lora
