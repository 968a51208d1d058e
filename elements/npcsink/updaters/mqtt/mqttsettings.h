// SPDX-License-Identifier: LGPL-2.1-or-later
// What the URI of an mqtt updater asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/uri.h"
#include "npcsink/updaters/mqtt/discovery.h"
#include "transport/mqtt/brokersettings.h"

namespace npc::sink {

/// Which topics are published; status always is.
struct MqttTopics {
  bool counts = true;
  bool influx = true;
  bool state = true;
  bool health = true;
};

/// The first levels of all topics, unless the URI has others.
inline constexpr const char *kTopicPrefix = "npc";

struct MqttSettings : mqtt::BrokerSettings {
  std::string web_path;  ///< of the WebSocket, begins with a /; empty for plain MQTT
  int qos = 1;
  std::string topic_prefix = kTopicPrefix;
  MqttTopics topics;
  bool resend = true;                   ///< whether records may be asked for once more
  std::optional<std::uint32_t> expiry;  ///< s; 0: never; none: as long as the sink keeps records
  std::string discovery_prefix;         ///< empty for no discovery
  DiscoveryForm discovery_form = DiscoveryForm::kDevice;
};

/// Throws UriError.
MqttSettings mqtt_settings(const Uri &uri);

}  // namespace npc::sink
