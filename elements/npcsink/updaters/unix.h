// SPDX-License-Identifier: LGPL-2.1-or-later
// The unix updater: records to a program on this device, through a stream socket.
#pragma once

#include <chrono>
#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// `unix:/path[?format=json][&resend=0]`; somebody else must listen there.
///
/// - `format=json`, the default: JSON lines over one connection
/// - `format=classic`: `<camera> <people> <moving> <faces>`, as the first No-picture Camera sent
/// it:
///   a connection for each message, without a newline
/// - `resend=1`: npcsrc listens there, and may ask for records that it misses; default 0
std::unique_ptr<Updater> make_unix_updater(const Uri &uri);

/// The same with another timeout for a reader that does not read; otherwise it is 10 s.
std::unique_ptr<Updater> make_unix_updater(const Uri &uri, std::chrono::milliseconds timeout);

}  // namespace npc::sink
