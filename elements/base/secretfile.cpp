// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of secrets; no sentence holds a part of one.
#include "base/secretfile.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/openfile.h"

namespace npc {
namespace {

constexpr std::size_t kMostSecret = 4096;

std::string named_file(std::string_view what, const std::string &path) {
  return std::string(what) + " \"" + path + "\"";
}

Status status_of(const Opened &opened, std::string_view what, const std::string &path) {
  if (opened.is_other)
    return Status::failed(named_file(what, path) +
                          " is not a file, but a directory, a pipe or a device.");
  if (opened.error != 0)
    return Status::failed(named_file(what, path) + " cannot be read: " + message_of(opened.error) +
                          ".");
  return {};
}

Status status_of_secret(const Opened &opened, std::string_view what, const std::string &path) {
  if (Status status = status_of(opened, what, path); !status.is_ok())
    return status;
  struct stat mode = {};
  if (fstat(opened.file.get(), &mode) != 0 || (mode.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return Status::failed(named_file(what, path) +
                          " is open to everybody on this machine: run chmod o-rwx " + path + ".");
  return {};
}

}  // namespace

Status check_file(std::string_view what, const std::string &path) {
  return status_of(open_file(path, O_RDONLY), what, path);
}

Status check_secret_file(std::string_view what, const std::string &path) {
  return status_of_secret(open_file(path, O_RDONLY), what, path);
}

Status read_secret(const std::string &path, std::string_view what, std::string *secret) {
  const std::string kind = "The " + std::string(what) + " file";
  const Opened opened = open_file(path, O_RDONLY);
  if (Status status = status_of_secret(opened, kind, path); !status.is_ok())
    return status;
  const std::string named = named_file(kind, path);
  std::optional<std::string> read = read_whole(opened.file, kMostSecret);
  if (!read)
    return Status::failed(named + " cannot be read: " + message_of(errno) + ".");
  std::string &text = *read;
  // Editors end a file with a newline, which is not part of the secret.
  text.erase(std::min(text.find_first_of("\r\n"), text.size()));
  const bool clean =
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (text.empty() || text.size() > kMostSecret || !clean) {
    return Status::failed(named + " must hold a " + std::string(what) +
                          " of 1 to 4096 bytes, without control characters, in its first line.");
  }
  *secret = std::move(text);
  return {};
}

}  // namespace npc
