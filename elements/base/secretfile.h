// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords and tokens: they come from files, which must be fit for that.
#pragma once

#include <string>
#include <string_view>

namespace npc {

/// Why a file cannot be read, as a sentence that begins with `what` and its name; nothing if it
/// can.
std::string check_file(std::string_view what, const std::string &path);

/// Why a file with a secret cannot be used, as a sentence that begins with `what` and its name;
/// nothing if it can. One that everybody on the machine may read keeps no secret.
std::string check_secret_file(std::string_view what, const std::string &path);

/// Reads the secret that the file at `path` holds in its first line. `what` names it in sentences,
/// as in "password". Returns why it cannot be had, as a sentence, or nothing.
std::string read_secret(const std::string &path, std::string_view what, std::string *secret);

}  // namespace npc
