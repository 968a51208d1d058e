// SPDX-License-Identifier: LGPL-2.1-or-later
// The mqtt updater: records, state, status and health on the topics of a broker.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// `mqtt://[user@]host[:1883]/[?name=value&…]`, and `mqtts://[user@]host[:8883]/` with TLS; over
/// WebSocket `ws://[user@]host[:80][/path]`, and `wss://[user@]host[:443][/path]` with TLS.
///
/// - `client-id`: 1 to 64 letters, digits, `-`, `_`, `.`; default `npc-<site>-<camera>-<machine>`,
///   the first of its cameras and a hash of the machine. No two clients of a broker may have the
///   same
/// - `discovery=homeassistant`: Home Assistant finds the camera; default none
/// - `discovery-form`: `device`, one message for a camera, or `entities`, one for each of its
///   entities; default `device`
/// - `discovery-prefix`: the topic under which it looks; default `homeassistant`
/// - `expiry`: the broker forgets records after so many seconds if nobody took them, 0: never;
///   default as long as the sink keeps them; MQTT 5 only
/// - `password-file`: a file that holds the password of the user in its first line, read anew for
///   each connection; others may not read it
/// - `qos`: 0, 1 or 2, how records are published, default 1; with 0 the broker confirms nothing, so
///   what was on its way is lost with the connection
/// - `resend`: 1, the default: who has lost records may ask for them on the topics
///   `npc/<site>/<camera>/resend`; 0: nobody can, for a broker that ends the connection of who
///   subscribes to what it does not allow
/// - `topic-prefix`: the levels before `<site>/<camera>` in all topics; default `npc`
/// - `topics`: which of `counts`, `influx`, `state`, `health` are published, separated by commas;
///   default all. `status` always is
///
/// For mqtts and wss, files of PEM, read anew for each connection:
/// - `ca-file`: who may have signed the broker's certificate; default those whom the system trusts
/// - `cert-file`, `key-file`: our certificate and its key, for a broker that wants one; others may
///   not read the key
/// - `insecure=1`: takes any certificate for any host: whoever is in between can read and change
///   everything
///
/// The broker is asked for MQTT 5, then for 3.1.1.
std::unique_ptr<Updater> make_mqtt_updater(const Uri &uri);

}  // namespace npc::sink
