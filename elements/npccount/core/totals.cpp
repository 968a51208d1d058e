// SPDX-License-Identifier: LGPL-2.1-or-later
// How many have crossed each line since the beginning, kept in a file over restarts.
#include "npccount/core/totals.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/name.h"
#include "base/statefile.h"

namespace npc::count {
namespace {

using nlohmann::json;

constexpr const char *kFormat = "npc-totals";
constexpr int kVersion = 1;
// Far more than kMostTotals names take.
constexpr std::size_t kMostBytes = 256 * 1024;
constexpr std::uint64_t kLargest = INT64_MAX;

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

}  // namespace

Status load_totals(const std::string &path, Totals &totals) {
  totals.clear();
  return load_state(path, {"npccount", "Totals begin at 0", kMostBytes},
                    [&totals](const std::string &text) {
                      auto parsed = parse(text);
                      const bool valid = parsed.has_value();
                      if (valid)
                        totals = *std::move(parsed);
                      return valid;
                    });
}

Status save_totals(const std::string &path, const Totals &totals) {
  json lines = json::object();
  for (const auto &[name, line] : totals)
    lines[name] = {{"in", line.in}, {"out", line.out}};
  const json file = {{"format", kFormat}, {"version", kVersion}, {"lines", std::move(lines)}};
  return save_state(path, file.dump() + "\n",
                    "Counting goes on; the totals are lost when the process ends");
}

}  // namespace npc::count
