// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of fields and conditions.
#include "npcsink/updaters/gpio/gpiorule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <stdexcept>

namespace npc::sink {
namespace {

constexpr std::string_view kComparisons = "<>=!";
constexpr std::array<std::string_view, 4> kCounts = {"people", "people_max", "moving", "faces"};
constexpr std::array<std::string_view, 4> kOfLines = {"in", "out", "in_total", "out_total"};
constexpr std::array<std::string_view, 4> kOfZones = {"people", "people_max", "entered", "dwell"};

bool is_one_of(std::string_view text, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

GpioField::GpioField(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == text.npos) {
    if (!is_one_of(text, kCounts)) {
      throw std::invalid_argument("there is no \"" + std::string(text) +
                                  "\"; there are people, people_max, moving, faces, "
                                  "object.<class>, line.<name>.in and zone.<name>.people");
    }
    key_ = path_ = text;
    return;
  }
  group_ = text.substr(0, dot);
  const std::string_view rest = text.substr(dot + 1);
  const auto second = group_ == "object" ? rest.size() : std::min(rest.find('.'), rest.size());
  name_ = rest.substr(0, second);
  key_ = rest.substr(std::min(second + 1, rest.size()));
  if (group_ != "object" && group_ != "line" && group_ != "zone") {
    throw std::invalid_argument("\"" + group_ +
                                ".\" means nothing; there are object., line. and zone.");
  }
  if (!gst_npc_name_is_valid(name_.c_str())) {
    throw std::invalid_argument("\"" + name_ + "\" is no name of a" +
                                (group_ == "object" ? "n " : " ") + group_ +
                                "; names have 1 to 64 letters, digits, _ and -");
  }
  if (group_ == "line" && !is_one_of(key_, kOfLines))
    throw std::invalid_argument("a line has in, out, in_total and out_total, as in line.door.in");
  if (group_ == "zone" && !is_one_of(key_, kOfZones)) {
    throw std::invalid_argument(
        "a zone has people, people_max, entered and dwell, as in zone.queue.people");
  }
  // "lines" of the record holds each line, and so on.
  path_ = group_ + "s." + std::string(rest);
}

std::optional<std::uint64_t> GpioField::in(const GstNpcCounts &counts) const {
  guint64 number = 0;
  // A class that was not seen is not in the record.
  if (gst_npc_counts_get_number(&counts, path_.c_str(), &number) || group_ == "object")
    return number;
  return std::nullopt;
}

bool GpioField::counts_events() const {
  return (group_ == "line" && (key_ == "in" || key_ == "out")) ||
         (group_ == "zone" && key_ == "entered");
}

GpioCondition::GpioCondition(std::string_view text)
    : field_(text.substr(0, text.find_first_of(kComparisons))) {
  const auto begin = std::min(text.find_first_of(kComparisons), text.size());
  const auto end = std::min(text.find_first_not_of(kComparisons, begin), text.size());
  comparison_ = text.substr(begin, end - begin);
  constexpr std::array<std::string_view, 6> kKnown = {">=", "<=", ">", "<", "=", "!="};
  if (!is_one_of(comparison_, kKnown)) {
    throw std::invalid_argument("it must compare with >=, <=, >, <, = or !=, as in people>=10");
  }
  const std::string_view digits = text.substr(end);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number_);
  if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size())
    throw std::invalid_argument("a whole number must follow the " + comparison_);
}

bool GpioCondition::holds(std::uint64_t value) const {
  if (comparison_ == ">=")
    return value >= number_;
  if (comparison_ == "<=")
    return value <= number_;
  if (comparison_ == ">")
    return value > number_;
  if (comparison_ == "<")
    return value < number_;
  return (comparison_ == "=") == (value == number_);
}

std::optional<std::uint64_t> GpioCondition::common(const GpioCondition &other) const {
  if (!(field_ == other.field_))
    return {};
  // Whether a condition holds changes nowhere but around its number.
  for (const std::uint64_t number : {number_, other.number_}) {
    for (const std::uint64_t value : {number, number + 1, number - 1}) {
      if (holds(value) && other.holds(value))
        return value;
    }
  }
  return {};
}

}  // namespace npc::sink
