// SPDX-License-Identifier: LGPL-2.1-or-later
// What the properties say that name a camera, its lines, zones and thresholds.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "npccount/core/rules.h"

namespace npc::count {

/// Names and rules, parsed. They are judged together: thresholds refer to zones, and a record must
/// have room for all names.
///
/// While an element does not run, each text is taken, and error() says why it cannot start with
/// them. Cheap to copy, but for the texts.
class RuleSettings {
 public:
  enum class Property { site, camera, lines, zones, thresholds };

  /// Sets a property to `text`; null is empty. Where the element is `running`, a text that cannot
  /// work leaves all as it was.
  /// @return why it did, as a sentence for the user; empty if `text` was taken
  std::string set(Property property, const char *text, bool running);

  /// What the property was set to.
  const std::string &text(Property property) const { return at(property).text; }

  /// Why the element cannot start, as a sentence for the user; empty if it can.
  std::string error() const;

  // What holds: the last names and rules that were sound.
  const std::string &site() const { return site_; }
  const std::string &camera() const { return camera_; }
  /// Never null; another one after each change.
  const std::shared_ptr<const count::Definitions> &definitions() const { return definitions_; }

 private:
  struct Setting {
    std::string text;
    std::string error;  // why `text` cannot be used; empty if it can
  };

  std::string set_name(Property property, const std::string &text, bool running);
  std::string set_rules(Property property, const char *text, bool running);
  const Setting &at(Property property) const {
    return settings_[static_cast<std::size_t>(property)];
  }
  Setting &at(Property property) { return settings_[static_cast<std::size_t>(property)]; }

  std::array<Setting, 5> settings_{{{"home", {}}, {"camera", {}}, {}, {}, {}}};
  std::string site_ = "home", camera_ = "camera";
  std::shared_ptr<const count::Definitions> definitions_ =
      std::make_shared<const count::Definitions>();
};

}  // namespace npc::count
