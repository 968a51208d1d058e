// SPDX-License-Identifier: LGPL-2.1-or-later
// The file updater: JSON lines in a file, a pipe or a terminal.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// `file:/path[?fsync=1]`; the directory must be there, the file is created if need be. Lines are
/// appended, and go on in a new file when the old one was moved away. With `fsync=1` a record is
/// confirmed when it is on the disk, otherwise when the kernel has it. `/dev/stdout` and
/// `/dev/stderr` are those of the process, whatever they are.
std::unique_ptr<Updater> make_file_updater(const Uri &uri);

}  // namespace npc::sink
