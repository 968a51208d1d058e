// SPDX-License-Identifier: LGPL-2.1-or-later
// GstNpcCounts: its types, its lists and numbers, and what its three forms have in common.
#include "npccounts.h"

#include <algorithm>
#include <set>

#include "npccountsfields.h"

namespace npc {

const GFlagsValue kFlags[] = {
    {GST_NPC_COUNTS_FLAG_PARTIAL, "GST_NPC_COUNTS_FLAG_PARTIAL", "partial"},
    {GST_NPC_COUNTS_FLAG_DEGRADED, "GST_NPC_COUNTS_FLAG_DEGRADED", "degraded"},
    {GST_NPC_COUNTS_FLAG_STALLED, "GST_NPC_COUNTS_FLAG_STALLED", "stalled"},
    {GST_NPC_COUNTS_FLAG_SHUTTERED, "GST_NPC_COUNTS_FLAG_SHUTTERED", "shuttered"},
    {GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED, "GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED", "clock-unsynced"},
    {GST_NPC_COUNTS_FLAG_REPLAYED, "GST_NPC_COUNTS_FLAG_REPLAYED", "replayed"},
    {0, nullptr, nullptr},
};

void refuse_field(const std::string &field, const char *what) {
  throw Refusal{GST_NPC_ERROR_FIELD, "The field \"" + field + "\" " + what + "."};
}

void refuse_length() {
  throw Refusal{
      GST_NPC_ERROR_TOO_LARGE,
      "The record is longer than " + std::to_string(GST_NPC_RECORD_MAX) +
          " bytes: count fewer objects, \"lines\" or \"zones\", or give them shorter names."};
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= GST_NPC_NAME_MAX &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return g_ascii_isalnum(c) || c == '_' || c == '-'; });
}

std::string_view check_name(std::optional<std::string_view> name, const char *field) {
  if (!name)
    refuse_field(field, "is missing");
  if (!is_name(*name))
    refuse_field(field, "must be a name: 1 to 64 letters, digits, '_' and '-'");
  return *name;
}

std::string_view check_text(const gchar *text, gssize length) {
  std::string_view view = length < 0 ? text : std::string_view(text, static_cast<size_t>(length));
  while (view.ends_with('\n') || view.ends_with('\r'))
    view.remove_suffix(1);
  if (view.size() > GST_NPC_RECORD_MAX)
    refuse_length();
  if (!g_utf8_validate(view.data(), static_cast<gssize>(view.size()), nullptr))
    throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not UTF-8 text, or has a NUL in it."};
  return view;
}

guint known_flags(guint flags) {
  guint known = 0;
  for (const GFlagsValue *flag = kFlags; flag->value_nick != nullptr; flag++)
    known |= flags & flag->value;
  return known;
}

guint known_flags(const GstNpcCounts &counts) {
  guint flags;
  static_assert(sizeof flags == sizeof counts.flags);
  std::memcpy(&flags, &counts.flags, sizeof flags);
  return known_flags(flags);
}

guint flag_from_nick(std::string_view nick) {
  for (const GFlagsValue *flag = kFlags; flag->value_nick != nullptr; flag++)
    if (nick == flag->value_nick)
      return flag->value;
  return 0;
}

namespace {

template <typename Record, size_t size>
bool in_range(const Record &record, const Field<Record> (&fields)[size]) {
  return std::all_of(std::begin(fields), std::end(fields),
                     [&](const Field<Record> &field) { return field.get(record) <= field.max; });
}

template <typename Entry, size_t size>
bool are_sound(const Entries<Entry> &entries, const Field<Entry> (&fields)[size]) {
  std::set<std::string_view> names;
  for (const Entry &entry : entries)
    if (!gst_npc_name_is_valid(entry.name) || !in_range(entry, fields) ||
        !names.insert(entry.name).second)
      return false;
  return true;
}

template <typename Record, typename Fields, typename Use>
bool use_field(Record &record, const Fields &fields, std::string_view key, Use use) {
  for (const auto &field : fields)
    if (key == field.name)
      return use(record, field);
  return false;
}

template <typename Entry, typename Fields, typename Use>
bool use_field(const Entries<Entry> &entries, const Fields &fields, std::string_view name,
               std::string_view key, Use use) {
  Entry *entry = entries.find(name);
  return entry != nullptr && use_field(*entry, fields, key, use);
}

/// What is before the first dot; `text` is then what is behind it.
std::string_view take_key(std::string_view &text) {
  const std::string_view key = text.substr(0, text.find('.'));
  text.remove_prefix(std::min(key.size() + 1, text.size()));
  return key;
}

/// Calls `use` with the number at that path, as what it is in and its field. Returns what that
/// returns, or false if there is none.
template <typename Whole, typename Use>
bool use_number(Whole &counts, std::string_view path, Use use) {
  static constexpr Field<GstNpcCounts> kOthers[] = {kSeq, kTime, kInterval};
  if (path.find('.') == path.npos)
    return use_field(counts, kPeopleFields, path, use) || use_field(counts, kOthers, path, use);
  const std::string_view list = take_key(path);
  if (list == "objects")
    return use_field(counts.objects, kObjectFields, path, "count", use);
  const std::string_view name = take_key(path);
  if (list == "lines")
    return use_field(counts.lines, kLineFields, name, path, use);
  return list == "zones" && use_field(counts.zones, kZoneFields, name, path, use);
}

template <typename Entry>
Entry *copy_entry(Entry *entry) {
  return new OwnedEntry<Entry>(*entry);
}

template <typename Entry>
void free_entry(Entry *entry) {
  delete static_cast<OwnedEntry<Entry> *>(entry);
}

template <typename Entry>
const Entry *entry_at(const Entries<Entry> &entries, guint index) {
  g_return_val_if_fail(index < entries.size(), nullptr);
  return &entries[index];
}

template <typename Entry>
Entry *append(Entries<Entry> &entries, const gchar *name) {
  g_return_val_if_fail(gst_npc_name_is_valid(name), nullptr);
  g_return_val_if_fail(entries.find(name) == nullptr, nullptr);
  return &entries.add(name);
}

template <typename Entry>
void remove_at(Entries<Entry> &entries, guint index) {
  g_return_if_fail(index < entries.size());
  entries.remove(index);
}

}  // namespace

bool is_sound(const GstNpcCounts *counts) {
  return is_record(counts) && gst_npc_name_is_valid(counts->site) &&
         gst_npc_name_is_valid(counts->camera) && gst_npc_name_is_valid(counts->boot) &&
         in_range(*counts, {kSeq, kTime, kInterval}) &&
         are_sound(whole(*counts).objects, kObjectFields) &&
         are_sound(whole(*counts).lines, kLineFields) &&
         are_sound(whole(*counts).zones, kZoneFields);
}

}  // namespace npc

GQuark gst_npc_error_quark() {
  return g_quark_from_static_string("gst-npc-error-quark");
}

gboolean gst_npc_name_is_valid(const gchar *name) {
  return name != nullptr && npc::is_name({name, strnlen(name, GST_NPC_NAME_MAX + 1)});
}

GType gst_npc_counts_flags_get_type() {
  static const GType type = g_flags_register_static("GstNpcCountsFlags", npc::kFlags);
  return type;
}

G_DEFINE_BOXED_TYPE(GstNpcObjectCount, gst_npc_object_count, npc::copy_entry<GstNpcObjectCount>,
                    npc::free_entry<GstNpcObjectCount>)
G_DEFINE_BOXED_TYPE(GstNpcLineCount, gst_npc_line_count, npc::copy_entry<GstNpcLineCount>,
                    npc::free_entry<GstNpcLineCount>)
G_DEFINE_BOXED_TYPE(GstNpcZoneCount, gst_npc_zone_count, npc::copy_entry<GstNpcZoneCount>,
                    npc::free_entry<GstNpcZoneCount>)
G_DEFINE_BOXED_TYPE(GstNpcCounts, gst_npc_counts, gst_npc_counts_copy, gst_npc_counts_free)

GstNpcCounts *gst_npc_counts_new(const gchar *site, const gchar *camera, const gchar *boot) {
  g_return_val_if_fail(gst_npc_name_is_valid(site), nullptr);
  g_return_val_if_fail(gst_npc_name_is_valid(camera), nullptr);
  g_return_val_if_fail(gst_npc_name_is_valid(boot), nullptr);
  auto *counts = new npc::Counts;
  counts->set_names(site, camera, boot);
  return counts;
}

GstNpcCounts *gst_npc_counts_copy(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return new npc::Counts(npc::whole(*counts));
}

void gst_npc_counts_free(GstNpcCounts *counts) {
  if (counts == nullptr)
    return;
  g_return_if_fail(npc::is_record(counts));
  delete &npc::whole(*counts);
}

guint gst_npc_counts_get_n_objects(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_record(counts), 0);
  return static_cast<guint>(npc::whole(*counts).objects.size());
}

const GstNpcObjectCount *gst_npc_counts_get_object(const GstNpcCounts *counts, guint index) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::entry_at(npc::whole(*counts).objects, index);
}

GstNpcObjectCount *gst_npc_counts_add_object(GstNpcCounts *counts, const gchar *name) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::append(npc::whole(*counts).objects, name);
}

void gst_npc_counts_remove_object(GstNpcCounts *counts, guint index) {
  g_return_if_fail(npc::is_record(counts));
  npc::remove_at(npc::whole(*counts).objects, index);
}

guint gst_npc_counts_get_n_lines(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_record(counts), 0);
  return static_cast<guint>(npc::whole(*counts).lines.size());
}

const GstNpcLineCount *gst_npc_counts_get_line(const GstNpcCounts *counts, guint index) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::entry_at(npc::whole(*counts).lines, index);
}

GstNpcLineCount *gst_npc_counts_add_line(GstNpcCounts *counts, const gchar *name) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::append(npc::whole(*counts).lines, name);
}

void gst_npc_counts_remove_line(GstNpcCounts *counts, guint index) {
  g_return_if_fail(npc::is_record(counts));
  npc::remove_at(npc::whole(*counts).lines, index);
}

guint gst_npc_counts_get_n_zones(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_record(counts), 0);
  return static_cast<guint>(npc::whole(*counts).zones.size());
}

const GstNpcZoneCount *gst_npc_counts_get_zone(const GstNpcCounts *counts, guint index) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::entry_at(npc::whole(*counts).zones, index);
}

GstNpcZoneCount *gst_npc_counts_add_zone(GstNpcCounts *counts, const gchar *name) {
  g_return_val_if_fail(npc::is_record(counts), nullptr);
  return npc::append(npc::whole(*counts).zones, name);
}

void gst_npc_counts_remove_zone(GstNpcCounts *counts, guint index) {
  g_return_if_fail(npc::is_record(counts));
  npc::remove_at(npc::whole(*counts).zones, index);
}

gboolean gst_npc_counts_get_number(const GstNpcCounts *counts, const gchar *path, guint64 *number) {
  g_return_val_if_fail(npc::is_record(counts) && path != nullptr && number != nullptr, FALSE);
  *number = 0;
  return npc::use_number(npc::whole(*counts), path, [&](const auto &record, const auto &field) {
    *number = field.get(record);
    return true;
  });
}

gboolean gst_npc_counts_set_number(GstNpcCounts *counts, const gchar *path, guint64 number) {
  g_return_val_if_fail(npc::is_record(counts) && path != nullptr, FALSE);
  return npc::use_number(npc::whole(*counts), path, [&](auto &record, const auto &field) {
    if (number > field.max)
      return false;
    field.set(record, number);
    return true;
  });
}
