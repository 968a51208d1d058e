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
#include <utility>
#include <variant>
#include <vector>

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

/// Whether a record can be written: valid and unique names, numbers in range.
bool is_sound(const GstNpcCounts *counts);

/// The text of a record without the newlines at its end. Throws Refusal if it is too long, not
/// UTF-8, or has a NUL in it.
std::string_view check_text(const gchar *text, gssize length);

/// The bit of a flag, 0 if nobody knows it.
guint flag_from_nick(std::string_view nick);

/// What `name` in an entry points to, with the entry.
template <typename Entry>
struct OwnedEntry final : Entry {
  explicit OwnedEntry(std::string_view name) : Entry(), text(name) { this->name = text.c_str(); }
  explicit OwnedEntry(const Entry &other)
      : Entry(other), text(other.name != nullptr ? other.name : "") {
    this->name = text.c_str();
  }
  OwnedEntry(const OwnedEntry &) = delete;
  OwnedEntry &operator=(const OwnedEntry &) = delete;

  const std::string text;
};

/// The classes, lines or zones of a record. It points to its entries: they stay where they are, for
/// callers point to them too.
template <typename Entry>
class Entries {
 public:
  Entries() = default;
  Entries(const Entries &other) {
    for (const Entry &entry : other)
      list_.push_back(std::make_unique<OwnedEntry<Entry>>(entry));
  }
  Entries &operator=(const Entries &) = delete;

  /// Walks entries, not pointers to them.
  struct Iterator {
    typename std::vector<std::unique_ptr<OwnedEntry<Entry>>>::const_iterator at;
    Entry &operator*() const { return **at; }
    Iterator &operator++() { return ++at, *this; }
    bool operator==(const Iterator &) const = default;
  };
  Iterator begin() const { return {list_.begin()}; }
  Iterator end() const { return {list_.end()}; }
  std::size_t size() const { return list_.size(); }
  Entry &operator[](std::size_t index) const { return *list_[index]; }
  Entry *find(std::string_view name) const {
    for (Entry &entry : *this)
      if (name == entry.name)
        return &entry;
    return nullptr;
  }
  Entry &add(std::string_view name) {
    return *list_.emplace_back(std::make_unique<OwnedEntry<Entry>>(name));
  }
  void remove(std::size_t index) { list_.erase(list_.begin() + static_cast<ptrdiff_t>(index)); }

 private:
  std::vector<std::unique_ptr<OwnedEntry<Entry>>> list_;
};

/// A record with what is behind its accessors, as the library makes them.
struct Counts final : GstNpcCounts {
  Counts() : GstNpcCounts() {
    priv = this;
    set_names("", "", "");
  }
  Counts(const Counts &other)
      : GstNpcCounts(other), objects(other.objects), lines(other.lines), zones(other.zones) {
    priv = this;
    set_names(other.site, other.camera, other.boot);
  }
  Counts &operator=(const Counts &) = delete;

  void set_names(std::string_view new_site, std::string_view new_camera,
                 std::string_view new_boot) {
    site = (texts_[0] = new_site).c_str();
    camera = (texts_[1] = new_camera).c_str();
    boot = (texts_[2] = new_boot).c_str();
  }

  Entries<GstNpcObjectCount> objects;
  Entries<GstNpcLineCount> lines;
  Entries<GstNpcZoneCount> zones;

 private:
  std::string texts_[3];
};

/// Whether the library has made it: a structure that was assigned, or that a binding has filled
/// with zeros, has nothing behind it.
inline bool is_record(const GstNpcCounts *counts) {
  return counts != nullptr && counts->priv == counts;
}

inline const Counts &whole(const GstNpcCounts &counts) {
  return static_cast<const Counts &>(counts);
}
inline Counts &whole(GstNpcCounts &counts) {
  return static_cast<Counts &>(counts);
}

using CountsPtr = std::unique_ptr<Counts>;

/// The name in that field of a record. Throws Refusal.
std::string_view check_name(std::optional<std::string_view> name, const char *field);

/// Appends an entry with that name. `field` is what the list is called in a record.
template <typename Entry>
Entry &add_entry(Entries<Entry> &entries, std::string_view name, const char *field) {
  if (entries.size() >= kEntriesMax)
    refuse_length();
  if (!is_name(name))
    refuse_field(field, "has an entry whose name is not 1 to 64 letters, digits, '_' and '-'");
  if (entries.find(name) != nullptr)
    refuse_field(field, "has two entries of the same name");
  return entries.add(name);
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
void read_table(Entries<Entry> &entries, const Field<Entry> (&fields)[size], const Source &source,
                const char *name) {
  const std::optional<Source> table = source.table(name);
  if (!table)
    return;
  for (const std::string &key : table->keys()) {
    Entry &entry = add_entry(entries, key, name);
    const std::string prefix = std::string(name) + "." + key;
    const std::optional<Source> numbers = table->table(key.c_str(), prefix.c_str());
    read_fields(entry, fields, *numbers, prefix + ".");
  }
}

/// Reads a record out of a source of nested tables: JSON or a structure.
template <typename Source>
CountsPtr read_record(const Source &source) {
  check_version(source);
  const std::string_view site = check_name(source.text("site"), "site");
  const std::string_view camera = check_name(source.text("camera"), "camera");
  const std::string_view boot = check_name(source.text("boot"), "boot");
  auto counts = std::make_unique<Counts>();
  counts->set_names(site, camera, boot);
  for (const auto &field : {kSeq, kTime, kInterval})
    read_field<GstNpcCounts>(*counts, field, source);
  read_fields<GstNpcCounts>(*counts, kPeopleFields, source);
  if (const std::optional<Source> objects = source.table("objects")) {
    for (const std::string &key : objects->keys()) {
      GstNpcObjectCount &object = add_entry(counts->objects, key, "objects");
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

/// Makes a record by `read`, and refuses one that `write` would make too long: defaults make a
/// record longer, and what was read must be readable when it is written again.
template <typename Read, typename Write>
GstNpcCounts *read_bounded(Read read, Write write, GError **error) {
  return read_guarded(
      [&] {
        CountsPtr counts = read();
        if (write(*counts).size() > GST_NPC_RECORD_MAX)
          refuse_length();
        return counts;
      },
      error);
}

/// The record as JSON; the record must be sound.
std::string write_json(const Counts &counts) noexcept;

}  // namespace npc
