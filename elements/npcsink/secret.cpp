// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of secrets; no sentence holds a part of one.
#include "secret.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace npc {
namespace {

constexpr std::size_t kMostSecret = 4096;

}  // namespace

std::string read_secret(const std::string &path, std::string_view what, std::string *secret) {
  const std::string named = "The " + std::string(what) + " file \"" + path + "\"";
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostSecret + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return named + " cannot be read: " + std::generic_category().message(errno) + ".";
  text.resize(static_cast<std::size_t>(file.gcount()));
  // Editors end a file with a newline, which is not part of the secret.
  text.erase(std::min(text.find_first_of("\r\n"), text.size()));
  const bool clean =
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (text.empty() || text.size() > kMostSecret || !clean) {
    return named + " must hold a " + std::string(what) +
           " of 1 to 4096 bytes, without control characters, in its first line.";
  }
  *secret = std::move(text);
  return {};
}

}  // namespace npc
