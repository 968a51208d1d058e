// SPDX-License-Identifier: LGPL-2.1-or-later
// What the properties say that name a camera, its lines, zones and thresholds.
#include "npccount/rulesettings.h"

#include <gst/npc/npc.h>

#include <utility>

#include "npccount/recordbuilder.h"
#include "npccount/ruleparser.h"

namespace npc::count {
namespace {

using Property = RuleSettings::Property;

constexpr const char *kNameRule = "a name has 1 to 64 letters, digits, _ or -";

/// Why lines, zones and names may be refused together.
constexpr const char *kRecordRule =
    "with large numbers a record would be longer than the 4096 bytes that readers take; define "
    "fewer lines and zones, or give them, site or camera shorter names";

/// What users call them.
const char *name_of(Property property) {
  constexpr const char *kNames[] = {"site", "camera", "lines", "zones", "thresholds"};
  return kNames[static_cast<std::size_t>(property)];
}

std::string the_property(Property property) {
  return std::string("The property ") + name_of(property);
}

/// Text from a user, fit for a message.
std::string in_quotes(const std::string &text) {
  g_autofree gchar *valid = g_utf8_make_valid(text.c_str(), -1);
  return '"' + std::string(valid) + '"';
}

/// Puts what `text` defines in its place in `definitions`. Returns what is wrong with it.
std::string read(Property property, const char *text, count::Definitions &definitions) {
  std::string error;
  if (property == Property::lines)
    read_lines(text, definitions.lines, error);
  else if (property == Property::zones)
    read_zones(text, definitions.zones, error);
  else
    read_thresholds(text, definitions.thresholds, error);
  return error;
}

}  // namespace

std::string RuleSettings::set(Property property, const char *text, bool running) {
  if (property == Property::site || property == Property::camera)
    return set_name(property, text != nullptr ? text : "", running);
  return set_rules(property, text, running);
}

std::string RuleSettings::set_name(Property property, const std::string &text, bool running) {
  std::string &name = property == Property::site ? site_ : camera_;
  const std::string before = name;
  const char *rule = nullptr;
  if (gst_npc_name_is_valid(text.c_str()))
    name = text;
  else
    rule = kNameRule;
  if (running && rule == nullptr && !does_record_fit(site_, camera_, *definitions_))
    rule = kRecordRule;
  std::string error;
  if (rule != nullptr)
    error = the_property(property) + " cannot be " + in_quotes(text) + ": " + rule + ".";
  if (rule == nullptr || !running) {
    at(property) = {text, std::move(error)};
    return {};
  }
  name = before;
  return error + " It stays " + in_quotes(before) + ".";
}

std::string RuleSettings::set_rules(Property property, const char *text, bool running) {
  count::Definitions wanted = *definitions_;
  std::string error = read(property, text, wanted);
  // What is not running yet is judged as a whole when it starts.
  if (running && error.empty())
    error = count::error_in(wanted);
  if (running && error.empty() && !does_record_fit(site_, camera_, wanted))
    error = std::string(1, g_ascii_toupper(*kRecordRule)) + (kRecordRule + 1) + ".";
  if (!error.empty() && running)
    return the_property(property) + " stays as it was. " + error;
  if (error.empty())
    definitions_ = std::make_shared<const count::Definitions>(std::move(wanted));
  else
    error = the_property(property) + " cannot be used. " + error;
  at(property) = {text != nullptr ? text : "", std::move(error)};
  return {};
}

std::string RuleSettings::error() const {
  for (const Setting &setting : settings_)
    if (!setting.error.empty())
      return setting.error;
  const std::string error = count::error_in(*definitions_);
  if (!error.empty())
    return the_property(Property::thresholds) + " cannot be used. " + error;
  if (!does_record_fit(site_, camera_, *definitions_))
    return std::string("The properties lines and zones cannot be used: ") + kRecordRule + ".";
  return {};
}

}  // namespace npc::count
