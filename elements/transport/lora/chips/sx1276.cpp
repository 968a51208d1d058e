// SPDX-License-Identifier: LGPL-2.1-or-later
// The SX1276 by its registers, as in Semtech's data sheet, revision 7, and its errata.
#include "transport/lora/chips/sx1276.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace npc::lora {
namespace {

using namespace std::chrono_literals;

enum Register : std::uint8_t {
  kFifo = 0x00,
  kMode = 0x01,
  kFrequency = 0x06,
  kPower = 0x09,
  kCurrentLimit = 0x0b,
  kAmplifier = 0x0c,
  kFifoAt = 0x0d,
  kSendBase = 0x0e,
  kReceiveBase = 0x0f,
  kReceivedAt = 0x10,
  kMask = 0x11,
  kFlags = 0x12,
  kReceivedBytes = 0x13,
  kSnr = 0x19,
  kRssi = 0x1a,
  kHopChannel = 0x1c,
  kModem1 = 0x1d,
  kModem2 = 0x1e,
  kPreamble = 0x20,
  kPayloadBytes = 0x22,
  kHopPeriod = 0x24,
  kModem3 = 0x26,
  kOptimize1 = 0x2f,
  kOptimize2 = 0x30,
  kDetection = 0x31,
  kInvert1 = 0x33,
  kHighBandwidth1 = 0x36,
  kDetectionThreshold = 0x37,
  kSyncWord = 0x39,
  kHighBandwidth2 = 0x3a,
  kInvert2 = 0x3b,
  kMapping = 0x40,
  kVersion = 0x42,
  kHighPower = 0x4d,
};

enum Mode : unsigned { kSleep = 0x80, kStandby = 0x81, kSend = 0x83, kReceive = 0x85, kCad = 0x87 };

enum Flag : std::uint8_t {
  kActivity = 0x01,
  kCadDone = 0x04,
  kSent = 0x08,
  kDamaged = 0x20,
  kReceived = 0x40,
};

constexpr std::uint8_t kWrite = 0x80, kIsSx1276 = 0x12, kHasChecksum = 0x40;

std::string hexadecimal(std::uint8_t value) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%02x", value);
  return text.data();
}

}  // namespace

Sx1276::Sx1276(std::unique_ptr<Bus> bus, const RadioSettings &settings)
    : Chip(std::move(bus), settings,
           {kCadDone, kActivity, kSent, kReceived, /*line=*/kReceived, kReceive}) {}

Status Sx1276::read(std::uint8_t address, std::uint8_t *value) {
  const std::array<std::uint8_t, 2> out = {address, 0};
  std::array<std::uint8_t, 2> in{};
  Status status = bus_->transfer(out, in);
  *value = in[1];
  return status;
}

Status Sx1276::write(std::uint8_t address, unsigned value) {
  const std::array<std::uint8_t, 2> out = {static_cast<std::uint8_t>(address | kWrite),
                                           static_cast<std::uint8_t>(value)};
  std::array<std::uint8_t, 2> in{};
  return bus_->transfer(out, in);
}

Status Sx1276::write_all(std::initializer_list<Value> values) {
  for (const auto &[address, value] : values) {
    if (Status status = write(address, value); !status.is_ok())
      return status;
  }
  return {};
}

Status Sx1276::identify() {
  std::uint8_t version = 0;
  if (Status status = read(kVersion, &version); !status.is_ok())
    return status;
  if (version == kIsSx1276)
    return {};
  if (version == 0x00 || version == 0xff)
    return no_answer();
  return Status::failed("What answers at " + bus_->name() +
                        " is no SX1276 or RFM95: its version is " + hexadecimal(version) +
                        ", not 12.");
}

Status Sx1276::set_up() {
  const Modulation &modulation = settings_.modulation;
  const auto frequency = static_cast<std::uint32_t>(
      ((std::uint64_t{settings_.frequency} << 19) + 16000000) / 32000000);
  const unsigned bandwidth = modulation.bandwidth == 125000   ? 7
                             : modulation.bandwidth == 250000 ? 8
                                                              : 9;
  const bool is_wide = bandwidth == 9;
  const unsigned low_rate = is_low_data_rate(modulation) ? 8 : 0;
  const auto power = static_cast<unsigned>(std::clamp(settings_.power, 2, 17));
  Status status = write_all({
      {kFrequency, frequency >> 16},
      {kFrequency + 1, frequency >> 8},
      {kFrequency + 2, frequency},
      {kPower, 0x80 | (power - 2)},  // the boosted output: the other one is not connected
      {kHighPower, 0x84},
      {kCurrentLimit, 0x2b},
      {kAmplifier, 0x23},
      {kSendBase, 0},
      {kReceiveBase, 0},
      {kModem1, bandwidth << 4 | static_cast<unsigned>(modulation.coding_rate) << 1},
      {kModem2, static_cast<unsigned>(modulation.spreading_factor) << 4 | 4},
      {kModem3, low_rate | 4},
      {kPreamble, static_cast<unsigned>(modulation.preamble) >> 8},
      {kPreamble + 1, static_cast<unsigned>(modulation.preamble)},
      {kHopPeriod, 0},
      {kSyncWord, settings_.sync_word},
      {kInvert1, 0x27},
      {kInvert2, 0x1d},
      {kDetectionThreshold, 0x0a},
      // Errata 2.1 and 2.3.
      {kDetection, is_wide ? 0xc3u : 0x43u},
      {kHighBandwidth1, is_wide ? 0x02u : 0x03u},
      {is_wide ? kHighBandwidth2 : kOptimize1, is_wide ? 0x64u : 0x40u},
  });
  if (status.is_ok() && !is_wide)
    status = write(kOptimize2, 0);
  std::uint8_t kept = 0;
  if (status.is_ok())
    status = read(kFrequency + 2, &kept);
  if (!status.is_ok())
    return status;
  if (kept != static_cast<std::uint8_t>(frequency))
    return Status::failed("What is written to " + bus_->name() +
                          " does not stay: see its wires and its power supply.");
  return write(kMode, kStandby);
}

Status Sx1276::start() {
  if (Status status = reset(); !status.is_ok())
    return status;
  if (Status status = identify(); !status.is_ok())
    return status;
  // LoRa can be chosen while it sleeps only.
  if (Status status = write_all({{kMode, 0x00}, {kMode, kSleep}}); !status.is_ok())
    return status;
  bus_->sleep(10ms);
  std::uint8_t mode = 0;
  if (Status status = read(kMode, &mode); !status.is_ok())
    return status;
  if (mode != kSleep)
    return Status::failed("LoRa cannot be chosen at " + bus_->name() + ": see its wires.");
  return set_up();
}

Status Sx1276::begin(unsigned mask, unsigned mapping) {
  return write_all({{kMode, kStandby}, {kFlags, 0xff}, {kMask, mask}, {kMapping, mapping}});
}

Status Sx1276::read_flags(unsigned *flags) {
  std::uint8_t value = 0;
  Status status = read(kFlags, &value);
  *flags = value;
  return status;
}

Status Sx1276::clear_flags() {
  return write(kFlags, 0xff);
}

Status Sx1276::read_mode(unsigned *mode) {
  std::uint8_t value = 0;
  Status status = read(kMode, &value);
  *mode = value;
  return status;
}

Status Sx1276::begin_sense() {
  if (Status status = begin(0xfa, 0x80); !status.is_ok())
    return status;
  return write(kMode, kCad);
}

Status Sx1276::load(std::span<const std::uint8_t> frame) {
  if (Status status = begin(0xf7, 0x40); !status.is_ok())
    return status;
  const auto size = static_cast<unsigned>(frame.size());
  if (Status status = write_all({{kPayloadBytes, size}, {kSendBase, 0}, {kFifoAt, 0}});
      !status.is_ok())
    return status;
  std::vector<std::uint8_t> out = {kFifo | kWrite};
  out.insert(out.end(), frame.begin(), frame.end());
  std::vector<std::uint8_t> in(out.size());
  return bus_->transfer(out, in);
}

Status Sx1276::begin_send() {
  return write(kMode, kSend);
}

Status Sx1276::begin_receive() {
  if (Status status = begin(0x1f, 0x00); !status.is_ok())
    return status;
  return write_all({{kReceiveBase, 0}, {kFifoAt, 0}, {kMode, kReceive}});
}

Status Sx1276::take_frame(unsigned flags, std::optional<Heard> *heard) {
  std::uint8_t channel = 0, size = 0, at = 0, rssi = 0, snr = 0;
  for (const auto &[address, value] :
       {std::pair<std::uint8_t, std::uint8_t *>{kHopChannel, &channel},
        {kReceivedBytes, &size},
        {kReceivedAt, &at},
        {kSnr, &snr},
        {kRssi, &rssi}}) {
    if (Status status = read(address, value); !status.is_ok())
      return status;
  }
  if (Status status = write(kFlags, flags); !status.is_ok())
    return status;
  if ((flags & kDamaged) != 0 || (channel & kHasChecksum) == 0 || size == 0)
    return {};
  if (Status status = write(kFifoAt, at); !status.is_ok())
    return status;
  std::vector<std::uint8_t> out(size + 1u), in(size + 1u);
  if (Status status = bus_->transfer(out, in); !status.is_ok())
    return status;
  Heard &frame = heard->emplace();
  frame.bytes.assign(in.begin() + 1, in.end());
  const int below = std::min(int{static_cast<std::int8_t>(snr)}, 0) / 4;
  frame.rssi = -157 + rssi + rssi / 16 + below;
  return {};
}

}  // namespace npc::lora
