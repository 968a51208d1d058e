// SPDX-License-Identifier: LGPL-2.1-or-later
// GstNpcCounts: its types, its message, and what its three forms have in common.
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

// A name may fill its array without an end if the application made a mistake.
template <size_t size>
bool holds_name(const gchar (&name)[size]) {
  return is_name({name, strnlen(name, size)});
}

template <typename Record, size_t size>
bool in_range(const Record &record, const Field<Record> (&fields)[size]) {
  return std::all_of(std::begin(fields), std::end(fields),
                     [&](const Field<Record> &field) { return field.get(record) <= field.max; });
}

template <typename Entry, size_t size>
bool are_sound(const GArray *array, const Field<Entry> (&fields)[size]) {
  if (array == nullptr)
    return false;
  std::set<std::string_view> names;
  for (const Entry &entry : Entries<Entry>{array})
    if (!holds_name(entry.name) || !in_range(entry, fields) || !names.insert(entry.name).second)
      return false;
  return true;
}

}  // namespace

bool is_sound(const GstNpcCounts *counts) {
  return counts != nullptr && holds_name(counts->site) && holds_name(counts->camera) &&
         holds_name(counts->boot) && in_range(*counts, {kSeq, kTime, kInterval}) &&
         are_sound(counts->objects, kObjectFields) && are_sound(counts->lines, kLineFields) &&
         are_sound(counts->zones, kZoneFields);
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

G_DEFINE_BOXED_TYPE(GstNpcCounts, gst_npc_counts, gst_npc_counts_copy, gst_npc_counts_free)

GstNpcCounts *gst_npc_counts_new() {
  GstNpcCounts *counts = g_new0(GstNpcCounts, 1);
  counts->objects = g_array_new(FALSE, TRUE, sizeof(GstNpcObjectCount));
  counts->lines = g_array_new(FALSE, TRUE, sizeof(GstNpcLineCount));
  counts->zones = g_array_new(FALSE, TRUE, sizeof(GstNpcZoneCount));
  return counts;
}

GstNpcCounts *gst_npc_counts_copy(const GstNpcCounts *counts) {
  g_return_val_if_fail(counts != nullptr, nullptr);
  g_return_val_if_fail(counts->objects != nullptr && counts->lines != nullptr, nullptr);
  g_return_val_if_fail(counts->zones != nullptr, nullptr);

  GstNpcCounts *copy = g_new(GstNpcCounts, 1);
  *copy = *counts;
  copy->objects = g_array_copy(counts->objects);
  copy->lines = g_array_copy(counts->lines);
  copy->zones = g_array_copy(counts->zones);
  return copy;
}

void gst_npc_counts_free(GstNpcCounts *counts) {
  if (counts == nullptr)
    return;
  g_clear_pointer(&counts->objects, g_array_unref);
  g_clear_pointer(&counts->lines, g_array_unref);
  g_clear_pointer(&counts->zones, g_array_unref);
  g_free(counts);
}

GstMessage *gst_npc_counts_new_message(GstObject *source, const GstNpcCounts *counts,
                                       GstClockTime timestamp, GstClockTime stream_time,
                                       GstClockTime running_time, GstClockTime duration) {
  g_return_val_if_fail(source == nullptr || GST_IS_OBJECT(source), nullptr);
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  GstStructure *structure =
      gst_structure_new(GST_NPC_COUNTS_MESSAGE_NAME, "timestamp", G_TYPE_UINT64, timestamp,
                        "stream-time", G_TYPE_UINT64, stream_time, "running-time", G_TYPE_UINT64,
                        running_time, "duration", G_TYPE_UINT64, duration, nullptr);
  npc::set_record(structure, *counts);
  return gst_message_new_element(source, structure);
}

GstNpcCounts *gst_npc_counts_from_message(GstMessage *message) {
  g_return_val_if_fail(GST_IS_MESSAGE(message), nullptr);
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT)
    return nullptr;
  const GstStructure *structure = gst_message_get_structure(message);
  if (structure == nullptr || !gst_structure_has_name(structure, GST_NPC_COUNTS_MESSAGE_NAME))
    return nullptr;
  return gst_npc_counts_from_structure(structure, nullptr);
}
