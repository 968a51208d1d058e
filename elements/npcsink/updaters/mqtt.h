// SPDX-License-Identifier: LGPL-2.1-or-later
// The mqtt updater: records, state and status on the topics of a broker.
#pragma once

#include <memory>

#include "updater.h"

namespace npc {

/// `mqtt://[user@]host[:1883]/[?qos=1&client-id=…&password-file=…]`.
///
/// - `qos`: 0, 1 or 2, how records are published; with 0 the broker confirms nothing, so what was
///   on its way is lost with the connection
/// - `client-id`: 1 to 64 letters, digits, `-`, `_`, `.`; default `npc-<site>-<camera>-<device>`
/// - `password-file`: a file that holds the password of the user and nothing else, read anew for
///   each connection
std::unique_ptr<Updater> make_mqtt_updater(const Uri &uri);

}  // namespace npc
