// SPDX-License-Identifier: LGPL-2.1-or-later
// When a line is switched: conditions on the numbers of a record.
#pragma once

#include <gst/npc/npccounts.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace npc::sink {

/// A number of a record, by its name:
/// `people`, `people_max`, `moving`, `faces`, `object.<class>`,
/// `line.<name>.in|out|in_total|out_total`, `zone.<name>.people|people_max|entered|dwell`.
class GpioField {
 public:
  /// Throws std::invalid_argument with half a sentence.
  explicit GpioField(std::string_view text);

  /// Nothing if the record has no such line or zone.
  std::optional<std::uint64_t> in(const GstNpcCounts &counts) const;
  /// What is missing then, as in `line "door"`.
  std::string place() const { return group_ + " \"" + name_ + "\""; }
  /// Whether it is a number of events in the window.
  bool counts_events() const;

  bool operator==(const GpioField &) const = default;

 private:
  std::string group_;  // object, line, zone, or nothing
  std::string name_;
  std::string key_;
  std::string path_;  // in the record
};

/// `<field><comparison><number>`; comparisons are `>=`, `<=`, `>`, `<`, `=` and `!=`.
class GpioCondition {
 public:
  /// Throws std::invalid_argument with half a sentence.
  explicit GpioCondition(std::string_view text);

  const GpioField &field() const { return field_; }
  bool holds(std::uint64_t value) const;
  /// A number for which both hold, if they are about the same field and there is one.
  std::optional<std::uint64_t> common(const GpioCondition &other) const;

 private:
  GpioField field_;
  std::string comparison_;
  std::uint64_t number_ = 0;
};

}  // namespace npc::sink
