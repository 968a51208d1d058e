// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to an MQTT broker: Paho behind waits that end.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "updater.h"

namespace npc {

/// What MQTT's CONNECT says.
struct MqttLogin {
  std::string broker;                  ///< host and port, for sentences
  std::vector<std::string> addresses;  ///< numeric `host:port`, IPv6 in brackets; tried in turn
  std::string client_id;
  std::string user;  ///< empty for none
  std::string password;
  std::string will_topic;  ///< the broker publishes `offline` there, retained, when we vanish
};

struct MqttMessage {
  std::string topic;
  std::string payload;
  int qos;
  bool retained;
};

/// A connection, from CONNECT to its end. Used by one thread.
class MqttLink {
 public:
  explicit MqttLink(MqttLogin login);
  /// Sends DISCONNECT if still connected, so the broker does not publish the will.
  ~MqttLink();

  /// Connects. Returns why it failed, as a sentence, or nothing.
  std::string open(std::stop_token stop);

  /// Publishes messages in their order and waits until the broker has confirmed them, at most
  /// `stall` without a confirmation and at most `total`. The outcome counts messages.
  Outcome publish(const std::vector<MqttMessage> &messages, std::chrono::milliseconds stall,
                  std::chrono::milliseconds total, std::stop_token stop);

  /// Whether the connection has ended.
  bool lost() const;
  /// Why it ended, as a sentence.
  std::string why_lost() const;

 private:
  class Paho;
  const MqttLogin login_;
  std::unique_ptr<Paho> paho_;
};

}  // namespace npc
