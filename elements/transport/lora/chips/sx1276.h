// SPDX-License-Identifier: LGPL-2.1-or-later
// The chip SX1276, which is also in the module RFM95.
#pragma once

#include <initializer_list>
#include <memory>

#include "transport/lora/chips/chip.h"

namespace npc::lora {

class Sx1276 final : public Chip {
 public:
  Sx1276(std::unique_ptr<Bus> bus, const RadioSettings &settings);

  Status start() override;

 private:
  struct Value {
    std::uint8_t address;
    unsigned value;
  };

  Status read_flags(unsigned *flags) override;
  Status clear_flags() override;
  Status read_mode(unsigned *mode) override;
  Status begin_sense() override;
  Status load(std::span<const std::uint8_t> frame) override;
  Status begin_send() override;
  Status begin_receive() override;
  Status take_frame(unsigned flags, std::optional<Heard> *heard) override;

  Status read(std::uint8_t address, std::uint8_t *value);
  Status write(std::uint8_t address, unsigned value);
  Status write_all(std::initializer_list<Value> values);
  Status identify();
  Status set_up();
  Status begin(unsigned mask, unsigned mapping);
};

}  // namespace npc::lora
