// SPDX-License-Identifier: LGPL-2.1-or-later
// A record as a GstStructure, and as a message of one.
#include "npccountsstructure.h"

#include <vector>

#include "npccountsfields.h"

namespace npc {
namespace {

class StructureSource {
 public:
  explicit StructureSource(const GstStructure *structure) : structure_(structure) {}

  std::optional<guint64> number(const char *name) const {
    const GValue *value = gst_structure_get_value(structure_, name);
    if (value == nullptr)
      return std::nullopt;
    if (G_VALUE_HOLDS_UINT(value))
      return g_value_get_uint(value);
    if (G_VALUE_HOLDS_UINT64(value))
      return g_value_get_uint64(value);
    // What a person writes without a type becomes an int.
    if (G_VALUE_HOLDS_INT(value) && g_value_get_int(value) >= 0)
      return g_value_get_int(value);
    return kNotWhole;
  }

  std::optional<std::string_view> text(const char *name) const {
    const GValue *value = gst_structure_get_value(structure_, name);
    if (value == nullptr)
      return std::nullopt;
    const gchar *text = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
    return text != nullptr ? text : "";
  }

  std::optional<StructureSource> table(const char *name) const { return table(name, name); }
  std::optional<StructureSource> table(const char *name, const char *path) const {
    const GValue *value = gst_structure_get_value(structure_, name);
    if (value == nullptr)
      return std::nullopt;
    const GstStructure *table =
        GST_VALUE_HOLDS_STRUCTURE(value) ? gst_value_get_structure(value) : nullptr;
    if (table == nullptr)
      refuse_field(path, "must be a structure");
    return StructureSource(table);
  }

  std::vector<std::string> keys() const {
    const gint count = gst_structure_n_fields(structure_);
    if (count > static_cast<gint>(kEntriesMax))
      refuse_length();
    std::vector<std::string> keys;
    for (gint i = 0; i < count; i++)
      keys.emplace_back(gst_structure_nth_field_name(structure_, static_cast<guint>(i)));
    return keys;
  }

  guint flags() const {
    const GValue *value = gst_structure_get_value(structure_, "flags");
    if (value == nullptr)
      return 0;
    if (!G_VALUE_HOLDS(value, GST_TYPE_NPC_COUNTS_FLAGS))
      refuse_field("flags", "must be of the type GstNpcCountsFlags");
    return known_flags(g_value_get_flags(value));
  }

 private:
  const GstStructure *structure_;
};

template <typename Record>
void set_field(GstStructure *structure, const Field<Record> &field, const Record &record,
               const char *name) {
  if (field.is_wide())
    gst_structure_set(structure, name, G_TYPE_UINT64, field.get(record), nullptr);
  else
    gst_structure_set(structure, name, G_TYPE_UINT, static_cast<guint>(field.get(record)), nullptr);
}

void take_table(GstStructure *structure, const char *name, GstStructure *table) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&value, table);
  gst_structure_take_value(structure, name, &value);
}

template <typename Entry, size_t size>
void set_table(GstStructure *structure, const char *name, const char *entry_name,
               const Entries<Entry> &entries, const Field<Entry> (&fields)[size]) {
  GstStructure *table = gst_structure_new_empty(name);
  for (const Entry &entry : entries) {
    GstStructure *numbers = gst_structure_new_empty(entry_name);
    for (const Field<Entry> &field : fields)
      set_field(numbers, field, entry, field.name);
    take_table(table, entry.name, numbers);
  }
  take_table(structure, name, table);
}

void set_record(GstStructure *structure, const Counts &counts) {
  gst_structure_set(structure, "version", G_TYPE_INT, GST_NPC_COUNTS_VERSION, "site", G_TYPE_STRING,
                    counts.site, "camera", G_TYPE_STRING, counts.camera, "boot", G_TYPE_STRING,
                    counts.boot, nullptr);
  for (const auto &field : {kSeq, kTime, kInterval})
    set_field<GstNpcCounts>(structure, field, counts, field.name);
  for (const auto &field : kPeopleFields)
    set_field<GstNpcCounts>(structure, field, counts, field.name);
  GstStructure *objects = gst_structure_new_empty("objects");
  for (const GstNpcObjectCount &object : counts.objects)
    set_field(objects, kObjectFields[0], object, object.name);
  take_table(structure, "objects", objects);
  set_table(structure, "lines", "line", counts.lines, kLineFields);
  set_table(structure, "zones", "zone", counts.zones, kZoneFields);
  gst_structure_set(structure, "flags", GST_TYPE_NPC_COUNTS_FLAGS, known_flags(counts), nullptr);
}

}  // namespace
}  // namespace npc

GstStructure *gst_npc_counts_to_structure(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  GstStructure *structure = gst_structure_new_empty(GST_NPC_COUNTS_MESSAGE_NAME);
  npc::set_record(structure, npc::whole(*counts));
  return structure;
}

GstNpcCounts *gst_npc_counts_from_structure(const GstStructure *structure, GError **error) {
  g_return_val_if_fail(structure != nullptr, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);
  return npc::read_bounded([&] { return npc::read_record(npc::StructureSource(structure)); },
                           npc::write_json, error);
}

GstMessage *gst_npc_counts_to_message(const GstNpcCounts *counts, GstObject *source,
                                      GstClockTime timestamp, GstClockTime stream_time,
                                      GstClockTime running_time, GstClockTime duration) {
  g_return_val_if_fail(source == nullptr || GST_IS_OBJECT(source), nullptr);
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  GstStructure *structure =
      gst_structure_new(GST_NPC_COUNTS_MESSAGE_NAME, "timestamp", G_TYPE_UINT64, timestamp,
                        "stream-time", G_TYPE_UINT64, stream_time, "running-time", G_TYPE_UINT64,
                        running_time, "duration", G_TYPE_UINT64, duration, nullptr);
  npc::set_record(structure, npc::whole(*counts));
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
