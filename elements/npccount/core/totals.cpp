// SPDX-License-Identifier: LGPL-2.1-or-later
// How many have crossed each line since the beginning, kept in a file over restarts.
#include "totals.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace npc::count {
namespace {

using nlohmann::json;

constexpr const char *kFormat = "npc-totals";
constexpr int kVersion = 1;
// Far more than kMostTotals names take.
constexpr std::size_t kMostBytes = 256 * 1024;
constexpr std::uint64_t kLargest = INT64_MAX;

class File {
 public:
  explicit File(int number) : number_(number) {}
  ~File() { close(); }
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  int number() const { return number_; }
  bool close() {
    const int number = std::exchange(number_, -1);
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_;
};

std::string why() {
  return std::strerror(errno);
}

bool is_name(const std::string &text) {
  constexpr const char *kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of(kCharacters) == std::string::npos;
}

std::optional<std::uint64_t> number_in(const json &line, const char *key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number_unsigned())
    return std::nullopt;
  const auto number = found->get<std::uint64_t>();
  return number <= kLargest ? std::optional(number) : std::nullopt;
}

std::optional<Totals> parse(const std::string &text) {
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object() || file.value("format", json()) != kFormat ||
      file.value("version", json()) != kVersion)
    return std::nullopt;
  const json lines = file.value("lines", json());
  if (!lines.is_object() || lines.size() > kMostTotals)
    return std::nullopt;
  Totals totals;
  for (const auto &[name, line] : lines.items()) {
    if (!is_name(name) || !line.is_object())
      return std::nullopt;
    const auto in = number_in(line, "in"), out = number_in(line, "out");
    if (!in || !out)
      return std::nullopt;
    totals[name] = {*in, *out};
  }
  return totals;
}

// Up to one byte more than a file of ours has. Empty, with errno set, if it cannot be read.
std::optional<std::string> read_all(int file) {
  std::string text(kMostBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return std::nullopt;
    if (got == 0)
      break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(file, text.data(), text.size());
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

std::string folder_of(const std::string &path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Also through a link. To put a file in its place would break it for all who use it.
bool is_no_plain_file(const std::string &path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

bool replace(const std::string &path, std::string_view text) {
  const std::string fresh = path + ".new";
  File file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (file.number() < 0)
    return false;
  if (!write_all(file.number(), text) || fsync(file.number()) != 0 || !file.close() ||
      std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    errno = error;
    return false;
  }
  // Without this the new name itself may be lost in a power cut.
  const File folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.number() >= 0 && fsync(folder.number()) == 0;
}

Totals set_aside(const std::string &path, const std::string &what, std::string &fault) {
  fault = "The state file " + path + " " + what + ". Totals begin at 0; ";
  const std::string aside = path + ".bad";
  if (std::rename(path.c_str(), aside.c_str()) == 0)
    fault += "the file was renamed to " + aside + ".";
  else
    fault += "renaming the file to " + aside + " failed: " + why() + ".";
  return {};
}

}  // namespace

Totals load_totals(const std::string &path, std::string &fault) {
  fault.clear();
  // What is no plain file may block, and is not ours to rename.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0 && errno == ENOENT)
    return {};
  if (file.number() < 0)
    return set_aside(path, "cannot be opened: " + why(), fault);
  struct stat status {};
  if (fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) {
    fault = "The state file " + path +
            " is a folder or a device: set state-file to the path of a plain file. Totals begin "
            "at 0.";
    return {};
  }
  const auto text = read_all(file.number());
  if (!text)
    return set_aside(path, "cannot be read: " + why(), fault);
  if (text->size() > kMostBytes)
    return set_aside(path, "is too large to be one", fault);
  auto totals = parse(*text);
  if (!totals)
    return set_aside(path, "is broken, or not a file of npccount's", fault);
  return *std::move(totals);
}

bool save_totals(const std::string &path, const Totals &totals, std::string &fault) {
  fault.clear();
  json lines = json::object();
  for (const auto &[name, line] : totals)
    lines[name] = {{"in", line.in}, {"out", line.out}};
  const json file = {{"format", kFormat}, {"version", kVersion}, {"lines", std::move(lines)}};
  const bool is_other = is_no_plain_file(path);
  if (!is_other && replace(path, file.dump() + "\n"))
    return true;
  fault = "The totals cannot be written to the state file " + path + ": " +
          (is_other ? "it is a folder or a device" : why()) +
          ". Counting goes on; they are lost when the process ends. Set state-file to a path that "
          "can be written to.";
  return false;
}

}  // namespace npc::count
