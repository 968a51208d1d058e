// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of secrets; no sentence holds a part of one.
#include "secret.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace npc {
namespace {

constexpr std::size_t kMostSecret = 4096;

std::string named_file(std::string_view what, const std::string &path) {
  return std::string(what) + " \"" + path + "\"";
}

}  // namespace

std::string check_file(std::string_view what, const std::string &path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || access(path.c_str(), R_OK) != 0)
    return named_file(what, path) + " cannot be read: " + std::generic_category().message(errno) +
           ".";
  // The opening of a pipe waits for its writer, and no stop would end that.
  if (!S_ISREG(status.st_mode))
    return named_file(what, path) + " is not a file, but a directory, a pipe or a device.";
  return {};
}

std::string check_secret_file(std::string_view what, const std::string &path) {
  if (std::string failure = check_file(what, path); !failure.empty())
    return failure;
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return named_file(what, path) + " is open to everybody on this machine: run chmod o-rwx " +
           path + ".";
  return {};
}

std::string read_secret(const std::string &path, std::string_view what, std::string *secret) {
  const std::string kind = "The " + std::string(what) + " file";
  if (std::string failure = check_secret_file(kind, path); !failure.empty())
    return failure;
  const std::string named = named_file(kind, path);
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
