// SPDX-License-Identifier: LGPL-2.1-or-later
// The MQTT receiver: records that cameras publish at a broker.
#pragma once

#include <memory>

#include "base/uri.h"
#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// `mqtt://host[:port]/[filter][?group=name]`, and `mqtts:`. The filter of topics is npc/+/+/counts
/// unless given; with a group it is a shared subscription. Throws UriError.
std::unique_ptr<Receiver> make_mqtt_receiver(const Uri &uri);

}  // namespace npc::source
