// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords and tokens: they come from files, which must be fit for that.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace npc {

/// Whether a file can be read. The sentence begins with `what` and its name.
Status check_file(std::string_view what, const std::string &path);

/// Whether a file with a secret can be used: one that everybody on the machine may read keeps no
/// secret. The sentence begins with `what` and its name.
Status check_secret_file(std::string_view what, const std::string &path);

/// Reads the secret that the file at `path` holds in its first line. `what` names it in sentences,
/// as in "password".
Status read_secret(const std::string &path, std::string_view what, std::string *secret);

}  // namespace npc
