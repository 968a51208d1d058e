// SPDX-License-Identifier: LGPL-2.1-or-later
// What users set.
#pragma once

#include <gst/gst.h>

#include <string>

namespace npc::source {

/// What the properties of those names say.
struct Settings {
  std::string uri;
  std::string state_file;
  guint64 gap_timeout = 3600 * GST_SECOND;
};

}  // namespace npc::source
