// SPDX-License-Identifier: LGPL-2.1-or-later
// What a URI says about a broker, whatever is done there.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/uri.h"
#include "transport/mqtt/tls.h"

namespace npc::mqtt {

struct BrokerSettings {
  std::string scheme;  ///< mqtt or mqtts, or over WebSocket ws or wss
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  std::string password_file;
  std::string client_id;  ///< empty for our own
  std::optional<TlsSettings> tls;
};

/// Reads them. Refuses parameters that are neither among them nor among `more`. What to do with the
/// path is up to the caller. Throws UriError.
BrokerSettings broker_settings(const Uri &uri, std::initializer_list<std::string_view> more);

}  // namespace npc::mqtt
