// SPDX-License-Identifier: LGPL-2.1-or-later
// The lora updater: records to a gateway, by radio.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// `lora:/dev/spidev0.1?board=adafruit-4074&camera=7&key-file=/path&state-file=/path`; see
/// lorasettings.h. Throws UriError.
///
/// A record is confirmed when the gateway has acknowledged it, or, with `ack=0`, when it was sent.
std::unique_ptr<Updater> make_lora_updater(const Uri &uri);

}  // namespace npc::sink
