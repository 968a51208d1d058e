// SPDX-License-Identifier: LGPL-2.1-or-later
// What the LoRa chips have in common: how a frame is sent, received, and the channel sensed.
#include "transport/lora/chips/chip.h"

#include <algorithm>

namespace npc::lora {
namespace {

using namespace std::chrono_literals;

// An edge of the interrupt line is a hint: one that was missed costs no more than this.
constexpr Time kLook = 50ms;

}  // namespace

Status Chip::reset() {
  is_listening_ = false;
  if (Status status = bus_->set_reset(true); !status.is_ok())
    return status;
  bus_->sleep(1ms);
  if (Status status = bus_->set_reset(false); !status.is_ok())
    return status;
  bus_->sleep(6ms);
  return {};
}

Status Chip::no_answer() const {
  return Status::failed("There is no answer from " + bus_->name() +
                        ": see that SPI is on (dtparam=spi=on), that the board is the one of "
                        "board=, and that nothing else uses its pins.");
}

Status Chip::restart() {
  ++restarts_;
  return start();
}

// The register decides, not the line: an edge of what was done before may come late.
Status Chip::wait_flag(unsigned mask, Time most, unsigned *flags, int wake, bool *woken) {
  const Time until = bus_->now() + most;
  for (;;) {
    if (Status status = read_flags(flags); !status.is_ok())
      return status;
    const Time left = until - bus_->now();
    if ((*flags & mask) != 0 || left <= Time(0) || (woken && *woken))
      return {};
    const bool is_woken = !bus_->wait_interrupt(std::min(left, kLook), wake);
    if (woken)
      *woken = is_woken;
  }
}

Status Chip::sense(bool *is_busy) {
  *is_busy = false;
  is_listening_ = false;
  if (Status status = begin_sense(); !status.is_ok())
    return status;
  const Time symbol((std::int64_t{1000000} << settings_.modulation.spreading_factor) /
                    settings_.modulation.bandwidth);
  // It takes up to four symbols and a little.
  unsigned flags = 0;
  if (Status status = wait_flag(flags_.cad_done, 8 * symbol + 20ms, &flags); !status.is_ok())
    return status;
  if ((flags & flags_.cad_done) == 0)
    return restart();
  *is_busy = (flags & flags_.activity) != 0;
  return clear_flags();
}

Status Chip::transmit(Time most, bool *is_sent) {
  unsigned flags = 0;
  Status status = bus_->set_sending(true);
  if (status.is_ok())
    status = begin_send();
  if (status.is_ok())
    status = wait_flag(flags_.sent, most, &flags);
  *is_sent = (flags & flags_.sent) != 0;
  // The antenna goes back whatever became of the frame.
  const Status back = bus_->set_sending(false);
  return status.is_ok() ? back : status;
}

Status Chip::send(std::span<const std::uint8_t> frame, Time *airtime) {
  *airtime = time_on_air(settings_.modulation, frame.size());
  is_listening_ = false;
  if (Status status = load(frame); !status.is_ok())
    return status;
  bool is_sent = false;
  if (Status status = transmit(*airtime + *airtime / 2 + 50ms, &is_sent); !status.is_ok())
    return status;
  if (is_sent)
    return clear_flags();
  if (Status status = restart(); !status.is_ok())
    return status;
  return Status::failed("A frame was not sent by " + bus_->name() + ", which was set up anew.");
}

// Whether the chip still listens, and its line says the same as its register. On some boards DIO0
// sticks after thousands of frames, and a chip whose supply dips forgets that it was to listen.
Status Chip::check_line(bool *is_right) {
  *is_right = false;
  // Twice, since a frame may come in between.
  for (int tries = 0; tries < 2 && !*is_right; ++tries) {
    unsigned mode = 0, flags = 0;
    bool is_active = false;
    if (Status status = bus_->read_interrupt(&is_active); !status.is_ok())
      return status;
    if (Status status = read_flags(&flags); !status.is_ok())
      return status;
    if (Status status = read_mode(&mode); !status.is_ok())
      return status;
    *is_right = mode == flags_.receive_mode && is_active == ((flags & flags_.line) != 0);
  }
  return {};
}

Status Chip::receive(Time most, int wake, std::optional<Heard> *heard) {
  heard->reset();
  const Time until = bus_->now() + most;
  for (bool woken = false;;) {
    if (!is_listening_) {
      if (Status status = begin_receive(); !status.is_ok())
        return status;
      is_listening_ = true;
    }
    unsigned flags = 0;
    bool is_right = false;
    const Time look = std::clamp(until - bus_->now(), Time(0), kLook);
    if (Status status = wait_flag(flags_.received, look, &flags, wake, &woken); !status.is_ok())
      return status;
    if (Status status = check_line(&is_right); !status.is_ok())
      return status;
    if ((flags & flags_.received) != 0) {
      if (Status status = take_frame(flags, heard); !status.is_ok())
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
