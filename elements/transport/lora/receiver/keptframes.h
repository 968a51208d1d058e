// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames that a gateway has received, and whose records its store may not have yet.
//
//   npc-lora-frames 1
//   frame BEGAN-MS RSSI BYTES
//   end
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transport/lora/frame/frame.h"

namespace npc::lora {

/// A frame as it was received: what Receiver::receive() is given.
struct KeptFrame {
  Bytes bytes;
  std::int64_t began_ms = 0;
  int rssi = 0;
  bool operator==(const KeptFrame &) const = default;
};

std::string write_frames(std::span<const KeptFrame> frames);
/// Reads what write_frames() has written, and nothing else.
bool read_frames(std::string_view text, std::vector<KeptFrame> *frames);

}  // namespace npc::lora
