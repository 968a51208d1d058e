// SPDX-License-Identifier: LGPL-2.1-or-later
// How many have crossed each line since the beginning, kept in a file over restarts.
#include "npccount/core/totals.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/openfile.h"

namespace npc::count {
namespace {

using nlohmann::json;

constexpr const char *kFormat = "npc-totals";
constexpr int kVersion = 1;
// Far more than kMostTotals names take.
constexpr std::size_t kMostBytes = 256 * 1024;
constexpr std::uint64_t kLargest = INT64_MAX;
constexpr char kGoesOn[] = ". Counting goes on; they are lost when the process ends. ";

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

// What stands in the way of a new file with that text, with what to do; nothing if it is written.
std::string replace(const std::string &path, std::string_view text) {
  constexpr char kAdvice[] = "Set state-file to a path that can be written to.";
  // To put a file in the place of another thing would break it for all who use it.
  if (is_other_than_a_file(path))
    return std::string("it is a folder or a device") + kGoesOn + kAdvice;
  const std::string fresh = path + ".new";
  const Opened opened = open_file(fresh, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
  if (opened.is_other)
    return fresh + " is in the way: it is no plain file" + kGoesOn +
           "Remove it, or set state-file to another path.";
  int error = opened.error;
  if (error == 0 &&
      (ftruncate(opened.file.get(), 0) != 0 || !write_all(opened.file.get(), text) ||
       fsync(opened.file.get()) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0)) {
    error = errno;
    unlink(fresh.c_str());
  } else if (error == 0) {
    error = sync_folder_of(path);
  }
  return error == 0 ? std::string() : message_of(error) + kGoesOn + kAdvice;
}

Totals set_aside(const std::string &path, const std::string &what, std::string &error) {
  error = "The state file " + path + " " + what + ". Totals begin at 0; ";
  const std::string aside = path + ".bad";
  if (std::rename(path.c_str(), aside.c_str()) == 0)
    error += "the file was renamed to " + aside + ".";
  else
    error += "renaming the file to " + aside + " failed: " + message_of(errno) + ".";
  return {};
}

}  // namespace

Totals load_totals(const std::string &path, std::string &error) {
  error.clear();
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.error == ENOENT)
    return {};
  // What is no plain file is not ours to rename.
  if (opened.is_other) {
    error = "The state file " + path +
            " is a folder or a device: set state-file to the path of a plain file. Totals begin "
            "at 0.";
    return {};
  }
  if (opened.error != 0)
    return set_aside(path, "cannot be opened: " + message_of(opened.error), error);
  const auto text = read_whole(opened.file, kMostBytes);
  if (!text)
    return set_aside(path, "cannot be read: " + message_of(errno), error);
  if (text->size() > kMostBytes)
    return set_aside(path, "is too large to be one", error);
  auto totals = parse(*text);
  if (!totals)
    return set_aside(path, "is broken, or not a file of npccount's", error);
  return *std::move(totals);
}

bool save_totals(const std::string &path, const Totals &totals, std::string &error) {
  error.clear();
  json lines = json::object();
  for (const auto &[name, line] : totals)
    lines[name] = {{"in", line.in}, {"out", line.out}};
  const json file = {{"format", kFormat}, {"version", kVersion}, {"lines", std::move(lines)}};
  const std::string failure = replace(path, file.dump() + "\n");
  if (!failure.empty())
    error = "The totals cannot be written to the state file " + path + ": " + failure;
  return failure.empty();
}

}  // namespace npc::count
