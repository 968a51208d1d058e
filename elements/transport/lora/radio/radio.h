// SPDX-License-Identifier: LGPL-2.1-or-later
// What sends and receives frames: a chip or a modem.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "transport/lora/frame/block.h"
#include "transport/lora/radio/airtime.h"

namespace npc::lora {

/// How a radio is set up.
struct RadioSettings {
  std::uint32_t frequency = 868100000;  ///< Hz
  Modulation modulation;
  int power = 14;                 ///< dBm
  std::uint8_t sync_word = 0x12;  ///< of private networks; LoRaWAN has 0x34
};

/// A frame that was received.
struct Heard {
  Bytes bytes;
  int rssi = 0;  ///< dBm
};

/// All functions are called on one thread. They wait no longer than a frame takes, but for
/// receive().
class Radio {
 public:
  virtual ~Radio() = default;

  /// Resets it and sets it up. To be called first, and after anything has failed.
  virtual Status start() = 0;
  /// Whether somebody is sending.
  virtual Status sense(bool *is_busy) = 0;
  /// Sends a frame, and waits until it is out. `*airtime` is how long it was on the air.
  virtual Status send(std::span<const std::uint8_t> frame, Time *airtime) = 0;
  /// Waits until a frame is received, for as long as `most`, or until `wake` can be read, if it is
  /// not negative. A damaged frame is none.
  virtual Status receive(Time most, int wake, std::optional<Heard> *heard) = 0;

  /// The time as whatever waits here has it.
  virtual Time now() const = 0;
  /// UTC, since 1970.
  virtual std::chrono::milliseconds utc() const = 0;

  /// How often it had to be set up anew by itself.
  virtual unsigned restarts() const = 0;
};

}  // namespace npc::lora
