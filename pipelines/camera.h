// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds a camera for npc-try.
#pragma once

#include <glib.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace npc {

struct TextFree {
  void operator()(gchar *text) const { g_free(text); }
};
using Text = std::unique_ptr<gchar, TextFree>;
using Words = std::vector<std::string>;

/// A source of frames: what to call it, and the words that begin a launch line.
struct Camera {
  std::string name;
  Words words;
};

/// What libcamera finds first, else the first V4L2 device that is a camera.
std::optional<Camera> find_camera();

}  // namespace npc
