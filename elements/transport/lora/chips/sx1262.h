// SPDX-License-Identifier: LGPL-2.1-or-later
// The chip SX1262.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "transport/lora/chips/bus.h"
#include "transport/lora/radio/radio.h"

namespace npc::lora {

class Sx1262 final : public Radio {
 public:
  /// `has_tcxo`: whether the chip is to feed a temperature-compensated oscillator from DIO3. If
  /// that does not start, it is tried without.
  Sx1262(std::unique_ptr<Bus> bus, const RadioSettings &settings, bool has_tcxo)
      : bus_(std::move(bus)), settings_(settings), has_tcxo_(has_tcxo) {}

  Status start() override;
  Status sense(bool *is_busy) override;
  Status send(std::span<const std::uint8_t> frame, Time *airtime) override;
  Status receive(Time most, int wake, std::optional<Heard> *heard) override;
  unsigned restarts() const override { return restarts_; }
  /// Whether the oscillator that start() was told of is there.
  bool has_tcxo() const { return has_tcxo_; }

 private:
  using Command = std::vector<std::uint8_t>;

  Status exchange(const Command &out, Command *in);
  Status command(const Command &out);
  Status commands(std::initializer_list<Command> all);
  /// The last `count` bytes of what is answered.
  Status ask(Command out, std::size_t count, Command *answer);
  Status set_bits(std::uint16_t address, std::uint8_t clear, std::uint8_t set);
  Status read_flags(unsigned *flags);
  Status read_mode(unsigned *mode);
  Status wait_ready();
  Status reset();
  Status identify();
  Status start_oscillator();
  Status set_up();
  Status restart();
  Command packet_of(std::size_t bytes) const;
  Status wait_flag(unsigned mask, Time most, unsigned *flags, int wake = -1, bool *woken = nullptr);
  Status listen();
  Status take_frame(unsigned flags, std::optional<Heard> *heard);
  Status check_line(bool *is_right);

  const std::unique_ptr<Bus> bus_;
  const RadioSettings settings_;
  bool has_tcxo_;
  bool is_listening_ = false;
  unsigned restarts_ = 0;
};

}  // namespace npc::lora
