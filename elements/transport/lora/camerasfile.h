// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that says which cameras a gateway receives, and their keys:
//
//   # a comment
//   [7]
//   site=home
//   camera=door
//   lines=door,exit
//   key=<64 hexadecimal digits>
//   next-key=
//
// A camera gets a new key in three steps: write it here as next-key, give it to the camera, and
// when the gateway has said that it is in use, let it take the place of the old one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "transport/lora/frame/sealing.h"

namespace npc::lora {

/// One camera, as a gateway knows it.
struct Camera {
  std::uint8_t number = 0;  ///< 1 to 255
  std::string site, camera;
  std::vector<std::string> lines;  ///< in the order in which frames have them
  Key key;
  std::optional<Key> next_key;
};

/// Reads the text of such a file. What is wrong with it begins with the line's number, and holds no
/// key.
Status parse_cameras(std::string_view text, std::vector<Camera> *cameras);

/// Reads the file at `path`, which nobody but its owner may read or write.
Status read_cameras(const std::string &path, std::vector<Camera> *cameras);

}  // namespace npc::lora
