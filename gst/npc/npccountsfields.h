// SPDX-License-Identifier: LGPL-2.1-or-later
// What the three forms of a record share: its fields, their ranges, and how a stranger's are
// refused.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "npccounts.h"

namespace npc {

constexpr guint64 kNanosecondsPerMillisecond = 1000000;
// Beyond the range of every field, so that what is no whole number needs no check of its own.
constexpr guint64 kNotWhole = G_MAXUINT64;
// No record of more entries fits: the shortest takes six bytes of JSON.
constexpr guint kEntriesMax = GST_NPC_RECORD_MAX / 6;

/// Why a record is refused; never leaves the library as an exception.
struct Refusal {
  GstNpcError code;
  std::string message;
};

[[noreturn]] void refuse_field(const std::string &field, const char *what);
[[noreturn]] void refuse_length();

/// A number in a record. Fields that are not required default to `fallback`, or to 0 without one.
template <typename Record>
struct Field {
  const char *name;
  std::variant<guint Record::*, guint64 Record::*> member;
  bool required = false;
  guint Record::*fallback = nullptr;
  guint64 max = std::holds_alternative<guint Record::*>(member) ? G_MAXUINT : G_MAXINT64;

  bool is_wide() const { return std::holds_alternative<guint64 Record::*>(member); }
  guint64 get(const Record &record) const {
    return std::visit([&](auto m) { return static_cast<guint64>(record.*m); }, member);
  }
  void set(Record &record, guint64 value) const {
    std::visit([&](auto m) { record.*m = static_cast<decltype(record.*m + 0)>(value); }, member);
  }
};

inline constexpr Field<GstNpcCounts> kSeq = {"seq", &GstNpcCounts::seq, true};
inline constexpr Field<GstNpcCounts> kTime = {"time", &GstNpcCounts::time, true, nullptr,
                                              GST_NPC_TIME_MAX};
inline constexpr Field<GstNpcCounts> kInterval = {"interval", &GstNpcCounts::interval, true};
inline constexpr Field<GstNpcCounts> kPeopleFields[] = {
    {"people", &GstNpcCounts::people, true},
    {"people_max", &GstNpcCounts::people_max, false, &GstNpcCounts::people},
    {"moving", &GstNpcCounts::moving},
    {"faces", &GstNpcCounts::faces},
};
inline constexpr Field<GstNpcObjectCount> kObjectFields[] = {
    {"count", &GstNpcObjectCount::count, true},
};
inline constexpr Field<GstNpcLineCount> kLineFields[] = {
    {"in", &GstNpcLineCount::in},
    {"out", &GstNpcLineCount::out},
    {"in_total", &GstNpcLineCount::in_total},
    {"out_total", &GstNpcLineCount::out_total},
};
inline constexpr Field<GstNpcZoneCount> kZoneFields[] = {
    {"people", &GstNpcZoneCount::people},
    {"people_max", &GstNpcZoneCount::people_max, false, &GstNpcZoneCount::people},
    {"entered", &GstNpcZoneCount::entered},
    {"dwell", &GstNpcZoneCount::dwell},
};

/// The flags with their nicks, ended by one without.
extern const GFlagsValue kFlags[];

/// The flags of a record that are known. A C application may have set any bit, more than the C++
/// enum can hold, so they are not read as that.
guint known_flags(const GstNpcCounts &counts);
guint known_flags(guint flags);

bool is_name(std::string_view text);

/// Whether a record can be written: arrays, valid and unique names, numbers in range.
bool is_sound(const GstNpcCounts *counts);

/// The text of a record without the newlines at its end. Throws Refusal if it is too long, not
/// UTF-8, or has a NUL in it.
std::string_view check_text(const gchar *text, gssize length);

/// The bit of a flag, 0 if nobody knows it.
guint flag_from_nick(std::string_view nick);

/// The entries of an array as a range.
template <typename Entry>
std::pair<const Entry *, const Entry *> bounds(const GArray *array) {
  const auto *first = reinterpret_cast<const Entry *>(array->data);
  return {first, first + array->len};
}

template <typename Entry>
struct Entries {
  const GArray *array;
  const Entry *begin() const { return bounds<Entry>(array).first; }
  const Entry *end() const { return bounds<Entry>(array).second; }
};

using CountsPtr = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>;

template <size_t size>
void set_name(gchar (&target)[size], std::optional<std::string_view> name, const char *field) {
  if (!name)
    refuse_field(field, "is missing");
  if (!is_name(*name))
    refuse_field(field, "must be a name: 1 to 64 letters, digits, '_' and '-'");
  std::memcpy(target, name->data(), name->size());
  target[name->size()] = '\0';
}

/// Appends an entry with that name. `field` is what the array is called in a record.
template <typename Entry>
Entry &add_entry(GArray *array, std::string_view name, const char *field) {
  if (array->len >= kEntriesMax)
    refuse_length();
  Entry entry = {};
  if (!is_name(name))
    refuse_field(field, "has an entry whose name is not 1 to 64 letters, digits, '_' and '-'");
  for (const Entry &other : Entries<Entry>{array})
    if (name == other.name)
      refuse_field(field, "has two entries of the same name");
  set_name(entry.name, name, field);
  g_array_append_val(array, entry);
  return reinterpret_cast<Entry *>(array->data)[array->len - 1];
}

/// Reads a number out of a source, whose `number(name)` is empty if there is none of that name.
template <typename Record, typename Source>
void read_field(Record &record, const Field<Record> &field, const Source &source,
                const std::string &prefix = "") {
  const std::optional<guint64> number = source.number(field.name);
  if (!number && field.required)
    refuse_field(prefix + field.name, "is missing");
  const guint64 value =
      number.value_or(field.fallback != nullptr ? guint64{record.*field.fallback} : 0);
  if (value > field.max)
    refuse_field(prefix + field.name,
                 ("must be a whole number from 0 to " + std::to_string(field.max)).c_str());
  field.set(record, value);
}

template <typename Record, size_t size, typename Source>
void read_fields(Record &record, const Field<Record> (&fields)[size], const Source &source,
                 const std::string &prefix = "") {
  for (const Field<Record> &field : fields)
    read_field(record, field, source, prefix);
}

template <typename Source>
void check_version(const Source &source) {
  const std::optional<guint64> version = source.number("version");
  if (!version)
    refuse_field("version", "is missing");
  if (*version == kNotWhole)
    refuse_field("version", "must be a whole number");
  if (*version != GST_NPC_COUNTS_VERSION)
    throw Refusal{GST_NPC_ERROR_VERSION,
                  "The field \"version\" is " + std::to_string(*version) +
                      ", but only version 1 can be read: update the program that reads."};
}

template <typename Entry, size_t size, typename Source>
void read_table(GArray *array, const Field<Entry> (&fields)[size], const Source &source,
                const char *name) {
  const std::optional<Source> table = source.table(name);
  if (!table)
    return;
  for (const std::string &key : table->keys()) {
    Entry &entry = add_entry<Entry>(array, key, name);
    const std::string prefix = std::string(name) + "." + key;
    const std::optional<Source> numbers = table->table(key.c_str(), prefix.c_str());
    read_fields(entry, fields, *numbers, prefix + ".");
  }
}

/// Reads a record out of a source of nested tables: JSON or a structure.
template <typename Source>
CountsPtr read_record(const Source &source) {
  check_version(source);
  CountsPtr counts(gst_npc_counts_new(), gst_npc_counts_free);
  set_name(counts->site, source.text("site"), "site");
  set_name(counts->camera, source.text("camera"), "camera");
  set_name(counts->boot, source.text("boot"), "boot");
  for (const auto &field : {kSeq, kTime, kInterval})
    read_field(*counts, field, source);
  read_fields(*counts, kPeopleFields, source);
  if (const std::optional<Source> objects = source.table("objects")) {
    for (const std::string &key : objects->keys()) {
      auto &object = add_entry<GstNpcObjectCount>(counts->objects, key, "objects");
      read_field(object, {key.c_str(), &GstNpcObjectCount::count, true}, *objects, "objects.");
    }
  }
  read_table(counts->lines, kLineFields, source, "lines");
  read_table(counts->zones, kZoneFields, source, "zones");
  counts->flags = static_cast<GstNpcCountsFlags>(source.flags());
  return counts;
}

/// Turns a refusal into a GError. Out of memory ends the process here, as it does in GLib.
template <typename Read>
GstNpcCounts *read_guarded(Read read, GError **error) noexcept {
  try {
    return read().release();
  } catch (const Refusal &refusal) {
    g_set_error_literal(error, GST_NPC_ERROR, refusal.code, refusal.message.c_str());
    return nullptr;
  }
}

/// Adds the fields of a record to a structure; the record must be sound.
void set_record(GstStructure *structure, const GstNpcCounts &counts);

/// The record as JSON; the record must be sound.
std::string write_json(const GstNpcCounts &counts) noexcept;

}  // namespace npc
