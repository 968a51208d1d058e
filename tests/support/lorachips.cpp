// SPDX-License-Identifier: LGPL-2.1-or-later
// The air between chips, and the bus to one.
#include "support/lorachips.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>

namespace npc::test {

using namespace std::chrono_literals;

bool Tuning::disturbs(const Tuning &other) const {
  // A receiver is fine with a quarter of its bandwidth; these are tuned to a few Hz.
  return std::abs(std::int64_t{frequency} - std::int64_t{other.frequency}) < 200 &&
         modulation.spreading_factor == other.modulation.spreading_factor;
}

bool Tuning::hears(const Tuning &other) const {
  return disturbs(other) && modulation.bandwidth == other.modulation.bandwidth &&
         sync_word == other.sync_word;
}

ChipModel::ChipModel(ChipAir &air) : air_(air) {
  air.join(this);
}

void ChipAir::add(const ChipModel *from, const Tuning &tuning, const Bytes &bytes, bool is_repeat) {
  Frame frame = {from, tuning, now, now + time_on_air(tuning.modulation, bytes.size()), bytes, {}};
  frame.is_repeat = is_repeat;
  for (Frame &other : frames_) {
    if (tuning.disturbs(other.tuning)) {
      other.spoilt = frame.spoilt = true;
      ++collided;
    }
  }
  // Who is not listening when it begins has missed the preamble.
  for (ChipModel *chip : chips_) {
    if (chip != from && chip->listens() && chip->tuning().hears(tuning))
      frame.to.push_back(chip);
  }
  frames_.push_back(std::move(frame));
}

Time ChipAir::begin(const ChipModel *from, const Tuning &tuning, const Bytes &bytes) {
  add(from, tuning, bytes, false);
  return frames_.back().end;
}

bool ChipAir::is_active(const ChipModel *listener) const {
  return std::any_of(frames_.begin(), frames_.end(), [&](const Frame &frame) {
    return frame.from != listener && listener->tuning().hears(frame.tuning);
  });
}

void ChipAir::deliver(const Frame &frame) {
  for (ChipModel *chip : frame.to) {
    if (!chip->listens() || frame.spoilt)
      continue;
    if (happens(faults.loss)) {
      ++lost;
      continue;
    }
    Bytes bytes = frame.bytes;
    const bool is_damaged = happens(faults.flips);
    if (is_damaged)
      bytes[random_() % bytes.size()] ^= static_cast<std::uint8_t>(1u << random_() % 8);
    damaged += is_damaged;
    chip->hear(bytes, is_damaged);
  }
  if (!frame.is_repeat && happens(faults.twice)) {
    ++repeated;
    add(frame.from, frame.tuning, frame.bytes, true);
  }
}

void ChipAir::advance(Time time) {
  now += time;
  for (std::size_t i = 0; i < frames_.size();) {
    if (frames_[i].end > now) {
      ++i;
      continue;
    }
    const Frame frame = std::move(frames_[i]);
    frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(i));
    deliver(frame);
  }
  for (ChipModel *chip : chips_)
    chip->tick();
}

Status ModelBus::transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) {
  air_.advance(Time(static_cast<std::int64_t>(out.size()) * 4));  // 2 MHz
  if (faults_.fails)
    return Status::failed("The SPI device \"the test\" failed: Input/output error.");
  std::fill(in.begin(), in.end(), std::uint8_t{0});
  if (faults_.answers_zeros || faults_.answers_ones)
    std::fill(in.begin(), in.end(), static_cast<std::uint8_t>(faults_.answers_ones ? 0xff : 0));
  else
    chip_.transfer(out, in);
  return {};
}

Status ModelBus::set_reset(bool active) {
  if (active) {
    faults_.line_sticks_low = faults_.line_sticks_high = false;
    chip_.power_on();
  }
  return {};
}

Status ModelBus::read_busy(bool *is_busy) {
  *is_busy = faults_.busy_hangs || chip_.busy();
  return {};
}

bool ModelBus::line() const {
  return faults_.line_sticks_high || (chip_.interrupt() && !faults_.line_sticks_low);
}

Status ModelBus::read_interrupt(bool *active) {
  *active = line();
  return {};
}

bool ModelBus::wait_interrupt(Time most, int wake) {
  pollfd file = {wake, POLLIN, 0};
  if (poll(&file, 1, 0) > 0)
    return false;
  for (const Time until = air_.now + most; !line() && air_.now < until;)
    air_.advance(100us);
  return true;
}

Status ModelBus::set_sending(bool) {
  ++switched;
  return {};
}

}  // namespace npc::test
