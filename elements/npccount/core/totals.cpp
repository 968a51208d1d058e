// SPDX-License-Identifier: LGPL-2.1-or-later
// How many have crossed each line since the beginning, kept in a file over restarts.
#include "npccount/core/totals.h"

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/name.h"
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

// What stands in the way of a new file with that text is said with what to do.
Status replace(const std::string &path, std::string_view text) {
  constexpr char kAdvice[] = "Set state-file to a path that can be written to.";
  const Replaced replaced = replace_file(path, text);
  if (replaced.is_other)
    return Status::failed(std::string("it is a folder or a device") + kGoesOn + kAdvice);
  if (replaced.is_blocked)
    return Status::failed(path + ".new is in the way: it is no plain file" + kGoesOn +
                          "Remove it, or set state-file to another path.");
  return replaced.is_done() ? Status()
                            : Status::failed(message_of(replaced.error) + kGoesOn + kAdvice);
}

Status set_aside(const std::string &path, const std::string &what) {
  std::string error = "The state file " + path + " " + what + ". Totals begin at 0; ";
  const std::string aside = path + ".bad";
  if (std::rename(path.c_str(), aside.c_str()) == 0)
    error += "the file was renamed to " + aside + ".";
  else
    error += "renaming the file to " + aside + " failed: " + message_of(errno) + ".";
  return Status::failed(std::move(error));
}

}  // namespace

Status load_totals(const std::string &path, Totals &totals) {
  totals.clear();
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.error == ENOENT)
    return {};
  // What is no plain file is not ours to rename.
  if (opened.is_other)
    return Status::failed(
        "The state file " + path +
        " is a folder or a device: set state-file to the path of a plain file. Totals begin at 0.");
  if (opened.error != 0)
    return set_aside(path, "cannot be opened: " + message_of(opened.error));
  const auto text = read_whole(opened.file, kMostBytes);
  if (!text)
    return set_aside(path, "cannot be read: " + message_of(errno));
  if (text->size() > kMostBytes)
    return set_aside(path, "is too large to be one");
  auto parsed = parse(*text);
  if (!parsed)
    return set_aside(path, "is broken, or not a file of npccount's");
  totals = *std::move(parsed);
  return {};
}

Status save_totals(const std::string &path, const Totals &totals) {
  json lines = json::object();
  for (const auto &[name, line] : totals)
    lines[name] = {{"in", line.in}, {"out", line.out}};
  const json file = {{"format", kFormat}, {"version", kVersion}, {"lines", std::move(lines)}};
  const Status written = replace(path, file.dump() + "\n");
  if (!written.is_failed())
    return {};
  return Status::failed("The totals cannot be written to the state file " + path + ": " +
                        written.error());
}

}  // namespace npc::count
