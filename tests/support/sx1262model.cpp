// SPDX-License-Identifier: LGPL-2.1-or-later
// The SX1262's commands, as far as LoRa goes.
#include "support/lorachips.h"

namespace npc::test {

using namespace std::chrono_literals;

void Sx1262Model::power_on() {
  registers_ = {{0x0740, 0x14}, {0x0741, 0x24}, {0x0889, 0x01}, {0x08d8, 0xc8}, {0x0736, 0x0d}};
  buffer_.fill(0);
  last_.clear();
  mode_ = 2;
  flags_ = enabled_ = mask_ = 0;
  errors_ = received_ = 0;
  done_ = Time(-1);
  busy_until_ = air_.now + 3500us;
}

Tuning Sx1262Model::tuning() const {
  Tuning tuning;
  const auto frequency = last_.find(0x86), modulation = last_.find(0x8b), packet = last_.find(0x8c);
  if (frequency == last_.end() || modulation == last_.end() || packet == last_.end())
    return tuning;
  std::uint64_t number = 0;
  for (std::size_t i = 1; i <= 4; ++i)
    number = number << 8 | frequency->second[i];
  tuning.frequency = static_cast<std::uint32_t>((number * 32000000) >> 25);
  const Bytes &values = modulation->second;
  tuning.modulation.spreading_factor = values[1];
  tuning.modulation.bandwidth = values[2] == 4 ? 125000 : values[2] == 5 ? 250000 : 500000;
  tuning.modulation.coding_rate = values[3];
  tuning.modulation.preamble = packet->second[1] << 8 | packet->second[2];
  tuning.sync_word =
      static_cast<std::uint8_t>((registers_.at(0x0740) & 0xf0) | registers_.at(0x0741) >> 4);
  return tuning;
}

void Sx1262Model::send() {
  const Tuning tuned = tuning();
  const Bytes &packet = last_[0x8c];
  misuse += packet.size() != 7 || packet[5] != 1 || packet[6] != 0;  // checksum, IQ
  misuse += last_[0x8b][4] != static_cast<std::uint8_t>(is_low_data_rate(tuned.modulation));
  misuse += ((registers_[0x0889] & 4) != 0) != (tuned.modulation.bandwidth != 500000);
  misuse += (registers_[0x08d8] & 0x1e) != 0x1e || (registers_[0x0736] & 4) == 0;
  misuse += last_[0x8a] != Bytes{0x8a, 1} || last_[0x95] != Bytes{0x95, 4, 7, 0, 1};
  done_ = air_.begin(this, tuned, Bytes(buffer_.begin(), buffer_.begin() + packet[4]));
  mode_ = 6;
}

void Sx1262Model::run(std::span<const std::uint8_t> command) {
  busy_until_ = air_.now + (command[0] == 0x89 ? 3500us : 20us);
  switch (command[0]) {
    case 0x02:
      flags_ &= ~(unsigned{command[1]} << 8 | command[2]);
      break;
    case 0x07:
      errors_ = 0;
      break;
    case 0x08:
      enabled_ = unsigned{command[1]} << 8 | command[2];
      mask_ = unsigned{command[3]} << 8 | command[4];
      break;
    case 0x0d:
      for (std::size_t i = 3; i < command.size(); ++i)
        registers_[(unsigned{command[1]} << 8 | command[2]) + i - 3] = command[i];
      break;
    case 0x0e:
      for (std::size_t i = 2; i < command.size(); ++i)
        buffer_[(command[1] + i - 2) & 255] = command[i];
      break;
    case 0x80:
      mode_ = 2;
      done_ = Time(-1);
      break;
    case 0x82:
      misuse += tuning().frequency == 0;
      mode_ = 5;
      write_at_ = 0;
      break;
    case 0x83:
      send();
      break;
    case 0x89:  // an oscillator that is not there, or is not fed, does not start
      if (last_.contains(0x97) ? !has_tcxo : needs_tcxo)
        errors_ |= 0x20;
      break;
    case 0xc5:
      mode_ = 7;
      done_ = air_.now + Time((std::int64_t{4000000} << tuning().modulation.spreading_factor) /
                              tuning().modulation.bandwidth);
      break;
    default:
      break;
  }
  last_[command[0]] = Bytes(command.begin(), command.end());
}

void Sx1262Model::answer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) {
  switch (out[0]) {
    case 0x12:
      in[2] = static_cast<std::uint8_t>(flags_ >> 8);
      in[3] = static_cast<std::uint8_t>(flags_);
      break;
    case 0x13:
      in[2] = received_;
      in[3] = static_cast<std::uint8_t>(write_at_ - received_);
      break;
    case 0x14:
      in[2] = 162;  // -81 dBm
      in[3] = 36;
      in[4] = 162;
      break;
    case 0x17:
      in[3] = errors_;
      break;
    case 0x1d:
      for (std::size_t i = 4; i < in.size(); ++i)
        in[i] = registers_[(unsigned{out[1]} << 8 | out[2]) + i - 4];
      break;
    case 0x1e:
      for (std::size_t i = 3; i < in.size(); ++i)
        in[i] = buffer_[(out[1] + i - 3) & 255];
      break;
    default:
      break;
  }
}

void Sx1262Model::transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) {
  if (busy()) {
    ++misuse;
    return;
  }
  if (in.size() > 1)
    in[1] = static_cast<std::uint8_t>(mode_ << 4);
  const bool is_question = (out[0] >= 0x12 && out[0] <= 0x17) || out[0] == 0x1d || out[0] == 0x1e;
  if (is_question)
    answer(out, in);
  else if (out[0] != 0xc0)
    run(out);
}

void Sx1262Model::tick() {
  if (done_ < Time(0) || air_.now < done_)
    return;
  done_ = Time(-1);
  raise(mode_ == 6 ? 0x0001 : 0x0080 | (air_.is_active(this) ? 0x0100u : 0u));
  mode_ = 2;
}

void Sx1262Model::hear(const Bytes &bytes, bool damaged) {
  for (const std::uint8_t byte : bytes)
    buffer_[write_at_++] = byte;
  received_ = static_cast<std::uint8_t>(bytes.size());
  raise(0x0002 | (damaged ? 0x0040u : 0u));
}

}  // namespace npc::test
