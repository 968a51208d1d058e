// SPDX-License-Identifier: LGPL-2.1-or-later
// The file receiver: a recording, played again.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// `file:/path[?speed=1]`: JSON lines, as the updater `file:` writes them, at the pace of the
/// records' times, or so many times as fast; with `speed=0` as fast as it goes. Ends with the file.
std::unique_ptr<Receiver> make_file_receiver(const Uri &uri);

}  // namespace npc::source
