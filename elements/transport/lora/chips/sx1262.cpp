// SPDX-License-Identifier: LGPL-2.1-or-later
// The SX1262 by its commands, as in Semtech's data sheet DS_SX1261-2, revision 2.1.
#include "transport/lora/chips/sx1262.h"

#include <algorithm>

namespace npc::lora {
namespace {

using namespace std::chrono_literals;

enum Opcode : std::uint8_t {
  kClearFlags = 0x02,
  kClearErrors = 0x07,
  kSetMasks = 0x08,
  kWriteRegister = 0x0d,
  kWriteBuffer = 0x0e,
  kGetFlags = 0x12,
  kGetReceived = 0x13,
  kGetSignal = 0x14,
  kGetErrors = 0x17,
  kReadRegister = 0x1d,
  kReadBuffer = 0x1e,
  kSetStandby = 0x80,
  kReceive = 0x82,
  kSend = 0x83,
  kSetFrequency = 0x86,
  kSetCad = 0x88,
  kCalibrate = 0x89,
  kSetPacketType = 0x8a,
  kSetModulation = 0x8b,
  kSetPacket = 0x8c,
  kSetPower = 0x8e,
  kSetBuffer = 0x8f,
  kSetAmplifier = 0x95,
  kSetRegulator = 0x96,
  kSetTcxo = 0x97,
  kCalibrateImage = 0x98,
  kSetSwitch = 0x9d,
  kGetStatus = 0xc0,
  kCad = 0xc5,
};

enum Flag : unsigned {
  kSent = 0x0001,
  kReceived = 0x0002,
  kHeaderDamaged = 0x0020,
  kDamaged = 0x0040,
  kCadDone = 0x0080,
  kActivity = 0x0100,
};

constexpr std::uint16_t kIqRegister = 0x0736, kSyncRegister = 0x0740, kModulationRegister = 0x0889,
                        kGainRegister = 0x08ac, kClampRegister = 0x08d8;
// All of them move the line.
constexpr unsigned kMasks = kSent | kReceived | kHeaderDamaged | kDamaged | kCadDone | kActivity;
constexpr unsigned kOscillatorFailed = 0x20, kModeReceive = 5;
// Commands take microseconds; to start the oscillator and to calibrate takes milliseconds.
constexpr Time kMostBusy = 100ms;

std::uint8_t high(unsigned value) {
  return static_cast<std::uint8_t>(value >> 8);
}

std::uint8_t low(unsigned value) {
  return static_cast<std::uint8_t>(value);
}

/// What the chip's private sync word is in this family.
std::uint16_t sync_of(std::uint8_t word) {
  return static_cast<std::uint16_t>((word & 0xf0) << 8 | 0x0400 | (word & 0x0f) << 4 | 0x04);
}

}  // namespace

Sx1262::Sx1262(std::unique_ptr<Bus> bus, const RadioSettings &settings, bool has_tcxo)
    : Chip(std::move(bus), settings,
           {kCadDone, kActivity, kSent, kReceived | kHeaderDamaged, /*line=*/kMasks, kModeReceive}),
      has_tcxo_(has_tcxo) {}

Status Sx1262::wait_ready() {
  const Time until = bus_->now() + kMostBusy;
  for (;;) {
    bool is_busy = false;
    if (Status status = bus_->read_busy(&is_busy); !status.is_ok())
      return status;
    if (!is_busy)
      return {};
    if (bus_->now() >= until)
      return Status::failed("BUSY of " + bus_->name() +
                            " stays high: see that the board is the one of board=, and its wires.");
    bus_->sleep(100us);
  }
}

Status Sx1262::exchange(const Command &out, Command *in) {
  in->assign(out.size(), 0);
  if (Status status = wait_ready(); !status.is_ok())
    return status;
  return bus_->transfer(out, *in);
}

Status Sx1262::command(const Command &out) {
  Command in;
  return exchange(out, &in);
}

Status Sx1262::commands(std::initializer_list<Command> all) {
  for (const Command &one : all) {
    if (Status status = command(one); !status.is_ok())
      return status;
  }
  return {};
}

Status Sx1262::ask(Command out, std::size_t count, Command *answer) {
  out.resize(out.size() + 1 + count);  // its status comes first
  Status status = exchange(out, answer);
  answer->erase(answer->begin(), answer->end() - static_cast<std::ptrdiff_t>(count));
  return status;
}

Status Sx1262::set_bits(std::uint16_t address, std::uint8_t clear, std::uint8_t set) {
  Command value;
  if (Status status = ask({kReadRegister, high(address), low(address)}, 1, &value); !status.is_ok())
    return status;
  return command({kWriteRegister, high(address), low(address),
                  static_cast<std::uint8_t>((value[0] & ~clear) | set)});
}

Status Sx1262::read_flags(unsigned *flags) {
  Command answer;
  Status status = ask({kGetFlags}, 2, &answer);
  *flags = static_cast<unsigned>(answer[0]) << 8 | answer[1];
  return status;
}

Status Sx1262::read_mode(unsigned *mode) {
  Command in;
  Status status = exchange({kGetStatus, 0}, &in);
  *mode = in[1] >> 4 & 7u;
  return status;
}

// It has no number of its own, but a sync word that it wakes up with.
Status Sx1262::identify() {
  if (Status status = command({kSetStandby, 0}); !status.is_ok())
    return status;
  Command word;
  if (Status status = ask({kReadRegister, high(kSyncRegister), low(kSyncRegister)}, 2, &word);
      !status.is_ok())
    return status;
  if (word == Command{0x14, 0x24})
    return {};
  if (word == Command{0x00, 0x00} || word == Command{0xff, 0xff})
    return no_answer();
  return Status::failed("What answers at " + bus_->name() +
                        " is no SX1262, or its wires are disturbed.");
}

Status Sx1262::start_oscillator() {
  for (;;) {
    if (Status status = reset(); !status.is_ok())
      return status;
    if (Status status = identify(); !status.is_ok())
      return status;
    // What went wrong before the oscillator was fed is no fault.
    if (Status status = command({kClearErrors, 0, 0}); !status.is_ok())
      return status;
    if (has_tcxo_) {
      if (Status status = command({kSetTcxo, 0x02, 0x00, 0x01, 0x40}); !status.is_ok())
        return status;
    }
    if (Status status = command({kCalibrate, 0x7f}); !status.is_ok())
      return status;
    bus_->sleep(5ms);
    Command errors;
    if (Status status = ask({kGetErrors}, 2, &errors); !status.is_ok())
      return status;
    if ((errors[1] & kOscillatorFailed) == 0)
      return {};
    if (!has_tcxo_)
      return Status::failed("The oscillator of " + bus_->name() + " does not start.");
    has_tcxo_ = false;
  }
}

Sx1262::Command Sx1262::packet_of(std::size_t bytes) const {
  const auto preamble = static_cast<unsigned>(settings_.modulation.preamble);
  return {kSetPacket, high(preamble), low(preamble), 0, static_cast<std::uint8_t>(bytes), 1, 0};
}

Status Sx1262::set_up() {
  const Modulation &modulation = settings_.modulation;
  const auto frequency = static_cast<std::uint32_t>(
      ((std::uint64_t{settings_.frequency} << 25) + 16000000) / 32000000);
  const unsigned bandwidth = modulation.bandwidth == 125000   ? 4
                             : modulation.bandwidth == 250000 ? 5
                                                              : 6;
  const bool is_europe = settings_.frequency < 900000000;
  const std::uint16_t sync = sync_of(settings_.sync_word);
  Status status = commands({
      {kSetRegulator, 1},
      {kSetSwitch, 1},
      {kSetPacketType, 1},
      {kCalibrateImage, static_cast<std::uint8_t>(is_europe ? 0xd7 : 0xe1),
       static_cast<std::uint8_t>(is_europe ? 0xdb : 0xe9)},
      {kSetFrequency, high(frequency >> 16), low(frequency >> 16), high(frequency), low(frequency)},
      {kSetAmplifier, 0x04, 0x07, 0x00, 0x01},
      {kSetPower, static_cast<std::uint8_t>(std::clamp(settings_.power, -9, 22)), 0x04},
      {kSetBuffer, 0, 0},
      {kSetModulation, static_cast<std::uint8_t>(modulation.spreading_factor), low(bandwidth),
       static_cast<std::uint8_t>(modulation.coding_rate),
       static_cast<std::uint8_t>(is_low_data_rate(modulation) ? 1 : 0)},
      packet_of(0xff),
      {kWriteRegister, high(kSyncRegister), low(kSyncRegister), high(sync), low(sync)},
      {kSetMasks, high(kMasks), low(kMasks), high(kMasks), low(kMasks), 0, 0, 0, 0},
  });
  if (status.is_ok())
    status = set_bits(kClampRegister, 0, 0x1e);  // data sheet, 15.2
  if (status.is_ok())                            // 15.1
    status = bandwidth == 6 ? set_bits(kModulationRegister, 0x04, 0)
                            : set_bits(kModulationRegister, 0, 0x04);
  return status.is_ok() ? set_bits(kIqRegister, 0, 0x04) : status;  // 15.4
}

Status Sx1262::start() {
  if (Status status = start_oscillator(); !status.is_ok())
    return status;
  return set_up();
}

Status Sx1262::clear_flags() {
  return command({kClearFlags, 0xff, 0xff});
}

Status Sx1262::begin_sense() {
  const auto peak = static_cast<std::uint8_t>(settings_.modulation.spreading_factor + 13);
  return commands({{kSetStandby, 0},
                   {kClearFlags, 0xff, 0xff},
                   {kSetCad, 0x02, peak, 0x0a, 0, 0, 0, 0},
                   {kCad}});
}

Status Sx1262::load(std::span<const std::uint8_t> frame) {
  Command buffer = {kWriteBuffer, 0};
  buffer.insert(buffer.end(), frame.begin(), frame.end());
  return commands(
      {{kSetStandby, 0}, {kClearFlags, 0xff, 0xff}, packet_of(frame.size()), std::move(buffer)});
}

Status Sx1262::begin_send() {
  return command({kSend, 0, 0, 0});
}

Status Sx1262::begin_receive() {
  return commands({{kSetStandby, 0},
                   {kClearFlags, 0xff, 0xff},
                   packet_of(0xff),
                   {kWriteRegister, high(kGainRegister), low(kGainRegister), 0x96},
                   {kReceive, 0xff, 0xff, 0xff}});
}

Status Sx1262::take_frame(unsigned flags, std::optional<Heard> *heard) {
  Command where, signal, bytes;
  if (Status status = ask({kGetReceived}, 2, &where); !status.is_ok())
    return status;
  if (Status status = ask({kGetSignal}, 3, &signal); !status.is_ok())
    return status;
  if (Status status = command({kClearFlags, high(flags), low(flags)}); !status.is_ok())
    return status;
  if ((flags & (kDamaged | kHeaderDamaged)) != 0 || (flags & kReceived) == 0 || where[0] == 0)
    return {};
  if (Status status = ask({kReadBuffer, where[1]}, where[0], &bytes); !status.is_ok())
    return status;
  *heard = Heard{std::move(bytes), -int{signal[0]} / 2};
  return {};
}

}  // namespace npc::lora
