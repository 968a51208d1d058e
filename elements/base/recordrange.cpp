// SPDX-License-Identifier: LGPL-2.1-or-later
// Records by their numbers, as programs ask one another for them.
#include "base/recordrange.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/name.h"

namespace npc {
namespace {

using Json = nlohmann::ordered_json;

// Three names and two numbers have room in it.
constexpr std::size_t kMostText = 512;
constexpr std::uint64_t kLargest = INT64_MAX - 1;

std::string name_in(const Json &object, const char *key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> number_in(const Json &object, const char *key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() ||
      found->get<std::uint64_t>() > kLargest)
    return std::nullopt;
  return found->get<std::uint64_t>();
}

}  // namespace

std::optional<RecordRange> read_record_range(std::string_view json, std::string_view site,
                                             std::string_view camera) {
  if (json.size() > kMostText)
    return std::nullopt;
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object())
    return std::nullopt;
  RecordRange records{site.empty() ? name_in(object, "site") : std::string(site),
                      camera.empty() ? name_in(object, "camera") : std::string(camera),
                      name_in(object, "boot"),
                      {}};
  const auto from = number_in(object, "from"), to = number_in(object, "to");
  if (!is_name(records.site) || !is_name(records.camera) || !is_name(records.boot) || !from ||
      !to || *from > *to)
    return std::nullopt;
  records.range = {*from, *to};
  return records;
}

std::string write_record_range(const RecordRange &records, bool with_names) {
  Json object = Json::object();
  if (with_names) {
    object["site"] = records.site;
    object["camera"] = records.camera;
  }
  object["boot"] = records.boot;
  object["from"] = records.range.from;
  object["to"] = records.range.to;
  return object.dump();
}

}  // namespace npc
