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
// An edge on DIO0 is a hint: one that was missed costs no more than this.
constexpr Time kLook = 50ms;

std::string hexadecimal(std::uint8_t value) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%02x", value);
  return text.data();
}

}  // namespace

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
    return Status::failed("There is no answer from " + bus_->name() +
                          ": see that SPI is on (dtparam=spi=on), that the board is the one of "
                          "board=, and that nothing else uses its pins.");
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
  is_listening_ = false;
  if (Status status = bus_->set_reset(true); !status.is_ok())
    return status;
  bus_->sleep(1ms);
  if (Status status = bus_->set_reset(false); !status.is_ok())
    return status;
  bus_->sleep(6ms);
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

Status Sx1276::restart() {
  ++restarts_;
  return start();
}

Status Sx1276::begin(unsigned mask, unsigned mapping) {
  is_listening_ = false;
  return write_all({{kMode, kStandby}, {kFlags, 0xff}, {kMask, mask}, {kMapping, mapping}});
}

// The register decides, not the line: an edge of what was done before may come late.
Status Sx1276::wait_flag(std::uint8_t flag, Time most, bool *is_set, int wake, bool *woken) {
  const Time until = bus_->now() + most;
  for (;;) {
    std::uint8_t flags = 0;
    if (Status status = read(kFlags, &flags); !status.is_ok())
      return status;
    *is_set = (flags & flag) != 0;
    const Time left = until - bus_->now();
    if (*is_set || left <= Time(0) || (woken && *woken))
      return {};
    const bool is_woken = !bus_->wait_interrupt(std::min(left, kLook), wake);
    if (woken)
      *woken = is_woken;
  }
}

Status Sx1276::sense(bool *is_busy) {
  *is_busy = false;
  if (Status status = begin(0xfa, 0x80); !status.is_ok())
    return status;
  if (Status status = write(kMode, kCad); !status.is_ok())
    return status;
  bool is_done = false;
  // It takes two symbols and a little.
  const Time symbol((std::int64_t{1000000} << settings_.modulation.spreading_factor) /
                    settings_.modulation.bandwidth);
  if (Status status = wait_flag(kCadDone, 4 * symbol + 20ms, &is_done); !status.is_ok())
    return status;
  if (!is_done)
    return restart();
  std::uint8_t flags = 0;
  if (Status status = read(kFlags, &flags); !status.is_ok())
    return status;
  *is_busy = (flags & kActivity) != 0;
  return write(kFlags, 0xff);
}

Status Sx1276::send(std::span<const std::uint8_t> frame, Time *airtime) {
  *airtime = time_on_air(settings_.modulation, frame.size());
  if (Status status = begin(0xf7, 0x40); !status.is_ok())
    return status;
  const auto size = static_cast<unsigned>(frame.size());
  if (Status status = write_all({{kPayloadBytes, size}, {kSendBase, 0}, {kFifoAt, 0}});
      !status.is_ok())
    return status;
  std::vector<std::uint8_t> out = {kFifo | kWrite};
  out.insert(out.end(), frame.begin(), frame.end());
  std::vector<std::uint8_t> in(out.size());
  if (Status status = bus_->transfer(out, in); !status.is_ok())
    return status;
  if (Status status = bus_->set_sending(true); !status.is_ok())
    return status;
  Status status = write(kMode, kSend);
  bool is_sent = false;
  if (status.is_ok())
    status = wait_flag(kSent, *airtime + *airtime / 2 + 50ms, &is_sent);
  if (Status back = bus_->set_sending(false); status.is_ok())
    status = back;
  if (!status.is_ok())
    return status;
  if (is_sent)
    return write(kFlags, 0xff);
  if (status = restart(); !status.is_ok())
    return status;
  return Status::failed("A frame was not sent by " + bus_->name() + ", which was set up anew.");
}

Status Sx1276::listen() {
  if (Status status = begin(0x1f, 0x00); !status.is_ok())
    return status;
  Status status = write_all({{kReceiveBase, 0}, {kFifoAt, 0}, {kMode, kReceive}});
  is_listening_ = status.is_ok();
  return status;
}

Status Sx1276::take_frame(std::optional<Heard> *heard) {
  std::uint8_t flags = 0, channel = 0, size = 0, at = 0, rssi = 0, snr = 0;
  for (const auto &[address, value] : {std::pair<std::uint8_t, std::uint8_t *>{kFlags, &flags},
                                       {kHopChannel, &channel},
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

// Whether the chip still listens, and its line says the same as its register. On some boards DIO0
// sticks after thousands of frames, and a chip whose supply dips forgets that it was to listen.
Status Sx1276::check_line(bool *is_right) {
  *is_right = false;
  // Twice, since a frame may come in between.
  for (int tries = 0; tries < 2 && !*is_right; ++tries) {
    std::uint8_t mode = 0, flags = 0;
    bool is_active = false;
    if (Status status = bus_->read_interrupt(&is_active); !status.is_ok())
      return status;
    if (Status status = read(kFlags, &flags); !status.is_ok())
      return status;
    if (Status status = read(kMode, &mode); !status.is_ok())
      return status;
    *is_right = mode == kReceive && is_active == ((flags & kReceived) != 0);
  }
  return {};
}

Status Sx1276::receive(Time most, int wake, std::optional<Heard> *heard) {
  heard->reset();
  const Time until = bus_->now() + most;
  for (bool woken = false;;) {
    if (!is_listening_) {
      if (Status status = listen(); !status.is_ok())
        return status;
    }
    bool is_received = false, is_right = false;
    const Time look = std::clamp(until - bus_->now(), Time(0), kLook);
    if (Status status = wait_flag(kReceived, look, &is_received, wake, &woken); !status.is_ok())
      return status;
    if (Status status = check_line(&is_right); !status.is_ok())
      return status;
    if (is_received) {
      if (Status status = take_frame(heard); !status.is_ok())
        return status;
    }
    if (!is_right) {
      if (Status status = restart(); !status.is_ok())
        return status;
    }
    if (*heard || woken || bus_->now() >= until)
      return {};
  }
}

}  // namespace npc::lora
