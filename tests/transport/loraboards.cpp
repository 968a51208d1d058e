// SPDX-License-Identifier: LGPL-2.1-or-later
// Boards by name, other pins, and devices that are none.
#include <gtest/gtest.h>

#include "transport/lora/chips/boards.h"
#include "transport/lora/chips/spibus.h"

namespace {

using namespace npc;
using namespace npc::lora;

TEST(LoraBoards, HaveTheirPins) {
  Board board;
  ASSERT_EQ(find_board("adafruit-4074", "", &board).error(), "");
  EXPECT_EQ(board.chip, Board::Chip::kSx1276);
  EXPECT_EQ(board.pins, (BoardPins{25, 22, {}, {}, {}, {}, {}}));
  ASSERT_EQ(find_board("waveshare-spi", "", &board).error(), "");
  EXPECT_EQ(board.chip, Board::Chip::kSx1262);
  EXPECT_EQ(board.pins, (BoardPins{18, 16, 20, 21, {}, {}, {}}));
  ASSERT_EQ(find_board("rak6421", "", &board).error(), "");
  EXPECT_EQ(board.pins, (BoardPins{16, 22, 24, {}, {}, {}, {12, 13}}));
}

TEST(LoraBoards, CanBeWiredOtherwise) {
  Board board;
  ASSERT_EQ(find_board("rak6421", "reset:5,irq:6,busy:7,cs:8,txen:9,rxen:10,enable:11+12", &board)
                .error(),
            "");
  EXPECT_EQ(board.pins, (BoardPins{5, 6, 7, 8, 9, 10, {11, 12}}));
  ASSERT_EQ(find_board("meshadv", "cs:-,txen:-,enable:-", &board).error(), "");
  EXPECT_EQ(board.pins, (BoardPins{18, 16, 20, {}, {}, 12, {}}));
}

TEST(LoraBoards, SayWhatIsWrong) {
  Board board;
  EXPECT_EQ(
      find_board("rak", "", &board).error(),
      "There is no board \"rak\": use adafruit-4074, dragino, waveshare-spi, rak6421, meshadv, "
      "with pins= for one that is wired otherwise.");
  for (const char *pins : {"25", "reset", "reset:", "reset:-", "reset:x", "reset:1024", "dio:3",
                           "busy:", "enable:", "enable:1+", "reset:1 "}) {
    EXPECT_EQ(find_board("rak6421", pins, &board).error(),
              "\"" + std::string(pins) +
                  "\" is no pin: write its use and its line, as in "
                  "pins=reset:25,irq:22,busy:20,cs:21,txen:13,rxen:12,enable:12+13.");
  }
}

TEST(LoraSpi, SaysWhatIsNoDevice) {
  std::unique_ptr<Bus> bus;
  EXPECT_EQ(open_spi_bus("/dev/no-spidev0.0", "gpiochip0", {}, &bus).error(),
            "There is no SPI device \"/dev/no-spidev0.0\": write dtparam=spi=on into "
            "/boot/firmware/config.txt and start anew.");
  EXPECT_EQ(open_spi_bus("/dev/null", "gpiochip0", {}, &bus).error(),
            "\"/dev/null\" is no SPI device. A board with a serial line is used by its own name, "
            "such as lora:/dev/ttyAMA0.");
  EXPECT_EQ(bus, nullptr);
}

}  // namespace
