// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that keeps a coverage over restarts.
#include "npcsrc/core/coveragefile.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "base/name.h"
#include "base/openfile.h"

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

Coverage set_aside(const std::string &path, const std::string &what, std::string &error) {
  error = "The state file " + path + " " + what + ". " + kCost + " until they are known again; ";
  const std::string aside = path + ".bad";
  if (std::rename(path.c_str(), aside.c_str()) == 0)
    error += "the file was renamed to " + aside + ".";
  else
    error += "renaming the file to " + aside + " failed: " + message_of(errno) + ".";
  return {};
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

Coverage load_coverage(const std::string &path, std::string &error) {
  error.clear();
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.error == ENOENT)
    return {};
  // What is no plain file is not ours to rename.
  if (opened.is_other) {
    error = "The state file " + path +
            " is a folder or a device: set state-file to the path of a plain file. " + kCost + ".";
    return {};
  }
  if (opened.error != 0)
    return set_aside(path, "cannot be opened: " + message_of(opened.error), error);
  const auto text = read_whole(opened.file, kMostBytes);
  if (!text)
    return set_aside(path, "cannot be read: " + message_of(errno), error);
  if (text->size() > kMostBytes)
    return set_aside(path, "is too large to be one", error);
  auto coverage = read_coverage(*text);
  if (!coverage)
    return set_aside(path, "is broken, or not a file of npcsrc's", error);
  return *std::move(coverage);
}

bool save_coverage(const std::string &path, const Coverage &coverage, std::string &error) {
  error.clear();
  const Replaced replaced = replace_file(path, write_coverage(coverage));
  if (replaced.is_done())
    return true;
  error = "The state file " + path + " cannot be written: ";
  if (replaced.is_other)
    error += "it is a folder or a device";
  else if (replaced.is_blocked)
    error += path + ".new is in the way, which is no plain file";
  else
    error += message_of(replaced.error);
  error += std::string(". ") + kCost +
           " after a restart. Set state-file to a path that can be written to.";
  return false;
}

}  // namespace npc::source
