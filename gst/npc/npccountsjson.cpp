// SPDX-License-Identifier: LGPL-2.1-or-later
// A record as JSON.
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "npccountsfields.h"

namespace npc {
namespace {

using Json = nlohmann::ordered_json;

class JsonSource {
 public:
  explicit JsonSource(const Json &object) : object_(&object) {}

  std::optional<guint64> number(const char *name) const {
    const auto found = object_->find(name);
    if (found == object_->end())
      return std::nullopt;
    return found->is_number_unsigned() ? found->get<guint64>() : kNotWhole;
  }

  std::optional<std::string_view> text(const char *name) const {
    const auto found = object_->find(name);
    if (found == object_->end())
      return std::nullopt;
    return found->is_string() ? std::string_view(found->get_ref<const std::string &>()) : "";
  }

  std::optional<JsonSource> table(const char *name) const { return table(name, name); }
  std::optional<JsonSource> table(const char *name, const char *path) const {
    const auto found = object_->find(name);
    if (found == object_->end())
      return std::nullopt;
    if (!found->is_object())
      refuse_field(path, "must be an object");
    return JsonSource(*found);
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto &item : object_->items())
      keys.push_back(item.key());
    return keys;
  }

  guint flags() const {
    const auto found = object_->find("flags");
    if (found == object_->end())
      return 0;
    guint flags = 0;
    if (!found->is_array())
      refuse_field("flags", "must be an array of strings");
    for (const Json &flag : *found) {
      if (!flag.is_string())
        refuse_field("flags", "must be an array of strings");
      flags |= flag_from_nick(flag.get_ref<const std::string &>());
    }
    return flags;
  }

 private:
  const Json *object_;
};

// Which of two values of the same name counts would depend on who reads: nobody may choose.
class UniqueKeys {
 public:
  bool operator()(int, Json::parse_event_t event, Json &parsed) {
    if (event == Json::parse_event_t::object_start)
      keys_.emplace_back();
    else if (event == Json::parse_event_t::object_end)
      keys_.pop_back();
    else if (event == Json::parse_event_t::key &&
             !keys_.back().insert(parsed.get_ref<const std::string &>()).second)
      throw Refusal{GST_NPC_ERROR_SYNTAX, "The JSON text has two values of the same name."};
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

Json parse(std::string_view text) {
  try {
    Json root = Json::parse(text.begin(), text.end(), UniqueKeys());
    if (!root.is_object())
      throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not a JSON object: it begins with '{'."};
    return root;
  } catch (const Json::parse_error &error) {
    throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not JSON: there is a mistake at byte " +
                                            std::to_string(error.byte) + "."};
  } catch (const Json::exception &) {
    throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not JSON: a number in it is too large."};
  }
}

template <typename Entry, size_t size>
Json write_table(const GArray *array, const Field<Entry> (&fields)[size]) {
  Json table = Json::object();
  for (const Entry &entry : Entries<Entry>{array})
    for (const Field<Entry> &field : fields)
      table[entry.name][field.name] = field.get(entry);
  return table;
}

}  // namespace

std::string write_json(const GstNpcCounts &counts) noexcept {
  Json root = {{"version", GST_NPC_COUNTS_VERSION},
               {"site", counts.site},
               {"camera", counts.camera},
               {"boot", counts.boot}};
  for (const auto &field : {kSeq, kTime, kInterval})
    root[field.name] = field.get(counts);
  for (const auto &field : kPeopleFields)
    root[field.name] = field.get(counts);
  root["objects"] = Json::object();
  for (const auto &object : Entries<GstNpcObjectCount>{counts.objects})
    root["objects"][object.name] = object.count;
  root["lines"] = write_table(counts.lines, kLineFields);
  root["zones"] = write_table(counts.zones, kZoneFields);
  root["flags"] = Json::array();
  for (const GFlagsValue *flag = kFlags; flag->value_nick != nullptr; flag++)
    if ((known_flags(counts) & flag->value) != 0)
      root["flags"].push_back(flag->value_nick);
  return root.dump();
}

}  // namespace npc

gchar *gst_npc_counts_to_json(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  return g_strdup(npc::write_json(*counts).c_str());
}

GstNpcCounts *gst_npc_counts_from_json(const gchar *json, gssize length, GError **error) {
  g_return_val_if_fail(json != nullptr && length >= -1, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);
  return npc::read_guarded(
      [&] {
        const npc::Json root = npc::parse(npc::check_text(json, length));
        npc::CountsPtr counts = npc::read_record(npc::JsonSource(root));
        // Defaults make a record longer: what was read must be readable when it is written again.
        if (npc::write_json(*counts).size() > GST_NPC_RECORD_MAX)
          npc::refuse_length();
        return counts;
      },
      error);
}
