// SPDX-License-Identifier: LGPL-2.1-or-later
// GPIO lines through libgpiod 2 (Debian 13).
#include <gpiod.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "transport/gpio/line.h"

namespace npc::gpio {
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

using Events = std::unique_ptr<gpiod_edge_event_buffer, Free<gpiod_edge_event_buffer_free>>;

class Gpiod2Output : public Output {
 public:
  Gpiod2Output(LineId place, Request request)
      : place_(std::move(place)), request_(std::move(request)) {}

  Status set(bool active) override {
    const auto value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    if (gpiod_line_request_set_value(request_.get(), place_.line, value) != 0)
      return Status::failed(cannot_set_line(place_, errno));
    return {};
  }

 private:
  const LineId place_;
  const Request request_;
};

class Gpiod2Input : public Input {
 public:
  Gpiod2Input(LineId place, Request request)
      : place_(std::move(place)), request_(std::move(request)) {}

  Status read(bool *active) override {
    const gpiod_line_value value = gpiod_line_request_get_value(request_.get(), place_.line);
    if (value == GPIOD_LINE_VALUE_ERROR)
      return Status::failed(cannot_read_line(place_, errno));
    *active = value == GPIOD_LINE_VALUE_ACTIVE;
    return {};
  }

  int descriptor() const override { return gpiod_line_request_get_fd(request_.get()); }

  void clear() override {
    while (events_ && gpiod_line_request_wait_edge_events(request_.get(), 0) == 1 &&
           gpiod_line_request_read_edge_events(request_.get(), events_.get(), kEvents) > 0) {
    }
  }

 private:
  static constexpr std::size_t kEvents = 16;

  const LineId place_;
  const Request request_;
  const Events events_{gpiod_edge_event_buffer_new(kEvents)};
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

Request take(gpiod_chip *chip, const LineId &place, const char *consumer,
             gpiod_line_settings *settings) {
  const LineConfig line(gpiod_line_config_new());
  const RequestConfig request(gpiod_request_config_new());
  if (settings == nullptr || !line || !request)
    return nullptr;
  gpiod_line_settings_set_active_low(settings, place.active_low);
  gpiod_request_config_set_consumer(request.get(), consumer);
  if (gpiod_line_config_add_line_settings(line.get(), &place.line, 1, settings) != 0)
    return nullptr;
  return Request(gpiod_chip_request_lines(chip, request.get(), line.get()));
}

Status open_line(const LineId &place, const std::string &use, const char *consumer,
                 gpiod_line_settings *settings, Request *request) {
  const Chip chip = open_chip(place.chip);
  if (!chip)
    return Status::failed(cannot_open_chip(place, errno));
  const ChipInfo info(gpiod_chip_get_info(chip.get()));
  const std::size_t lines = info ? gpiod_chip_info_get_num_lines(info.get()) : 0;
  if (info && place.line >= lines)
    return Status::failed(no_such_line(place, lines));
  // The chip may be closed while the line is held.
  *request = take(chip.get(), place, consumer, settings);
  if (!*request) {
    const int error = errno;
    const LineInfo owner(gpiod_chip_get_line_info(chip.get(), place.line));
    return Status::failed(cannot_take_line(
        place, use, error, owner ? gpiod_line_info_get_consumer(owner.get()) : nullptr));
  }
  return {};
}

}  // namespace

Status open_output(const LineId &place, const char *consumer, bool active,
                   std::unique_ptr<Output> *line) {
  const Settings settings(gpiod_line_settings_new());
  if (settings) {
    gpiod_line_settings_set_direction(settings.get(), GPIOD_LINE_DIRECTION_OUTPUT);
    gpiod_line_settings_set_output_value(
        settings.get(), active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE);
  }
  Request request;
  Status status = open_line(place, "an output", consumer, settings.get(), &request);
  if (status.is_ok())
    *line = std::make_unique<Gpiod2Output>(place, std::move(request));
  return status;
}

Status open_input(const LineId &place, const char *consumer, std::unique_ptr<Input> *line) {
  const Settings settings(gpiod_line_settings_new());
  if (settings) {
    gpiod_line_settings_set_direction(settings.get(), GPIOD_LINE_DIRECTION_INPUT);
    gpiod_line_settings_set_edge_detection(settings.get(), GPIOD_LINE_EDGE_RISING);
  }
  Request request;
  Status status = open_line(place, "an input with edges", consumer, settings.get(), &request);
  if (status.is_ok())
    *line = std::make_unique<Gpiod2Input>(place, std::move(request));
  return status;
}

}  // namespace npc::gpio
