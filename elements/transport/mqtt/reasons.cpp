// SPDX-License-Identifier: LGPL-2.1-or-later
// Codes of MQTT 3.1.1, up to 5, and of MQTT 5, from 128 on.
#include "transport/mqtt/reasons.h"

#include <cstdio>

namespace npc::mqtt {
namespace {

std::string number(std::uint8_t code) {
  char text[8];
  std::snprintf(text, sizeof(text), "0x%02x", code);
  return text;
}

std::string broker_at(const std::string &broker) {
  return "The broker at " + broker;
}

}  // namespace

bool is_unknown_version(std::uint8_t code) {
  return code == 1 || code == 0x84;
}

std::string refusal(std::uint8_t code, const Parties &parties) {
  const std::string broker = broker_at(parties.broker);
  switch (code) {
    case 1:
    case 0x84:
      return broker + " speaks neither MQTT 5 nor MQTT 3.1.1.";
    case 2:
    case 0x85:
      return broker + " refused the client id \"" + parties.client_id +
             "\": choose another one with client-id=.";
    case 3:
    case 0x88:
    case 0x89:
      return broker + " is not available now.";
    case 4:
    case 5:
    case 0x86:
    case 0x87:
    case 0x8c:
      if (!parties.user.empty() && !parties.has_password)
        return broker + " refused the user without a password: add password-file=/path/to/file.";
      return broker + (parties.user.empty()
                           ? " wants a user name and a password: write "
                             "mqtt://user@host/?password-file=/path/to/file."
                           : " refused the user name or the password: check the user in the URI "
                             "and what is in the password file.");
    case 0x8a:
      return broker + " has banned us: ask who runs it.";
    case 0x90:
      return broker + " refuses the topics npc/<site>/<camera>/…: check its access list.";
    case 0x97:
    case 0x9f:
      return broker + " refused the connection: there were too many.";
    case 0x9a:
      return broker + " retains no messages, as status and state must be: set that right there.";
    case 0x9b:
      return broker + " takes no messages of this QoS: write qos=0.";
    case 0x9c:
    case 0x9d:
      return broker + " says that another one is to be used: write that one's host.";
    default:
      return broker + " refused the connection with code " + number(code) + ".";
  }
}

bool is_too_large(std::uint8_t code) {
  return code == 0x95;
}

std::string refused_message(std::uint8_t code, const std::string &broker, const char *topic) {
  switch (code) {
    case 0x87:
      return broker_at(broker) + " does not let us publish on " + topic +
             ": allow this user to write there in its access list.";
    case 0x95:
      return "A message for " + std::string(topic) + " is too large for the broker at " + broker +
             ": allow it larger ones.";
    case 0x97:
      return broker_at(broker) + " takes no more messages now: a quota is used up.";
    default:
      return broker_at(broker) + " refused a message for " + topic + " with code " + number(code) +
             ".";
  }
}

bool is_taken_over(std::uint8_t code) {
  return code == 0x8e;
}

std::string farewell(std::uint8_t code, const Parties &parties) {
  const std::string broker = broker_at(parties.broker);
  switch (code) {
    case 0x87:
    case 0x98:
      return broker + " ended the connection: an administrator did, or its access list.";
    case 0x8b:
      return broker + " is shutting down.";
    case 0x8e:
      return broker + " has another client of the id \"" + parties.client_id +
             "\": give each its own with client-id=.";
    case 0x95:
      return broker + " ended the connection: a message was too large for it.";
    case 0x96:
    case 0x97:
      return broker + " ended the connection: it got too many messages.";
    default:
      return broker + " ended the connection with code " + number(code) + ".";
  }
}

}  // namespace npc::mqtt
