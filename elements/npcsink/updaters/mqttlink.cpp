// SPDX-License-Identifier: LGPL-2.1-or-later
// MQTT's conversation: CONNECT, a window of messages on their way, and what the broker says.
#include "mqttlink.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "mqttreasons.h"

namespace npc {
namespace {

using mqtt::Type;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kKeepAlive{30};
constexpr seconds kPatience{10};
// Only somebody at the broker can change its mind.
constexpr seconds kRefusalPause{60};
constexpr std::uint32_t kSessionExpiry = 7 * 24 * 3600;
// AWS's broker cuts off who has more than a hundred unconfirmed messages on their way; MQTT 5 tells
// us, MQTT 3.1.1 does not. More would not be faster.
constexpr std::size_t kWindow = 100;
constexpr std::size_t kWriteSize = 65536;
// The broker need not keep more than this for us, and what comes is small.
constexpr std::size_t kMostArrived = 4096;
constexpr std::size_t kForgotten = static_cast<std::size_t>(-1);

}  // namespace

MqttLink::MqttLink(MqttLogin login) : login_(std::move(login)) {}

MqttLink::~MqttLink() {
  if (!lost_) {
    mqtt::append_disconnect(out_);
    flush();
  }
  OPENSSL_cleanse(login_.password.data(), login_.password.size());
}

std::string MqttLink::open(std::stop_token stop) {
  for (;;) {
    bool too_new = false;
    std::string failure = shake_hands(steady_clock::now() + kPatience, stop, &too_new);
    if (failure.empty() && !stop.stop_requested())
      lost_ = false;
    if (!too_new || login_.version == Version::k311)
      return failure;
    login_.version = Version::k311;
  }
}

std::string MqttLink::shake_hands(Time until, std::stop_token stop, bool *too_new) {
  std::string failure =
      connection_.open(login_.target, login_.tls.has_value() ? &*login_.tls : nullptr, until, stop);
  if (!failure.empty() || stop.stop_requested())
    return failure;
  write_connect();
  in_.clear();
  for (;;) {
    flush();
    connection_.read(in_);
    try {
      // The kind first: what is no broker may seem to announce a long packet.
      if (!in_.empty() &&
          static_cast<unsigned char>(in_.front()) >> 4 != static_cast<unsigned>(Type::kConnack))
        throw mqtt::ProtocolError("that is no answer to CONNECT");
      if (const auto packet = mqtt::first_packet(in_))
        return accept(*packet, too_new);
    } catch (const mqtt::ProtocolError &) {
      return "What answers at " + login_.target.name +
             " is no MQTT broker: check the host and the port.";
    }
    if (connection_.ended()) {
      // Old brokers hang up on what they do not know.
      *too_new = connection_.why().empty();
      if (!connection_.why().empty())
        return connection_.why();
      return "The broker at " + login_.target.name +
             " ended the connection instead of answering: check the host and the port.";
    }
    if (!connection_.wait(!out_.empty(), until, stop))
      return "The broker at " + login_.target.name + " does not answer.";
    if (stop.stop_requested())
      return {};
  }
}

void MqttLink::write_connect() {
  mqtt::Connect connect;
  connect.version = login_.version;
  connect.client_id = login_.client_id;
  connect.user = login_.user;
  connect.password = login_.password;
  // With QoS 2 the broker remembers ids of messages and would take new ones for old. Our memory is
  // the store: nothing else of the session is needed to go on.
  connect.clean = login_.qos == 2;
  connect.session_expiry = kSessionExpiry;
  connect.keep_alive = static_cast<std::uint16_t>(kKeepAlive.count());
  connect.will = {login_.will_topic, "offline", std::min(login_.qos, 1), true};
  out_.clear();
  sent_ = 0;
  mqtt::append_connect(out_, connect);
}

std::string MqttLink::accept(const mqtt::Packet &packet, bool *too_new) {
  const mqtt::Connack connack = mqtt::read_connack(packet, login_.version);
  in_.erase(0, packet.size);
  if (connack.code != 0) {
    *too_new = mqtt::is_unknown_version(connack.code);
    return mqtt::refusal(connack.code, {login_.target.name, login_.client_id, login_.user});
  }
  if (!connack.retain_available) {
    return "The broker at " + login_.target.name +
           " retains no messages, as status and state must be: set that right there.";
  }
  if (connack.maximum_qos < login_.qos) {
    return "The broker at " + login_.target.name + " takes no messages of QoS " +
           std::to_string(login_.qos) + ": write qos=" + std::to_string(connack.maximum_qos) + ".";
  }
  window_ = std::min<std::size_t>(kWindow, connack.receive_maximum);
  keep_alive_ = connack.keep_alive ? seconds(*connack.keep_alive) : kKeepAlive;
  last_sent_ = steady_clock::now();
  return {};
}

// Sends what can be sent at once.
void MqttLink::flush() {
  while (sent_ < out_.size()) {
    const std::size_t written = connection_.write(std::string_view(out_).substr(sent_));
    if (written == 0)
      return;
    sent_ += written;
    last_sent_ = steady_clock::now();
  }
  // The first of what was sent held the password.
  if (lost_)
    OPENSSL_cleanse(out_.data(), out_.size());
  out_.clear();
  sent_ = 0;
}

std::uint16_t MqttLink::next_id() {
  if (++last_id_ == 0)
    last_id_ = 1;
  return last_id_;
}

// Puts as many messages on their way as the broker takes at once, but half a window at a time: to
// send one message for each confirmation costs both sides more than the messages do.
void MqttLink::fill(std::span<const mqtt::Message> messages) {
  if (resting_ && flights_.size() > window_ / 2)
    return;
  while (next_ < messages.size() && flights_.size() < window_ && out_.size() < kWriteSize) {
    const mqtt::Message &message = messages[next_];
    const std::uint16_t id = message.qos > 0 ? next_id() : std::uint16_t{0};
    mqtt::append_publish(out_, login_.version, message, id);
    if (message.qos > 0)
      flights_.push_back({id, next_});
    else
      confirm(next_);
    next_++;
  }
  resting_ = flights_.size() >= window_;
}

void MqttLink::confirm(std::size_t message) {
  confirmations_++;
  if (message == kForgotten)
    return;
  confirmed_[message] = 1;
  while (front_ < confirmed_.size() && confirmed_[front_] != 0)
    front_++;
}

// Sends and receives what goes at once. Returns whether anything came.
bool MqttLink::exchange() {
  keep_alive();
  flush();
  return receive();
}

bool MqttLink::receive() {
  const bool came = connection_.read(in_) > 0;
  if (came)
    take_packets();
  if (connection_.ended()) {
    lose(connection_.why().empty()
             ? "The connection to the broker at " + login_.target.name + " was lost."
             : connection_.why());
  }
  return came;
}

void MqttLink::keep_alive() {
  if (keep_alive_.count() == 0)
    return;
  const auto now = steady_clock::now();
  if (ping_due_ && now > ping_sent_ + kPatience) {
    lose("The broker at " + login_.target.name + " does not answer any more: it may hang.");
  } else if (!ping_due_ && now > last_sent_ + keep_alive_ / 2) {
    mqtt::append_ping(out_);
    ping_due_ = true;
    ping_sent_ = now;
  }
}

void MqttLink::take_packets() {
  std::size_t taken = 0;
  try {
    while (const auto packet = mqtt::first_packet(std::string_view(in_).substr(taken))) {
      handle(*packet);
      taken += packet->size;
    }
  } catch (const mqtt::ProtocolError &error) {
    lose("The broker at " + login_.target.name + " sent what is not MQTT: " + error.what() + ".");
  }
  in_.erase(0, taken);
}

void MqttLink::handle(const mqtt::Packet &packet) {
  switch (packet.type) {
    case Type::kPuback:
    case Type::kPubrec:
    case Type::kPubcomp:
      handle_ack(packet);
      break;
    case Type::kSuback: {
      const mqtt::Ack ack = mqtt::read_ack(packet, login_.version);
      if (ack.id == subscription_)
        subscribed_ = true;
      break;
    }
    case Type::kPublish:
      if (arrived_.size() < kMostArrived)
        arrived_.push_back(mqtt::read_publish(packet, login_.version));
      break;
    case Type::kPingresp:
      ping_due_ = false;
      answered_ = true;
      break;
    case Type::kDisconnect: {
      const std::uint8_t code = mqtt::read_disconnect(packet);
      taken_over_ = mqtt::is_taken_over(code);
      lose(mqtt::farewell(code, {login_.target.name, login_.client_id, login_.user}));
      break;
    }
    default:
      throw mqtt::ProtocolError("a packet of a kind that brokers do not send");
  }
}

void MqttLink::handle_ack(const mqtt::Packet &packet) {
  const mqtt::Ack ack = mqtt::read_ack(packet, login_.version);
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [&](const Flight &other) { return other.id == ack.id; });
  if (flight == flights_.end())
    return;
  if (packet.type == Type::kPubrec && ack.code < 0x80) {
    mqtt::append_pubrel(out_, ack.id);
    return;
  }
  const std::size_t message = flight->message;
  flights_.erase(flight);
  if (ack.code < 0x80)
    confirm(message);
  else if (message != kForgotten)
    refusal_ = mqtt::refused_message(ack.code, login_.target.name);
}

Outcome MqttLink::publish(std::span<const mqtt::Message> messages, milliseconds stall,
                          milliseconds total, std::stop_token stop) {
  // What a stop cut short may still be confirmed; it is not of this batch.
  for (Flight &flight : flights_)
    flight.message = kForgotten;
  confirmed_.assign(messages.size(), 0);
  next_ = front_ = 0;
  refusal_.clear();

  auto last = steady_clock::now();
  const auto end = last + total;
  std::size_t before = confirmations_;
  bool in_time = true;
  while (!lost_ && in_time && refusal_.empty() && !stop.stop_requested()) {
    fill(messages);
    keep_alive();
    flush();
    if (front_ == messages.size() && out_.empty())
      return {messages.size(), {}, {}, {}};
    // Looking before waiting would nearly always be in vain, and double the system calls.
    in_time = connection_.wait(!out_.empty(), std::min(end, last + stall), stop);
    receive();
    if (resting_ && flights_.size() > window_ / 2)
      connection_.acknowledge();
    if (confirmations_ != before) {
      before = confirmations_;
      last = steady_clock::now();
    }
  }
  Outcome outcome;
  outcome.confirmed = front_;
  if (lost_) {
    outcome.failure = why_lost_;
  } else if (!refusal_.empty()) {
    outcome.failure = refusal_;
    outcome.pause = kRefusalPause;
  } else if (!in_time) {
    outcome.failure = "The broker at " + login_.target.name + " does not confirm: it may hang.";
  }
  return outcome;
}

// Goes on until `happened` is true. Returns false if it did not in time.
bool MqttLink::await(const bool &happened, Time until, std::stop_token stop) {
  while (!lost_ && !happened && !stop.stop_requested()) {
    if (!exchange() && !lost_ && !connection_.wait(!out_.empty(), until, stop))
      return false;
  }
  return true;
}

std::string MqttLink::subscribe(std::span<const std::string> filters, std::stop_token stop) {
  subscribed_ = answered_ = false;
  subscription_ = next_id();
  mqtt::append_subscribe(out_, login_.version, subscription_, filters);
  // Brokers send what is retained before they answer to what came after the subscription.
  mqtt::append_ping(out_);
  ping_due_ = true;
  ping_sent_ = steady_clock::now();
  const auto until = ping_sent_ + kPatience;
  if (!await(subscribed_, until, stop) || !await(answered_, until, stop))
    return "The broker at " + login_.target.name + " does not answer to a subscription.";
  return lost_ ? why_lost_ : std::string();
}

void MqttLink::look() {
  while (!lost_ && exchange()) {
  }
}

std::vector<mqtt::Arrived> MqttLink::take_arrived() {
  return std::exchange(arrived_, {});
}

void MqttLink::lose(std::string why) {
  if (lost_)
    return;
  lost_ = true;
  why_lost_ = std::move(why);
}

}  // namespace npc
