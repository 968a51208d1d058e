// SPDX-License-Identifier: LGPL-2.1-or-later
// What pixels are like.
#pragma once

#include <cstdint>

namespace npc {

/// Pixels are at most so many times as wide as high, or as high as wide.
constexpr int kNarrowestPixel = 8;

/// Whether a pixel-aspect-ratio can be true. One that cannot is a mistake, and 1/1 is assumed.
constexpr bool is_believable_pixel(int width, int height) {
  return width > 0 && height > 0 && width <= std::int64_t{kNarrowestPixel} * height &&
         height <= std::int64_t{kNarrowestPixel} * width;
}

}  // namespace npc
