// SPDX-License-Identifier: LGPL-2.1-or-later
// Pins of boards, by the numbers of the Raspberry Pi's GPIO lines.
#include "transport/lora/chips/boards.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "transport/lora/chips/sx1262.h"
#include "transport/lora/chips/sx1276.h"

namespace npc::lora {
namespace {

using Chip = Board::Chip;

const std::array<std::pair<std::string_view, Board>, 5> &boards() {
  static const std::array<std::pair<std::string_view, Board>, 5> all = {{
      {"adafruit-4074", {Chip::kSx1276, false, {25, 22, {}, {}, {}, {}, {}}}},
      {"dragino", {Chip::kSx1276, false, {17, 4, {}, 25, {}, {}, {}}}},
      {"waveshare-spi", {Chip::kSx1262, true, {18, 16, 20, 21, {}, {}, {}}}},
      {"rak6421", {Chip::kSx1262, true, {16, 22, 24, {}, {}, {}, {12, 13}}}},
      {"meshadv", {Chip::kSx1262, true, {18, 16, 20, 21, 13, 12, {}}}},
  }};
  return all;
}

std::optional<unsigned> read_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty() || number > 1023)
    return std::nullopt;
  return number;
}

Status cannot_read(std::string_view pin) {
  return Status::failed("\"" + std::string(pin) +
                        "\" is no pin: write its use and its line, as in "
                        "pins=reset:25,irq:22,busy:20,cs:21,txen:13,rxen:12,enable:12+13.");
}

Status set_enable(std::string_view pin, std::string_view value, BoardPins *pins) {
  pins->enable.clear();
  while (value != "-") {
    const std::size_t plus = value.find('+');
    const std::optional<unsigned> number = read_number(value.substr(0, plus));
    if (!number)
      return cannot_read(pin);
    pins->enable.push_back(*number);
    if (plus == std::string_view::npos)
      break;
    value.remove_prefix(plus + 1);
  }
  return {};
}

Status set_pin(std::string_view pin, BoardPins *pins) {
  const std::size_t colon = pin.find(':');
  if (colon == std::string_view::npos)
    return cannot_read(pin);
  const std::string_view use = pin.substr(0, colon), value = pin.substr(colon + 1);
  if (use == "enable")
    return set_enable(pin, value, pins);
  const std::optional<unsigned> number = read_number(value);
  if (use == "reset" || use == "irq") {
    if (!number)
      return cannot_read(pin);
    (use == "reset" ? pins->reset : pins->interrupt) = *number;
    return {};
  }
  std::optional<unsigned> *const at = use == "busy"   ? &pins->busy
                                      : use == "cs"   ? &pins->select
                                      : use == "txen" ? &pins->sending
                                      : use == "rxen" ? &pins->receiving
                                                      : nullptr;
  if (at == nullptr || (!number && value != "-"))
    return cannot_read(pin);
  *at = number;
  return {};
}

}  // namespace

std::string board_names() {
  std::string names;
  for (const auto &[name, board] : boards())
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

Status find_board(std::string_view name, std::string_view pins, Board *board) {
  const auto &all = boards();
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const auto &one) { return one.first == name; });
  if (found == all.end())
    return Status::failed("There is no board \"" + std::string(name) + "\": use " + board_names() +
                          ", with pins= for one that is wired otherwise.");
  Board chosen = found->second;
  while (!pins.empty()) {
    const std::size_t comma = std::min(pins.find(','), pins.size());
    if (Status status = set_pin(pins.substr(0, comma), &chosen.pins); !status.is_ok())
      return status;
    pins.remove_prefix(std::min(comma + 1, pins.size()));
  }
  *board = std::move(chosen);
  return {};
}

Status check_power(const Board &board, int power) {
  // Over PA_BOOST, the only output that is wired on these boards; +20 dBm has limits of its own.
  const bool is_sx1276 = board.chip == Board::Chip::kSx1276;
  const int least = is_sx1276 ? 2 : -9, most = is_sx1276 ? 17 : 22;
  if (power >= least && power <= most)
    return {};
  return Status::failed("The chip " + std::string(is_sx1276 ? "SX1276" : "SX1262") +
                        " of this board sends with " + std::to_string(least) + " to " +
                        std::to_string(most) + " dBm, not with " + std::to_string(power) +
                        ": set power= to one of those.");
}

std::unique_ptr<Radio> make_chip(const Board &board, std::unique_ptr<Bus> bus,
                                 const RadioSettings &settings) {
  if (board.chip == Board::Chip::kSx1276)
    return std::make_unique<Sx1276>(std::move(bus), settings);
  return std::make_unique<Sx1262>(std::move(bus), settings, board.has_tcxo);
}

}  // namespace npc::lora
