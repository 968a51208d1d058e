// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a broker is, and as whom to go there.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "transport/mqtt/message.h"
#include "transport/mqtt/tls.h"

namespace npc::mqtt {

/// Where the broker is and what CONNECT says.
struct Login {
  std::string broker;  ///< its host and port, for sentences
  std::string host;
  std::uint16_t port = 0;
  std::string web_path;  ///< for MQTT over WebSocket, begins with a /; empty for plain MQTT
  std::optional<TlsSettings> tls;
  Version version = Version::k5;  ///< the highest to try
  std::string client_id;
  std::string user;  ///< empty for none
  std::string password;
  /// The broker publishes `offline` there, retained, when we vanish; empty for no will.
  std::string will_topic;
  int qos = 1;  ///< the highest of all messages
  std::chrono::seconds keep_alive{30};
  /// The broker keeps nothing for us when we are gone.
  bool clean = false;
  /// It is there to receive. What there is no room for stays at the broker, and with it all that
  /// comes later, answers too; else it is given up.
  bool receives = false;
};

}  // namespace npc::mqtt
