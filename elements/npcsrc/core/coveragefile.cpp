// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that keeps a coverage over restarts.
#include "npcsrc/core/coveragefile.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "base/name.h"
#include "base/statefile.h"

namespace npc::source {
namespace {

constexpr std::string_view kHead = "npc-coverage 1\n";
// About what the limits of a coverage allow, for numbers of ten digits.
constexpr std::size_t kMostBytes = 64 << 20;
constexpr std::uint64_t kLargest = INT64_MAX;
constexpr char kCost[] = "Records that come twice are handed on twice";

// Cuts the text off up to `end`, and that too.
std::string_view take(std::string_view &text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kLargest)
    return std::nullopt;
  return number;
}

std::optional<Range> read_range(std::string_view text) {
  const auto from = read_number(take(text, '-')), to = read_number(text);
  return from && to && *from <= *to ? std::optional(Range{*from, *to}) : std::nullopt;
}

std::optional<Coverage::Entry> read_entry(std::string_view line) {
  Coverage::Entry entry;
  for (std::string *name : {&entry.series.site, &entry.series.camera, &entry.series.boot}) {
    *name = take(line, ' ');
    if (!is_name(*name))
      return std::nullopt;
  }
  while (!line.empty()) {
    std::string_view word = take(line, ' ');
    const bool given_up = word.starts_with('!');
    word.remove_prefix(given_up ? 1 : 0);
    const auto range = read_range(word);
    if (!range)
      return std::nullopt;
    (given_up ? entry.given_up : entry.stored).add(*range);
  }
  if (entry.stored.empty())
    return std::nullopt;
  return entry;
}

void write_ranges(const Ranges &ranges, const char *mark, std::string &text) {
  for (const Range &range : ranges.list())
    text.append(" ").append(mark) += std::to_string(range.from) + "-" + std::to_string(range.to);
}

}  // namespace

std::string write_coverage(const Coverage &coverage) {
  std::string text(kHead);
  const auto &all = coverage.series();
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    text += entry->series.site + " " + entry->series.camera + " " + entry->series.boot;
    write_ranges(entry->stored, "", text);
    write_ranges(entry->given_up, "!", text);
    text += "\n";
  }
  return text + "end " + std::to_string(all.size()) + "\n";
}

std::optional<Coverage> read_coverage(std::string_view text) {
  if (!text.starts_with(kHead) || !text.ends_with('\n'))
    return std::nullopt;
  text.remove_prefix(kHead.size());
  Coverage coverage;
  std::uint64_t count = 0;
  while (true) {
    std::string_view line = take(text, '\n');
    // A line of three names and ranges has more words than this one.
    if (text.empty() && take(line, ' ') == "end" && read_number(line) == count)
      return coverage;
    const auto entry = text.empty() ? std::nullopt : read_entry(line);
    if (!entry)
      return std::nullopt;
    coverage.add_series(*entry);
    count++;
  }
}

Status load_coverage(const std::string &path, Coverage &coverage) {
  coverage = Coverage();
  return load_state(
      path, {"npcsrc", (std::string(kCost) + " until they are known again").c_str(), kMostBytes},
      [&coverage](const std::string &text) {
        auto read = read_coverage(text);
        const bool valid = read.has_value();
        if (valid)
          coverage = *std::move(read);
        return valid;
      });
}

Status save_coverage(const std::string &path, const Coverage &coverage) {
  return save_state(path, write_coverage(coverage), std::string(kCost) + " after a restart");
}

}  // namespace npc::source
