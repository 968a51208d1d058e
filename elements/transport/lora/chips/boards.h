// SPDX-License-Identifier: LGPL-2.1-or-later
// Boards with a LoRa chip, by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "transport/lora/chips/bus.h"
#include "transport/lora/radio/radio.h"

namespace npc::lora {

/// Which lines of a GPIO chip a LoRa chip is wired to.
struct BoardPins {
  unsigned reset = 0;
  unsigned interrupt = 0;          ///< DIO0 of a SX1276, DIO1 of a SX1262
  std::optional<unsigned> busy;    ///< a SX1262 has it
  std::optional<unsigned> select;  ///< where the chip is not selected by the SPI controller
  std::optional<unsigned> sending, receiving;  ///< switch the antenna
  std::vector<unsigned> enable;                ///< are high while the radio is used
  bool operator==(const BoardPins &) const = default;
};

struct Board {
  enum class Chip { kSx1276, kSx1262 };
  Chip chip = Chip::kSx1276;
  bool has_tcxo = false;
  BoardPins pins;
};

/// Finds a board. `pins`, as in "reset:25,irq:22", takes the place of some of its pins; the others
/// are busy, cs, txen, rxen and enable, which may have several, as in "enable:12+13". A pin of "-"
/// is not there.
Status find_board(std::string_view name, std::string_view pins, Board *board);

/// The names of all boards, for sentences.
std::string board_names();

/// Whether the chip of a board can send with so many dBm. It would not say so, but send with less,
/// or with more.
Status check_power(const Board &board, int power);

/// Makes the radio of a board, whose chip is at `bus`.
std::unique_ptr<Radio> make_chip(const Board &board, std::unique_ptr<Bus> bus,
                                 const RadioSettings &settings);

}  // namespace npc::lora
