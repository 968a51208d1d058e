// SPDX-License-Identifier: LGPL-2.1-or-later
// Opening of files without ever waiting, whatever is at their path.
#include "base/openfile.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace npc {
namespace {

// A file is read in steps that grow up to this, so that a small one takes little memory.
constexpr std::size_t kFirstStep = 4096, kMostStep = 1 << 20;

bool write_all(const Descriptor &file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(file.get(), text.data(), text.size());
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace

Descriptor open_anything(const std::string &path, int flags, mode_t mode) {
  return Descriptor(open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode));
}

Opened open_file(const std::string &path, int flags, mode_t mode) {
  struct stat status = {};
  // Asked before, too: a watchdog, for one, starts when it is opened.
  const int asked =
      (flags & O_NOFOLLOW) != 0 ? lstat(path.c_str(), &status) : stat(path.c_str(), &status);
  if (asked == 0 && !S_ISREG(status.st_mode))
    return {Descriptor(), 0, true};
  Descriptor file = open_anything(path, flags, mode);
  if (!file.is_open() || fstat(file.get(), &status) != 0)
    return {Descriptor(), errno, false};
  if (!S_ISREG(status.st_mode))
    return {Descriptor(), 0, true};
  return {std::move(file), 0, false};
}

bool is_other_than_a_file(const std::string &path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

std::optional<std::string> read_whole(const Descriptor &file, std::size_t most) {
  std::string text;
  for (std::size_t step = kFirstStep;; step = std::min(2 * step, kMostStep)) {
    const std::size_t size = text.size();
    text.resize(size + std::min(step, most + 1 - size));
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno != EINTR)
      return std::nullopt;
    if (got == 0 || text.size() > most)
      return text;
  }
}

Replaced replace_file(const std::string &path, std::string_view text) {
  // To put a file in the place of another thing would break it for all who use it.
  if (is_other_than_a_file(path))
    return {.is_other = true};
  const std::string fresh = path + ".new";
  const Opened opened = open_file(fresh, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
  if (opened.is_other)
    return {.is_blocked = true};
  if (opened.error != 0)
    return {.error = opened.error};
  if (ftruncate(opened.file.get(), 0) != 0 || !write_all(opened.file, text) ||
      fsync(opened.file.get()) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return {.error = error};
  }
  return {.error = sync_folder_of(path)};
}

int sync_folder_of(const std::string &path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor descriptor =
      open_anything(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  return descriptor.is_open() && fsync(descriptor.get()) == 0 ? 0 : errno;
}

}  // namespace npc
