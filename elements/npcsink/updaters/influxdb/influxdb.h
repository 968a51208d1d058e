// SPDX-License-Identifier: LGPL-2.1-or-later
// The influxdb and influxdbs updaters: line protocol into a database of InfluxDB 1.x or 2.x.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// `influxdb://[user@]host[:8086]/database[?password-file=…]` for 1.x,
/// `influxdb://host[:8086]/?org=…&bucket=…&token-file=…` for 2.x; `influxdbs` for both with TLS.
///
/// - `password-file`: holds the password of the user and nothing else, read for each connection
/// - `token-file`: likewise a token
/// - `ca-file`, with influxdbs: the authorities to trust instead of those of the system
/// - `insecure=1`, with influxdbs: any certificate will do
std::unique_ptr<Updater> make_influxdb_updater(const Uri &uri);

}  // namespace npc::sink
