// SPDX-License-Identifier: LGPL-2.1-or-later
// GPIO lines through libgpiod 1 (Debian 12).
#include <gpiod.h>

#include <cerrno>

#include "npcsink/updaters/gpio/gpioline.h"

namespace npc::sink {
namespace {

struct CloseChip {
  // Also gives its lines back.
  void operator()(gpiod_chip *chip) const { gpiod_chip_close(chip); }
};
using Chip = std::unique_ptr<gpiod_chip, CloseChip>;

class Gpiod1Line : public GpioLine {
 public:
  Gpiod1Line(GpioLineId place, Chip chip, gpiod_line *line)
      : place_(std::move(place)), chip_(std::move(chip)), line_(line) {}

  Status set(bool active) override {
    if (gpiod_line_set_value(line_, active ? 1 : 0) != 0)
      return Status::failed(cannot_set_line(place_, errno));
    return {};
  }

 private:
  const GpioLineId place_;
  const Chip chip_;
  gpiod_line *const line_;
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

}  // namespace

Status open_gpio_line(const GpioLineId &place, std::unique_ptr<GpioLine> *line) {
  Chip chip = open_chip(place.chip);
  if (!chip)
    return Status::failed(cannot_open_chip(place, errno));
  if (place.line >= gpiod_chip_num_lines(chip.get()))
    return Status::failed(no_such_line(place, gpiod_chip_num_lines(chip.get())));
  gpiod_line *const taken = gpiod_chip_get_line(chip.get(), place.line);
  const int flags = place.active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
  if (taken == nullptr || gpiod_line_request_output_flags(taken, "npcsink", flags, 0) != 0) {
    const int error = errno;
    return Status::failed(
        cannot_take_line(place, error, taken != nullptr ? gpiod_line_consumer(taken) : nullptr));
  }
  *line = std::make_unique<Gpiod1Line>(place, std::move(chip), taken);
  return {};
}

}  // namespace npc::sink
