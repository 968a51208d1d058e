// SPDX-License-Identifier: LGPL-2.1-or-later
// The lora receiver: records of cameras, by radio.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// `lora:/dev/spidev0.1?board=adafruit-4074&cameras=/path&state-file=/path`, and the parameters of
/// lora::read_radio(): receives the cameras of that file, and acknowledges what is stored. Throws
/// UriError.
std::unique_ptr<Receiver> make_lora_receiver(const Uri &uri);

}  // namespace npc::source
