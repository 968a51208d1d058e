// SPDX-License-Identifier: LGPL-2.1-or-later
// The chip SX1262.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "transport/lora/chips/chip.h"

namespace npc::lora {

class Sx1262 final : public Chip {
 public:
  /// `has_tcxo`: whether the chip is to feed a temperature-compensated oscillator from DIO3. If
  /// that does not start, it is tried without.
  Sx1262(std::unique_ptr<Bus> bus, const RadioSettings &settings, bool has_tcxo);

  Status start() override;
  /// Whether the oscillator that start() was told of is there.
  bool has_tcxo() const { return has_tcxo_; }

 private:
  using Command = std::vector<std::uint8_t>;

  Status read_flags(unsigned *flags) override;
  Status clear_flags() override;
  Status read_mode(unsigned *mode) override;
  Status begin_sense() override;
  Status load(std::span<const std::uint8_t> frame) override;
  Status begin_send() override;
  Status begin_receive() override;
  Status take_frame(unsigned flags, std::optional<Heard> *heard) override;

  Status exchange(const Command &out, Command *in);
  Status command(const Command &out);
  Status commands(std::initializer_list<Command> all);
  /// The last `count` bytes of what is answered.
  Status ask(Command out, std::size_t count, Command *answer);
  Status set_bits(std::uint16_t address, std::uint8_t clear, std::uint8_t set);
  Status wait_ready();
  Status identify();
  Status start_oscillator();
  Status set_up();
  Command packet_of(std::size_t bytes) const;

  bool has_tcxo_;
};

}  // namespace npc::lora
