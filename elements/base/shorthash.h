// SPDX-License-Identifier: LGPL-2.1-or-later
// A short text that differs where another one does, as a rule. Not for secrets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace npc {

/// FNV-1a, eight hexadecimal digits.
inline std::string short_hash(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  char digits[9];
  std::snprintf(digits, sizeof(digits), "%08x", hash);
  return digits;
}

}  // namespace npc
