// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to an MQTT broker, with waits that end.
#pragma once

#include <mosquitto.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "../../patience.h"
#include "../updater.h"
#include "mqttmessage.h"
#include "mqttreasons.h"
#include "tls.h"

namespace npc {

/// Where the broker is and what CONNECT says.
struct MqttLogin {
  std::string broker;  ///< its host and port, for sentences
  std::string host;
  std::uint16_t port = 0;
  std::optional<TlsSettings> tls;
  mqtt::Version version = mqtt::Version::k5;  ///< the highest to try
  std::string client_id;
  std::string user;  ///< empty for none
  std::string password;
  std::string will_topic;  ///< the broker publishes `offline` there, retained, when we vanish
  int qos = 1;             ///< the highest of all messages
};

/// A session with a broker, from CONNECT to its end. Used by one thread. Once it is lost it stays
/// lost.
class MqttLink {
 public:
  explicit MqttLink(MqttLogin login);
  /// Sends DISCONNECT if still connected, so the broker does not publish the will.
  ~MqttLink();

  /// Connects, with MQTT 3.1.1 if the broker knows no later one. Returns why it failed, as a
  /// sentence, or nothing. `patience` waits for name servers and dead hosts.
  std::string open(Patience &patience, std::stop_token stop);
  /// What the broker speaks.
  mqtt::Version version() const { return login_.version; }

  /// Publishes messages in their order and waits until the broker has confirmed them, at most
  /// `stall` without a confirmation and at most `total`. The outcome counts messages.
  Outcome publish(std::span<const mqtt::Message> messages, std::chrono::milliseconds stall,
                  std::chrono::milliseconds total, std::stop_token stop);

  /// Whether the last publish() failed because a message was too large for the broker.
  bool too_large() const { return refusal_ && mqtt::is_too_large(refusal_->code); }

  /// Subscribes, and waits until what is retained there has arrived. Returns why it failed, as a
  /// sentence, or nothing.
  std::string subscribe(std::span<const std::string> filters, std::stop_token stop);

  /// Takes what has come, and shows the broker that we live. To be called every few seconds.
  void look();
  /// What came on the subscriptions since the last call.
  std::vector<mqtt::Arrived> take_arrived();

  /// Whether the connection has ended.
  bool lost() const { return lost_; }
  /// Why it ended, as a sentence.
  const std::string &why_lost() const { return why_lost_; }
  /// Whether it ended because another client took our client id.
  bool taken_over() const { return taken_over_; }

 private:
  /// libmosquitto's client.
  struct Client;

  struct Flight {
    int id;
    std::size_t message;  // its place in the batch, or kForgotten
  };

  struct Refusal {
    std::size_t message;
    std::uint8_t code;  // of PUBACK
  };

  std::string make_client();
  std::string shake_hands(Patience &patience, std::stop_token stop, bool *too_new);
  std::string accept(int code, const mosquitto_property *properties) const;
  void on_connect(int code, const mosquitto_property *properties);
  void on_publish(int id, int code);
  void on_message(const mosquitto_message &message);
  void on_disconnect(int code);
  void fill(std::span<const mqtt::Message> messages);
  void confirm(std::size_t message);
  bool turn(std::chrono::milliseconds most);
  void acknowledge();
  bool await(const bool &happened, std::stop_token stop);
  void lose(std::string why);
  std::string why_ended(int result) const;

  MqttLogin login_;
  std::shared_ptr<Client> client_;
  bool lost_ = true;
  bool taken_over_ = false;
  std::string why_lost_;
  std::optional<int> connack_;  // its code
  std::string refused_;         // why the broker is none for us

  std::size_t window_ = 1;
  bool resting_ = false;  // until half of the window is free
  std::deque<Flight> flights_;
  std::vector<char> confirmed_;  // of the messages of the batch
  std::size_t next_ = 0;         // the first that is not on its way
  std::size_t front_ = 0;        // the first that is not confirmed
  std::size_t confirmations_ = 0;
  std::optional<Refusal> refusal_;

  bool subscribed_ = false;
  bool caught_up_ = false;  // with what is retained
  std::vector<mqtt::Arrived> arrived_;
};

}  // namespace npc
