// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading and checking of the parameters that radios have in common.
#include "transport/lora/chips/radiouri.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "transport/lora/chips/spibus.h"

namespace npc::lora {
namespace {

constexpr const char *kExample = "lora:/dev/spidev0.1";

std::uint32_t read_frequency(const Uri &uri, const std::string &region) {
  if (!uri.parameters.contains("frequency"))
    return default_frequency(region);
  const std::string text = uri.parameter("frequency", "");
  double mhz = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mhz);
  if (error != std::errc() || end != text.data() + text.size() || !(mhz >= 100 && mhz <= 1000))
    throw UriError(uri.text, "frequency must be a number of MHz, as in frequency=868.1");
  return static_cast<std::uint32_t>(std::lround(mhz * 1e6));
}

Board read_board(const Uri &uri) {
  if (!uri.parameters.contains("board"))
    throw UriError(uri.text, "board is missing; write which one it is: " + board_names());
  Board board;
  check(uri, find_board(uri.parameter("board", ""), uri.parameter("pins", ""), &board));
  return board;
}

}  // namespace

void check(const Uri &uri, const Status &status) {
  if (status.is_ok())
    return;
  // The sentence goes into another one, which has an end of its own.
  std::string error = status.error();
  if (error.ends_with('.'))
    error.pop_back();
  throw UriError(uri.text, error);
}

int number_parameter(const Uri &uri, const std::string &name, int otherwise, int least, int most) {
  if (!uri.parameters.contains(name))
    return otherwise;
  const std::string text = uri.parameter(name, "");
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most)
    throw UriError(uri.text, name + " must be a whole number from " + std::to_string(least) +
                                 " to " + std::to_string(most));
  return number;
}

RadioChoice read_radio(const Uri &uri) {
  RadioChoice choice;
  choice.device = uri.local_path("SPI device", kExample);
  choice.board = read_board(uri);
  choice.gpio_chip = uri.parameter("gpio-chip", "gpiochip0");
  RadioPlan &plan = choice.plan;
  plan.region = uri.parameter("region", "eu868");
  plan.frequency = read_frequency(uri, plan.region);
  // Where only wide signals may stay on one channel, that is what is meant.
  plan.modulation.bandwidth =
      1000 * number_parameter(uri, "bandwidth", plan.region == "us915" ? 500 : 125, 125, 500);
  plan.modulation.spreading_factor = number_parameter(uri, "sf", 7, 7, 12);
  plan.power = number_parameter(uri, "power", 14, -9, 30);
  return choice;
}

std::uint32_t check_radio(const Uri &uri, const RadioChoice &choice) {
  std::uint32_t duty = 0;
  check(uri, check_region(choice.plan, &duty));
  check(uri, check_power(choice.board, choice.plan.power));
  return duty;
}

Status open_radio(const RadioChoice &choice, std::unique_ptr<Radio> *radio) {
  RadioSettings settings;
  settings.frequency = choice.plan.frequency;
  settings.modulation = choice.plan.modulation;
  settings.power = choice.plan.power;
  std::unique_ptr<Bus> bus;
  if (Status status = open_spi_bus(choice.device, choice.gpio_chip, choice.board.pins, &bus);
      !status.is_ok())
    return status;
  *radio = make_chip(choice.board, std::move(bus), settings);
  return {};
}

}  // namespace npc::lora
