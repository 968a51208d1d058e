// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords and tokens: they come from files.
#pragma once

#include <string>
#include <string_view>

namespace npc {

/// Reads the secret that the file at `path` holds in its first line. `what` names it in sentences,
/// as in "password". Returns why it cannot be had, as a sentence, or nothing.
std::string read_secret(const std::string &path, std::string_view what, std::string *secret);

}  // namespace npc
