// SPDX-License-Identifier: LGPL-2.1-or-later
// Paho's asynchronous client with waits that a stop request ends.
#include "mqttlink.h"

#include <mqtt/async_client.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace npc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kKeepAlive{30};
constexpr seconds kConnectTimeout{10};
// More than we ever publish before we wait: Paho refuses messages beyond.
constexpr int kMaxBuffered = 8192;

// With the last client Paho ends its threads, which takes it up to ten seconds, and frees what all
// clients share, also that of a client that another thread makes meanwhile. A client that stays
// spares us both.
void keep_paho_alive() {
  [[gnu::used]] static auto *kept = new mqtt::async_client("tcp://127.0.0.1:1883", "npc-kept");
}

std::string refusal(int code, const MqttLogin &login) {
  const std::string broker = "The broker at " + login.broker;
  switch (code) {
    case 1:
      return broker + " does not speak MQTT 3.1.1.";
    case 2:
      return broker + " refused the client id \"" + login.client_id +
             "\": choose another one with ?client-id=.";
    case 3:
      return broker + " is not available now.";
    case 4:
    case 5:
      return broker + (login.user.empty()
                           ? " wants a user name and a password: write "
                             "mqtt://user@host/?password-file=/path/to/file."
                           : " refused the user name or the password: check the user in the URI "
                             "and what is in the password file.");
    default:
      return "There is no MQTT broker to reach at " + login.broker +
             ": check the host and the port, and whether it runs.";
  }
}

}  // namespace

// The callbacks come on Paho's thread, but never after its client is destroyed, and the client is
// the last member here.
class MqttLink::Paho : public mqtt::iaction_listener {
 public:
  explicit Paho(const MqttLogin &login);

  std::string open(const MqttLogin &login, std::stop_token stop);
  std::string send(const std::vector<MqttMessage> &messages);
  std::size_t await(milliseconds stall, milliseconds total, std::stop_token stop);
  bool lost() const;

 private:
  void on_success(const mqtt::token &token) override;
  void on_failure(const mqtt::token &token) override;
  std::size_t confirmed_front() const;

  // Taken by Paho's thread while it holds its own locks: Paho is not called while it is held.
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool answered_ = false;
  int connect_code_ = 0;
  bool lost_ = false;
  std::uintptr_t first_number_ = 1;  // of the messages now on their way
  std::vector<char> confirmed_;
  std::size_t confirmations_ = 0;

  std::unique_ptr<mqtt::async_client> client_;
};

MqttLink::Paho::Paho(const MqttLogin &login) {
  keep_paho_alive();
  client_ =
      std::make_unique<mqtt::async_client>("tcp://" + login.addresses.front(), login.client_id,
                                           mqtt::create_options_builder()
                                               .mqtt_version(MQTTVERSION_3_1_1)
                                               .max_buffered_messages(kMaxBuffered)
                                               .finalize());
  client_->set_connection_lost_handler([this](const std::string &) {
    {
      std::lock_guard lock(mutex_);
      lost_ = true;
    }
    changed_.notify_all();
  });
}

std::string MqttLink::Paho::open(const MqttLogin &login, std::stop_token stop) {
  std::vector<std::string> servers;
  for (const std::string &address : login.addresses)
    servers.push_back("tcp://" + address);
  auto options =
      mqtt::connect_options_builder()
          .mqtt_version(MQTTVERSION_3_1_1)
          .clean_session()
          .keep_alive_interval(kKeepAlive)
          .connect_timeout(kConnectTimeout / static_cast<int>(servers.size()))
          .will(mqtt::message(login.will_topic, mqtt::binary_ref(std::string("offline")), 1, true))
          .finalize();
  options.set_servers(std::make_shared<const mqtt::string_collection>(servers));
  if (!login.user.empty())
    options.set_user_name(login.user);
  if (!login.password.empty())
    options.set_password(login.password);
  client_->connect(std::move(options), nullptr, *this);

  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, stop, kConnectTimeout, [this] { return answered_; })) {
    if (stop.stop_requested())
      return {};
    return "The broker at " + login.broker + " does not answer.";
  }
  return connect_code_ == 0 ? std::string() : refusal(connect_code_, login);
}

std::string MqttLink::Paho::send(const std::vector<MqttMessage> &messages) {
  {
    std::lock_guard lock(mutex_);
    first_number_ += confirmed_.size();
    confirmed_.assign(messages.size(), 0);
  }
  for (std::size_t i = 0; i < messages.size(); i++) {
    const MqttMessage &message = messages[i];
    try {
      client_->publish(mqtt::make_message(message.topic, mqtt::binary_ref(message.payload),
                                          message.qos, message.retained),
                       reinterpret_cast<void *>(first_number_ + i), *this);
    } catch (const mqtt::exception &error) {
      return "Cannot publish on " + message.topic + ": " + error.what() + ".";
    }
  }
  return {};
}

std::size_t MqttLink::Paho::await(milliseconds stall, milliseconds total, std::stop_token stop) {
  const auto end = steady_clock::now() + total;
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::size_t before = confirmations_;
    const auto until = std::min(end, steady_clock::now() + stall);
    const bool moved = changed_.wait_until(lock, stop, until, [&] {
      return lost_ || confirmations_ != before || confirmed_front() == confirmed_.size();
    });
    const std::size_t front = confirmed_front();
    if (!moved || lost_ || stop.stop_requested() || front == confirmed_.size())
      return front;
  }
}

bool MqttLink::Paho::lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

std::size_t MqttLink::Paho::confirmed_front() const {
  return static_cast<std::size_t>(std::find(confirmed_.begin(), confirmed_.end(), 0) -
                                  confirmed_.begin());
}

void MqttLink::Paho::on_success(const mqtt::token &token) {
  {
    std::lock_guard lock(mutex_);
    if (token.get_type() == mqtt::token::CONNECT) {
      answered_ = true;
    } else {
      const auto number = reinterpret_cast<std::uintptr_t>(token.get_user_context());
      // A late confirmation of messages that were given up means nothing any more.
      if (number >= first_number_ && number - first_number_ < confirmed_.size()) {
        confirmed_[number - first_number_] = 1;
        confirmations_++;
      }
    }
  }
  changed_.notify_all();
}

void MqttLink::Paho::on_failure(const mqtt::token &token) {
  {
    std::lock_guard lock(mutex_);
    if (token.get_type() == mqtt::token::CONNECT) {
      answered_ = true;
      connect_code_ = token.get_return_code() != 0 ? token.get_return_code() : -1;
    } else {
      lost_ = true;
    }
  }
  changed_.notify_all();
}

MqttLink::MqttLink(MqttLogin login) : login_(std::move(login)) {}

MqttLink::~MqttLink() = default;

std::string MqttLink::open(std::stop_token stop) {
  try {
    paho_ = std::make_unique<Paho>(login_);
    return paho_->open(login_, stop);
  } catch (const mqtt::exception &error) {
    return "Cannot connect to the broker at " + login_.broker + ": " + error.what() + ".";
  }
}

Outcome MqttLink::publish(const std::vector<MqttMessage> &messages, milliseconds stall,
                          milliseconds total, std::stop_token stop) {
  Outcome outcome;
  outcome.failure = paho_->send(messages);
  const bool sent = outcome.failure.empty();
  outcome.confirmed = paho_->await(sent ? stall : milliseconds(0), total, stop);
  if (!sent || outcome.confirmed == messages.size() || stop.stop_requested())
    return outcome;
  outcome.failure =
      lost() ? why_lost() : "The broker at " + login_.broker + " does not confirm: it may hang.";
  return outcome;
}

bool MqttLink::lost() const {
  return paho_->lost();
}

std::string MqttLink::why_lost() const {
  return "The connection to the broker at " + login_.broker + " was lost.";
}

}  // namespace npc
