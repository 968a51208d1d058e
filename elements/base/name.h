// SPDX-License-Identifier: LGPL-2.1-or-later
// The names of sites, cameras, lines and zones.
#pragma once

#include <cstddef>
#include <string_view>

namespace npc {

/// Whether it has 1 to 64 letters, digits, `_` or `-`, as gst_npc_name_is_valid() wants it.
inline bool is_name(std::string_view text) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  constexpr std::size_t kMost = 64;
  return !text.empty() && text.size() <= kMost &&
         text.find_first_not_of(kCharacters) == std::string_view::npos;
}

}  // namespace npc
