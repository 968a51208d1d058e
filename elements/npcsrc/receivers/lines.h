// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines of strangers: records as JSON, and messages of the first No-picture Camera.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// The longest line that may be a record, without its newline.
inline constexpr std::size_t kMostLine = 4096;
/// Why a longer one is refused.
inline constexpr char kTooLong[] = "The line is longer than the 4096 bytes of a record.";

/// Reads a record as JSON, and writes it anew, so that only what we know of goes on. If it is none,
/// `error` says so in a sentence.
std::optional<Arrival> read_record(std::string_view line, std::string &error);

/// Reads `<camera> <people> <moving> <faces>`, as the first No-picture Camera sends it. Such a
/// message has no number, no time and no site: it gets those of its arrival.
class ClassicReader {
 public:
  explicit ClassicReader(std::string site) : site_(std::move(site)) {}

  /// The record of a message; if it is none, `error` says so in a sentence.
  std::optional<Arrival> read(std::string_view message, std::string &error);

 private:
  const std::string site_;
  std::string boot_;
  std::map<std::string, std::uint64_t> next_;  // seq, by camera
};

}  // namespace npc::source
