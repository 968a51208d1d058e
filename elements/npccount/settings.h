// SPDX-License-Identifier: LGPL-2.1-or-later
// What npccount's properties say.
#pragma once

#include <gst/gst.h>

#include <string>

#include "npccount/detections.h"
#include "npccount/rulesettings.h"

namespace npc::count {

/// The properties. Under the object lock.
struct CountSettings {
  RuleSettings rules;
  GstClockTime interval = 2 * GST_SECOND;
  bool post_messages = true;
  PeopleClasses people_classes;
  std::string state_file;
};

}  // namespace npc::count
