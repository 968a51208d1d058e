// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames and cameras for tests.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "transport/lora/camerasfile.h"
#include "transport/lora/frame/frame.h"
#include "transport/lora/frame/sealing.h"

namespace npc::test {

using namespace npc::lora;

inline Key key_of(std::uint8_t number) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  bytes.fill(number);
  return Key(bytes);
}

inline Camera camera_of(std::uint8_t number, std::vector<std::string> lines = {"door"}) {
  Camera camera;
  camera.number = number;
  camera.site = "home";
  camera.camera = "door";
  camera.lines = std::move(lines);
  camera.key = key_of(number);
  return camera;
}

inline CountsFrame block(std::uint16_t boot, std::uint32_t seq, std::uint32_t in = 0,
                         bool wanted = false) {
  CountsFrame frame;
  frame.head = {7, boot, seq, false, wanted};
  frame.windows = 15;
  frame.window_ms = 2000;
  frame.people = {seq % 200, seq % 200, 1, 1};
  frame.lines = {{in & 0xffff, 0}};
  return frame;
}

inline HelloFrame hello(std::uint16_t boot, std::uint32_t start, std::uint32_t in,
                        std::uint16_t tag = 1) {
  HelloFrame frame;
  frame.head = {7, boot, start, false, true};
  frame.boot_tag = tag;
  frame.lines = {{in, 0}};
  return frame;
}

}  // namespace npc::test
