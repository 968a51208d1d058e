// SPDX-License-Identifier: LGPL-2.1-or-later
// GPIO lines through libgpiod 1 (Debian 12).
#include <gpiod.h>

#include <cerrno>

#include "transport/gpio/line.h"

namespace npc::gpio {
namespace {

struct CloseChip {
  // Also gives its lines back.
  void operator()(gpiod_chip *chip) const { gpiod_chip_close(chip); }
};
using Chip = std::unique_ptr<gpiod_chip, CloseChip>;

/// A line and the chip that it lives with.
struct Taken {
  LineId place;
  Chip chip;
  gpiod_line *line = nullptr;
};

class Gpiod1Output : public Output {
 public:
  explicit Gpiod1Output(Taken taken) : taken_(std::move(taken)) {}

  Status set(bool active) override {
    if (gpiod_line_set_value(taken_.line, active ? 1 : 0) != 0)
      return Status::failed(cannot_set_line(taken_.place, errno));
    return {};
  }

 private:
  const Taken taken_;
};

class Gpiod1Input : public Input {
 public:
  explicit Gpiod1Input(Taken taken) : taken_(std::move(taken)) {}

  Status read(bool *active) override {
    const int value = gpiod_line_get_value(taken_.line);
    if (value < 0)
      return Status::failed(cannot_read_line(taken_.place, errno));
    *active = value == 1;
    return {};
  }

  int descriptor() const override { return gpiod_line_event_get_fd(taken_.line); }

  void clear() override {
    const timespec now = {};
    gpiod_line_event event;
    while (gpiod_line_event_wait(taken_.line, &now) == 1 &&
           gpiod_line_event_read(taken_.line, &event) == 0) {
    }
  }

 private:
  const Taken taken_;
};

// errno says why there is none.
Chip open_chip(const std::string &name) {
  if (name.starts_with('/'))
    return Chip(gpiod_chip_open(name.c_str()));
  errno = 0;
  if (Chip chip(gpiod_chip_open_by_name(name.c_str())); chip || errno != ENOENT)
    return chip;
  return Chip(gpiod_chip_open_by_label(name.c_str()));
}

/// `request` returns 0, or has set errno.
template <typename Request>
Status take(const LineId &place, const std::string &use, Request request, Taken *taken) {
  Chip chip = open_chip(place.chip);
  if (!chip)
    return Status::failed(cannot_open_chip(place, errno));
  if (place.line >= gpiod_chip_num_lines(chip.get()))
    return Status::failed(no_such_line(place, gpiod_chip_num_lines(chip.get())));
  gpiod_line *const line = gpiod_chip_get_line(chip.get(), place.line);
  if (line == nullptr || request(line) != 0) {
    const int error = errno;
    return Status::failed(
        cannot_take_line(place, use, error, line != nullptr ? gpiod_line_consumer(line) : nullptr));
  }
  *taken = {place, std::move(chip), line};
  return {};
}

int flags_of(const LineId &place) {
  return place.active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
}

}  // namespace

Status open_output(const LineId &place, const char *consumer, bool active,
                   std::unique_ptr<Output> *line) {
  Taken taken;
  const auto request = [&](gpiod_line *of) {
    return gpiod_line_request_output_flags(of, consumer, flags_of(place), active ? 1 : 0);
  };
  Status status = take(place, "an output", request, &taken);
  if (status.is_ok())
    *line = std::make_unique<Gpiod1Output>(std::move(taken));
  return status;
}

Status open_input(const LineId &place, const char *consumer, std::unique_ptr<Input> *line) {
  Taken taken;
  const auto request = [&](gpiod_line *of) {
    return gpiod_line_request_rising_edge_events_flags(of, consumer, flags_of(place));
  };
  Status status = take(place, "an input with edges", request, &taken);
  if (status.is_ok())
    *line = std::make_unique<Gpiod1Input>(std::move(taken));
  return status;
}

}  // namespace npc::gpio
