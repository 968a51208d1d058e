// SPDX-License-Identifier: LGPL-2.1-or-later
// A record as JSON.
#include <nlohmann/json.hpp>
#include <utility>
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

constexpr std::size_t kFieldsOfARecord = 16;

// Makes a value of what the parser reads. The parser's own way is twice as slow, and takes two
// values of the same name: which of them counts would depend on who reads.
class JsonBuilder {
 public:
  explicit JsonBuilder(Json *root) : value_(root) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
  bool number_float(Json::number_float_t value, const std::string &) { return add(value); }
  bool string(std::string &value) { return add(std::move(value)); }
  bool binary(Json::binary_t &) { return false; }

  bool start_object(std::size_t) {
    begin(Json::object());
    // Growing copies all names.
    open_.back()->get_ref<Json::object_t &>().reserve(open_.size() == 1 ? kFieldsOfARecord : 0);
    return true;
  }
  bool end_object() { return end(); }
  bool start_array(std::size_t) { return begin(Json::array()); }
  bool end_array() { return end(); }
  bool key(const std::string &name) {
    const auto [entry, is_new] = open_.back()->get_ref<Json::object_t &>().emplace(name, nullptr);
    if (!is_new)
      throw Refusal{GST_NPC_ERROR_SYNTAX, "The JSON text has two values of the same name."};
    value_ = &entry->second;
    return true;
  }

  bool parse_error(std::size_t, const std::string &, const Json::exception &error) {
    if (const auto *mistake = dynamic_cast<const Json::parse_error *>(&error))
      throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not JSON: there is a mistake at byte " +
                                              std::to_string(mistake->byte) + "."};
    throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not JSON: a number in it is too large."};
  }

 private:
  Json &place(Json value) {
    if (!open_.empty() && open_.back()->is_array())
      return open_.back()->get_ref<Json::array_t &>().emplace_back(std::move(value));
    return *value_ = std::move(value);
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool begin(Json empty) {
    open_.push_back(&place(std::move(empty)));
    return true;
  }
  bool end() {
    open_.pop_back();
    return true;
  }

  Json *value_;  // where the next one goes, if not into an array
  std::vector<Json *> open_;
};

Json parse(std::string_view text) {
  Json root;
  JsonBuilder builder(&root);
  Json::sax_parse(text.begin(), text.end(), &builder);
  if (!root.is_object())
    throw Refusal{GST_NPC_ERROR_SYNTAX, "The record is not a JSON object: it begins with '{'."};
  return root;
}

/// Writes JSON of names and numbers, which need no escaping.
class JsonWriter {
 public:
  void key(const char *name) {
    separate();
    text_.append(1, '"').append(name).append("\":");
    first_ = true;
  }
  void number(guint64 value) {
    separate();
    text_ += std::to_string(value);
  }
  void name(const char *value) {
    separate();
    text_.append(1, '"').append(value).append(1, '"');
  }
  void open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    text_ += bracket;
    first_ = false;
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!std::exchange(first_, false))
      text_ += ',';
  }

  std::string text_;
  bool first_ = true;  // of an object or an array, or after a key
};

template <typename Record>
void write_field(JsonWriter &json, const Record &record, const Field<Record> &field) {
  json.key(field.name);
  json.number(field.get(record));
}

template <typename Entry, size_t size>
void write_table(JsonWriter &json, const char *name, const Entries<Entry> &entries,
                 const Field<Entry> (&fields)[size]) {
  json.key(name);
  json.open('{');
  for (const Entry &entry : entries) {
    json.key(entry.name);
    json.open('{');
    for (const Field<Entry> &field : fields)
      write_field(json, entry, field);
    json.close('}');
  }
  json.close('}');
}

}  // namespace

std::string write_json(const Counts &counts) noexcept {
  JsonWriter json;
  json.open('{');
  json.key("version");
  json.number(GST_NPC_COUNTS_VERSION);
  for (const auto &[name, text] :
       {std::pair("site", counts.site), {"camera", counts.camera}, {"boot", counts.boot}}) {
    json.key(name);
    json.name(text);
  }
  for (const auto &field : {kSeq, kTime, kInterval})
    write_field<GstNpcCounts>(json, counts, field);
  for (const auto &field : kPeopleFields)
    write_field<GstNpcCounts>(json, counts, field);
  json.key("objects");
  json.open('{');
  for (const GstNpcObjectCount &object : counts.objects) {
    json.key(object.name);
    json.number(object.count);
  }
  json.close('}');
  write_table(json, "lines", counts.lines, kLineFields);
  write_table(json, "zones", counts.zones, kZoneFields);
  json.key("flags");
  json.open('[');
  for (const GFlagsValue *flag = kFlags; flag->value_nick != nullptr; flag++)
    if ((known_flags(counts) & flag->value) != 0)
      json.name(flag->value_nick);
  json.close(']');
  json.close('}');
  return json.take();
}

}  // namespace npc

gchar *gst_npc_counts_to_json(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  return g_strdup(npc::write_json(npc::whole(*counts)).c_str());
}

GstNpcCounts *gst_npc_counts_from_json(const gchar *json, gssize length, GError **error) {
  g_return_val_if_fail(json != nullptr && length >= -1, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);
  return npc::read_bounded(
      [&] {
        const npc::Json root = npc::parse(npc::check_text(json, length));
        return npc::read_record(npc::JsonSource(root));
      },
      npc::write_json, error);
}
