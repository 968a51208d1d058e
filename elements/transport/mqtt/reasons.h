// SPDX-License-Identifier: LGPL-2.1-or-later
// What a broker's codes mean, as sentences.
#pragma once

#include <cstdint>
#include <string>

namespace npc::mqtt {

/// Who spoke to whom.
struct Parties {
  const std::string &broker;  ///< its host and port
  const std::string &client_id;
  const std::string &user;  ///< may be empty
  bool has_password;
};

/// Whether a code of CONNACK says that the broker does not know this version of MQTT.
bool is_unknown_version(std::uint8_t code);
/// Why CONNACK is a no.
std::string refusal(std::uint8_t code, const Parties &parties);
/// Whether a code of PUBACK says that the message is too large.
bool is_too_large(std::uint8_t code);
/// Why a message for `topic` was not taken.
std::string refused_message(std::uint8_t code, const std::string &broker, const char *topic);
/// Whether a code of DISCONNECT says that another client has our id.
bool is_taken_over(std::uint8_t code);
/// Why the broker said goodbye.
std::string farewell(std::uint8_t code, const Parties &parties);

}  // namespace npc::mqtt
