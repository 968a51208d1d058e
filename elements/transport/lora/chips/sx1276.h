// SPDX-License-Identifier: LGPL-2.1-or-later
// The chip SX1276, which is also in the module RFM95.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>

#include "transport/lora/chips/bus.h"
#include "transport/lora/radio/radio.h"

namespace npc::lora {

class Sx1276 final : public Radio {
 public:
  Sx1276(std::unique_ptr<Bus> bus, const RadioSettings &settings)
      : bus_(std::move(bus)), settings_(settings) {}

  Status start() override;
  Status sense(bool *is_busy) override;
  Status send(std::span<const std::uint8_t> frame, Time *airtime) override;
  Status receive(Time most, int wake, std::optional<Heard> *heard) override;
  unsigned restarts() const override { return restarts_; }

 private:
  Status read(std::uint8_t address, std::uint8_t *value);
  Status write(std::uint8_t address, unsigned value);
  struct Value {
    std::uint8_t address;
    unsigned value;
  };
  Status write_all(std::initializer_list<Value> values);
  Status identify();
  Status set_up();
  Status restart();
  Status begin(unsigned mask, unsigned mapping);
  Status wait_flag(std::uint8_t flag, Time most, bool *is_set, int wake = -1,
                   bool *woken = nullptr);
  Status listen();
  Status take_frame(std::optional<Heard> *heard);
  Status check_line(bool *is_right);

  const std::unique_ptr<Bus> bus_;
  const RadioSettings settings_;
  bool is_listening_ = false;
  unsigned restarts_ = 0;
};

}  // namespace npc::lora
