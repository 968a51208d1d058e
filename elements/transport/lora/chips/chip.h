// SPDX-License-Identifier: LGPL-2.1-or-later
// What the LoRa chips have in common: how a frame is sent, received, and the channel sensed.
#pragma once

#include <memory>
#include <utility>

#include "transport/lora/chips/bus.h"
#include "transport/lora/radio/radio.h"

namespace npc::lora {

/// The bits of a chip's flag register, and its mode while it receives.
struct ChipFlags {
  unsigned cad_done;  ///< the channel was sensed
  unsigned activity;  ///< and somebody sends on it
  unsigned sent;
  unsigned received;  ///< a frame has ended, whether damaged or not
  unsigned line;      ///< those that the interrupt line shows while it receives
  unsigned receive_mode;
};

class Chip : public Radio {
 public:
  Status sense(bool *is_busy) final;
  Status send(std::span<const std::uint8_t> frame, Time *airtime) final;
  Status receive(Time most, int wake, std::optional<Heard> *heard) final;
  Time now() const final { return bus_->now(); }
  std::chrono::milliseconds utc() const final { return bus_->utc(); }
  unsigned restarts() const final { return restarts_; }

 protected:
  Chip(std::unique_ptr<Bus> bus, const RadioSettings &settings, const ChipFlags &flags)
      : bus_(std::move(bus)), settings_(settings), flags_(flags) {}

  /// Resets the chip by its line, and waits until it has started.
  Status reset();
  /// The answer where a chip should be is all zeros or all ones.
  Status no_answer() const;

  virtual Status read_flags(unsigned *flags) = 0;
  virtual Status clear_flags() = 0;
  virtual Status read_mode(unsigned *mode) = 0;
  /// Begins to sense the channel.
  virtual Status begin_sense() = 0;
  /// Puts a frame into the chip.
  virtual Status load(std::span<const std::uint8_t> frame) = 0;
  /// Begins to send it.
  virtual Status begin_send() = 0;
  /// Begins to receive.
  virtual Status begin_receive() = 0;
  /// Reads the frame that `flags` say was received, and clears them. A damaged frame is none.
  virtual Status take_frame(unsigned flags, std::optional<Heard> *heard) = 0;

  const std::unique_ptr<Bus> bus_;
  const RadioSettings settings_;

 private:
  Status restart();
  Status wait_flag(unsigned mask, Time most, unsigned *flags, int wake = -1, bool *woken = nullptr);
  Status transmit(Time most, bool *is_sent);
  Status check_line(bool *is_right);

  const ChipFlags flags_;
  bool is_listening_ = false;
  unsigned restarts_ = 0;
};

}  // namespace npc::lora
