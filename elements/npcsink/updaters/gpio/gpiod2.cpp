// SPDX-License-Identifier: LGPL-2.1-or-later
// GPIO lines through libgpiod 2 (Debian 13).
#include <gpiod.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "npcsink/updaters/gpio/gpioline.h"

namespace npc::sink {
namespace {

template <auto release>
struct Free {
  template <typename T>
  void operator()(T *object) const {
    release(object);
  }
};
using Chip = std::unique_ptr<gpiod_chip, Free<gpiod_chip_close>>;
using ChipInfo = std::unique_ptr<gpiod_chip_info, Free<gpiod_chip_info_free>>;
using LineInfo = std::unique_ptr<gpiod_line_info, Free<gpiod_line_info_free>>;
using Settings = std::unique_ptr<gpiod_line_settings, Free<gpiod_line_settings_free>>;
using LineConfig = std::unique_ptr<gpiod_line_config, Free<gpiod_line_config_free>>;
using RequestConfig = std::unique_ptr<gpiod_request_config, Free<gpiod_request_config_free>>;
using Request = std::unique_ptr<gpiod_line_request, Free<gpiod_line_request_release>>;

class Gpiod2Line : public GpioLine {
 public:
  Gpiod2Line(GpioLineId place, Request request)
      : place_(std::move(place)), request_(std::move(request)) {}

  Status set(bool active) override {
    const auto value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    if (gpiod_line_request_set_value(request_.get(), place_.line, value) != 0)
      return Status::failed(cannot_set_line(place_, errno));
    return {};
  }

 private:
  const GpioLineId place_;
  const Request request_;
};

// This version opens paths only. errno says why there is none.
Chip open_by_label(const std::string &label) {
  int error = ENOENT;
  std::error_code ignored;
  for (const auto &entry : std::filesystem::directory_iterator("/dev", ignored)) {
    if (!entry.path().filename().string().starts_with("gpiochip"))
      continue;
    Chip chip(gpiod_chip_open(entry.path().c_str()));
    if (!chip) {
      error = errno;
      continue;
    }
    const ChipInfo info(gpiod_chip_get_info(chip.get()));
    if (info && label == gpiod_chip_info_get_label(info.get()))
      return chip;
  }
  errno = error;
  return nullptr;
}

Chip open_chip(const std::string &name) {
  const bool is_path = name.starts_with('/');
  Chip chip(gpiod_chip_open((is_path ? name : "/dev/" + name).c_str()));
  return chip || is_path || errno != ENOENT ? std::move(chip) : open_by_label(name);
}

Request take(gpiod_chip *chip, const GpioLineId &place) {
  const Settings settings(gpiod_line_settings_new());
  const LineConfig line(gpiod_line_config_new());
  const RequestConfig request(gpiod_request_config_new());
  if (!settings || !line || !request)
    return nullptr;
  gpiod_line_settings_set_direction(settings.get(), GPIOD_LINE_DIRECTION_OUTPUT);
  gpiod_line_settings_set_active_low(settings.get(), place.active_low);
  gpiod_line_settings_set_output_value(settings.get(), GPIOD_LINE_VALUE_INACTIVE);
  gpiod_request_config_set_consumer(request.get(), "npcsink");
  if (gpiod_line_config_add_line_settings(line.get(), &place.line, 1, settings.get()) != 0)
    return nullptr;
  return Request(gpiod_chip_request_lines(chip, request.get(), line.get()));
}

}  // namespace

Status open_gpio_line(const GpioLineId &place, std::unique_ptr<GpioLine> *line) {
  const Chip chip = open_chip(place.chip);
  if (!chip)
    return Status::failed(cannot_open_chip(place, errno));
  const ChipInfo info(gpiod_chip_get_info(chip.get()));
  const std::size_t lines = info ? gpiod_chip_info_get_num_lines(info.get()) : 0;
  if (info && place.line >= lines)
    return Status::failed(no_such_line(place, lines));
  // The chip may be closed while the line is held.
  Request request = take(chip.get(), place);
  if (!request) {
    const int error = errno;
    const LineInfo owner(gpiod_chip_get_line_info(chip.get(), place.line));
    return Status::failed(cannot_take_line(
        place, error, owner ? gpiod_line_info_get_consumer(owner.get()) : nullptr));
  }
  *line = std::make_unique<Gpiod2Line>(place, std::move(request));
  return {};
}

}  // namespace npc::sink
