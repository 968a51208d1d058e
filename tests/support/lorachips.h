// SPDX-License-Identifier: LGPL-2.1-or-later
// LoRa chips as their registers and commands show them, and the air between them, in simulated
// time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "transport/lora/chips/bus.h"
#include "transport/lora/radio/airtime.h"

namespace npc::test {

using namespace npc::lora;

class ChipAir;

/// How a chip is tuned: those that are tuned alike hear each other.
struct Tuning {
  std::uint32_t frequency = 0;  // Hz
  Modulation modulation;
  std::uint8_t sync_word = 0;
  bool disturbs(const Tuning &other) const;
  bool hears(const Tuning &other) const;
};

/// A chip behind its SPI bus.
class ChipModel {
 public:
  explicit ChipModel(ChipAir &air);
  virtual ~ChipModel() = default;

  virtual void power_on() = 0;
  virtual void transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) = 0;
  virtual void tick() = 0;
  virtual bool interrupt() const = 0;
  virtual bool busy() const { return false; }
  virtual bool listens() const = 0;
  virtual Tuning tuning() const = 0;
  virtual void hear(const Bytes &bytes, bool damaged) = 0;

  int misuse = 0;  // what the data sheet forbids

 protected:
  ChipAir &air_;
};

/// What goes wrong in the air.
struct AirFaults {
  double loss = 0, twice = 0, flips = 0;
};

/// UTC when the time of the air begins.
constexpr std::chrono::milliseconds kUtcAtStart{1767225600000};

class ChipAir {
 public:
  void join(ChipModel *chip) { chips_.push_back(chip); }
  /// Returns when the frame is out.
  Time begin(const ChipModel *from, const Tuning &tuning, const Bytes &bytes);
  bool is_active(const ChipModel *listener) const;
  void advance(Time time);

  Time now{0};
  AirFaults faults;
  int lost = 0, damaged = 0, collided = 0, repeated = 0;

 private:
  struct Frame {
    const ChipModel *from;
    Tuning tuning;
    Time begin, end;
    Bytes bytes;
    std::vector<ChipModel *> to;
    bool spoilt = false, is_repeat = false;
  };
  void add(const ChipModel *from, const Tuning &tuning, const Bytes &bytes, bool is_repeat);
  void deliver(const Frame &frame);
  bool happens(double part) { return std::bernoulli_distribution(part)(random_); }

  std::vector<ChipModel *> chips_;
  std::vector<Frame> frames_;
  std::mt19937 random_{1};
};

class Sx1276Model final : public ChipModel {
 public:
  explicit Sx1276Model(ChipAir &air) : ChipModel(air) { Sx1276Model::power_on(); }
  void power_on() override;
  void transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override;
  void tick() override;
  bool interrupt() const override;
  bool listens() const override { return registers_[1] == 0x85; }
  Tuning tuning() const override;
  void hear(const Bytes &bytes, bool damaged) override;

 private:
  void write(std::uint8_t address, std::uint8_t value);
  void set_mode(std::uint8_t mode);
  void raise(std::uint8_t flags);

  std::array<std::uint8_t, 128> registers_{};
  std::array<std::uint8_t, 256> fifo_{};
  Time done_{-1};
  std::uint8_t write_at_ = 0;
};

class Sx1262Model final : public ChipModel {
 public:
  explicit Sx1262Model(ChipAir &air) : ChipModel(air) { Sx1262Model::power_on(); }
  void power_on() override;
  void transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override;
  void tick() override;
  bool interrupt() const override { return (flags_ & mask_) != 0; }
  bool busy() const override { return air_.now < busy_until_; }
  bool listens() const override { return mode_ == 5; }
  Tuning tuning() const override;
  void hear(const Bytes &bytes, bool damaged) override;

  bool has_tcxo = true;     // it is on the board
  bool needs_tcxo = false;  // and there is no other oscillator

 private:
  void answer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in);
  void run(std::span<const std::uint8_t> command);
  void send();
  void raise(unsigned flags) { flags_ |= flags & enabled_; }

  std::map<unsigned, std::uint8_t> registers_;
  std::array<std::uint8_t, 256> buffer_{};
  std::map<std::uint8_t, Bytes> last_;  // command of each kind
  unsigned mode_ = 2, flags_ = 0, enabled_ = 0, mask_ = 0;
  std::uint8_t errors_ = 0, received_ = 0, write_at_ = 0;
  Time done_{-1}, busy_until_{0};
};

/// What is wrong between the driver and the chip.
struct BusFaults {
  bool answers_zeros = false, answers_ones = false, fails = false, busy_hangs = false;
  bool line_sticks_low = false, line_sticks_high = false;  // until the next reset
};

class ModelBus final : public Bus {
 public:
  ModelBus(ChipAir &air, ChipModel &chip, BusFaults &faults)
      : air_(air), chip_(chip), faults_(faults) {}
  std::string name() const override { return "the LoRa chip at the test"; }
  Status transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override;
  Status set_reset(bool active) override;
  Status read_busy(bool *is_busy) override;
  Status read_interrupt(bool *active) override;
  bool wait_interrupt(Time most, int wake) override;
  Status set_sending(bool sending) override;
  Time now() const override { return air_.now; }
  std::chrono::milliseconds utc() const override {
    return kUtcAtStart + std::chrono::duration_cast<std::chrono::milliseconds>(air_.now);
  }
  void sleep(Time time) override { air_.advance(time); }

  int switched = 0;

 private:
  bool line() const;

  ChipAir &air_;
  ChipModel &chip_;
  BusFaults &faults_;
};

}  // namespace npc::test
