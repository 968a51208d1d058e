// SPDX-License-Identifier: LGPL-2.1-or-later
// The SX1276's registers, as far as LoRa goes.
#include "support/lorachips.h"

#include <algorithm>

namespace npc::test {
namespace {

constexpr std::uint8_t kReadOnly[] = {0x10, 0x13, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x42};

}  // namespace

void Sx1276Model::power_on() {
  registers_.fill(0);
  for (const auto &[address, value] :
       std::initializer_list<std::pair<std::uint8_t, std::uint8_t>>{{0x01, 0x09},
                                                                    {0x06, 0x6c},
                                                                    {0x07, 0x80},
                                                                    {0x09, 0x4f},
                                                                    {0x0b, 0x2b},
                                                                    {0x0c, 0x20},
                                                                    {0x1d, 0x72},
                                                                    {0x1e, 0x70},
                                                                    {0x21, 8},
                                                                    {0x26, 4},
                                                                    {0x31, 0xc3},
                                                                    {0x33, 0x27},
                                                                    {0x37, 0x0a},
                                                                    {0x39, 0x12},
                                                                    {0x3b, 0x1d},
                                                                    {0x42, 0x12},
                                                                    {0x4d, 0x84}})
    registers_[address] = value;
  fifo_.fill(0);
  done_ = Time(-1);
}

bool Sx1276Model::interrupt() const {
  const int mapping = registers_[0x40] >> 6;
  const int flag = mapping == 0 ? 0x40 : mapping == 1 ? 0x08 : mapping == 2 ? 0x04 : 0;
  return (registers_[0x12] & flag) != 0;
}

Tuning Sx1276Model::tuning() const {
  const std::uint64_t number = static_cast<std::uint64_t>(registers_[6]) << 16 |
                               static_cast<std::uint64_t>(registers_[7]) << 8 | registers_[8];
  Tuning tuning;
  tuning.frequency = static_cast<std::uint32_t>((number * 32000000) >> 19);
  tuning.modulation.spreading_factor = registers_[0x1e] >> 4;
  const int bandwidth = registers_[0x1d] >> 4;
  tuning.modulation.bandwidth = bandwidth == 7 ? 125000 : bandwidth == 8 ? 250000 : 500000;
  tuning.modulation.coding_rate = registers_[0x1d] >> 1 & 7;
  tuning.modulation.preamble = registers_[0x20] << 8 | registers_[0x21];
  tuning.sync_word = registers_[0x39];
  return tuning;
}

void Sx1276Model::raise(std::uint8_t flags) {
  registers_[0x12] |= static_cast<std::uint8_t>(flags & ~registers_[0x11]);
}

void Sx1276Model::set_mode(std::uint8_t mode) {
  // LoRa can be chosen while it sleeps only.
  if (((mode ^ registers_[1]) & 0x80) != 0 && (registers_[1] & 7) != 0) {
    mode = static_cast<std::uint8_t>((mode & 0x7f) | (registers_[1] & 0x80));
    ++misuse;
  }
  registers_[1] = mode;
  done_ = Time(-1);
  if ((mode & 0x80) == 0)
    return;
  const Tuning tuned = tuning();
  // The checksum, and the correction that long symbols must have.
  const bool is_low_rate = (registers_[0x26] & 8) != 0;
  misuse += (registers_[0x1e] & 4) == 0 && mode == 0x83;
  misuse += is_low_rate != is_low_data_rate(tuned.modulation) && mode == 0x83;
  if (mode == 0x83) {
    Bytes bytes(registers_[0x22]);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = fifo_[(registers_[0x0e] + i) & 255];
    done_ = air_.begin(this, tuned, bytes);
  } else if (mode == 0x87) {
    done_ = air_.now + Time(((std::int64_t{2} << tuned.modulation.spreading_factor) + 32) *
                            1000000 / tuned.modulation.bandwidth);
  } else if (mode == 0x85) {
    write_at_ = registers_[0x0f];
  }
}

void Sx1276Model::tick() {
  if (done_ < Time(0) || air_.now < done_)
    return;
  done_ = Time(-1);
  const bool is_cad = registers_[1] == 0x87;
  raise(is_cad ? static_cast<std::uint8_t>(0x04 | (air_.is_active(this) ? 1 : 0)) : 0x08);
  registers_[1] = 0x81;
}

void Sx1276Model::hear(const Bytes &bytes, bool damaged) {
  registers_[0x10] = write_at_;
  for (const std::uint8_t byte : bytes)
    fifo_[write_at_++] = byte;
  registers_[0x13] = static_cast<std::uint8_t>(bytes.size());
  registers_[0x19] = 36;  // 9 dB
  registers_[0x1a] = 72;  // -157 + 72 + 4 = -81 dBm
  registers_[0x1c] = 0x40;
  raise(static_cast<std::uint8_t>(0x50 | (damaged ? 0x20 : 0)));
}

void Sx1276Model::write(std::uint8_t address, std::uint8_t value) {
  if (address == 0x01)
    set_mode(value);
  else if (address == 0x12)
    registers_[0x12] &= static_cast<std::uint8_t>(~value);
  else if (std::find(std::begin(kReadOnly), std::end(kReadOnly), address) == std::end(kReadOnly))
    registers_[address] = value;
}

void Sx1276Model::transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) {
  const bool is_write = (out[0] & 0x80) != 0;
  std::uint8_t address = out[0] & 0x7f;
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (address != 0) {
      if (is_write)
        write(address, out[i]);
      else
        in[i] = registers_[address];
      address = (address + 1) & 0x7f;
    } else if ((registers_[1] & 7) == 0) {
      ++misuse;  // the FIFO sleeps, too
    } else if (is_write) {
      fifo_[registers_[0x0d]++] = out[i];
    } else {
      in[i] = fifo_[registers_[0x0d]++];
    }
  }
}

}  // namespace npc::test
