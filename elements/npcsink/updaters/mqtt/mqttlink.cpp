// SPDX-License-Identifier: LGPL-2.1-or-later
// libmosquitto, driven by the updater's own thread: a window of messages on their way.
#include "mqttlink.h"

#include <mqtt_protocol.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

namespace npc {
namespace {

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
// A socket cannot be waited for together with a stop request; this is how late a stop may be.
constexpr milliseconds kStopLate{50};
// The broker need not keep more than this for us, and what comes is small.
constexpr std::size_t kMostArrived = 4096;
// Of a message from elsewhere: a device is not to run out of memory because of what strangers
// publish. Our own discovery, the largest that we read, is a fraction of it.
constexpr std::uint32_t kMostPacket = 256 * 1024;
constexpr std::size_t kForgotten = static_cast<std::size_t>(-1);
// No topic of ours or anybody's.
constexpr const char *kNowhere = "npc/nowhere";

}  // namespace

struct MqttLink::Client {
  Client(const char *id, bool clean) {
    static std::once_flag once;
    std::call_once(once, [] { mosquitto_lib_init(); });
    handle = mosquitto_new(id, clean, this);
    if (handle != nullptr)
      set_callbacks();
  }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;
  ~Client() { mosquitto_destroy(handle); }

  void set_callbacks();
  std::string connect(const std::string &host, std::uint16_t port, const std::string &broker,
                      Version version);

  mosquitto *handle;
  std::optional<TlsContext> tls;
  MqttLink *link = nullptr;  // not while another thread connects
};

MqttLink::MqttLink(MqttLogin login) : login_(std::move(login)) {}

MqttLink::~MqttLink() {
  if (!lost_) {
    client_->link = nullptr;
    mosquitto_disconnect(client_->handle);
    if (mosquitto_want_write(client_->handle))
      mosquitto_loop_write(client_->handle, 1);
  }
  OPENSSL_cleanse(login_.password.data(), login_.password.size());
}

std::string MqttLink::open(Patience &patience, std::stop_token stop) {
  for (;;) {
    bool too_new = false;
    std::string failure = shake_hands(patience, stop, &too_new);
    if (failure.empty() && !stop.stop_requested())
      lost_ = false;
    if (!too_new || login_.version == Version::k311)
      return failure;
    login_.version = Version::k311;
  }
}

std::string MqttLink::make_client() {
  // With QoS 2 the broker remembers ids of messages and would take new ones for old. Our memory is
  // the store: nothing else of the session is needed to go on.
  client_ = std::make_shared<Client>(login_.client_id.c_str(), login_.qos == 2);
  mosquitto *handle = client_->handle;
  if (handle == nullptr)
    return "There is no memory for an MQTT client.";
  mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, static_cast<int>(login_.version));
  mosquitto_max_inflight_messages_set(handle, kWindow);
  if (!login_.user.empty()) {
    mosquitto_username_pw_set(handle, login_.user.c_str(),
                              login_.password.empty() ? nullptr : login_.password.c_str());
  }
  constexpr std::string_view kOffline = "offline";
  mosquitto_will_set(handle, login_.will_topic.c_str(), static_cast<int>(kOffline.size()),
                     kOffline.data(), std::min(login_.qos, 1), true);
  if (login_.tls) {
    client_->tls.emplace(*login_.tls, login_.broker);
    if (std::string failure = client_->tls->prepare(); !failure.empty())
      return failure;
    mosquitto_int_option(handle, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    mosquitto_void_option(handle, MOSQ_OPT_SSL_CTX, client_->tls->get());
  }
  return {};
}

// On a thread that nobody may be waiting for any more.
std::string MqttLink::Client::connect(const std::string &host, std::uint16_t port,
                                      const std::string &broker, Version version) {
  mosquitto_property *properties = nullptr;
  if (version == Version::k5) {
    mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, kSessionExpiry);
    mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, kMostPacket);
  }
  const int result = mosquitto_connect_bind_v5(
      handle, host.c_str(), port, static_cast<int>(kKeepAlive.count()), nullptr, properties);
  const int error = errno;
  mosquitto_property_free_all(&properties);
  if (result == MOSQ_ERR_SUCCESS)
    return {};
  if (tls) {
    if (std::string failure = tls->failure(); !failure.empty())
      return failure;
    // EPROTO is libmosquitto's word for what OpenSSL gives no reason for.
    if (result == MOSQ_ERR_TLS || result == MOSQ_ERR_CONN_LOST || error == ECONNRESET ||
        error == EPIPE || error == EPROTO)
      return tls->cut_off();
  }
  if (result == MOSQ_ERR_EAI)
    return "The host \"" + host + "\" is not found: " + gai_strerror(error) + ".";
  return "There is no MQTT broker to reach at " + broker +
         ": check the host and the port, and whether it runs.";
}

std::string MqttLink::shake_hands(Patience &patience, std::stop_token stop, bool *too_new) {
  connack_.reset();
  if (std::string failure = make_client(); !failure.empty())
    return failure;
  std::string failure = patience.run(
      [client = client_, host = login_.host, port = login_.port, broker = login_.broker,
       version = login_.version] { return client->connect(host, port, broker, version); },
      kPatience,
      "The broker at " + login_.broker +
          " cannot be reached: neither it nor the name server says why.",
      stop);
  if (!failure.empty() || stop.stop_requested())
    return failure;
  // Only now: until here another thread used the client.
  client_->link = this;
  lost_ = false;
  const auto until = steady_clock::now() + kPatience;
  while (!connack_ && !lost_ && !stop.stop_requested() && steady_clock::now() < until)
    turn(kStopLate);
  const bool ended = std::exchange(lost_, true);
  if (stop.stop_requested())
    return {};
  if (connack_ && (!ended || !refused_.empty())) {
    *too_new = mqtt::is_unknown_version(static_cast<std::uint8_t>(*connack_));
    return refused_;
  }
  if (ended) {
    // Old brokers hang up on what they do not know.
    *too_new = !taken_over_ && (!client_->tls || client_->tls->failure().empty());
    return why_lost_;
  }
  return "The broker at " + login_.broker +
         " does not answer: check the host and the port, and whether it hangs.";
}

void MqttLink::Client::set_callbacks() {
  mosquitto_connect_v5_callback_set(
      handle, [](mosquitto *, void *client, int code, int, const mosquitto_property *properties) {
        if (MqttLink *link = static_cast<Client *>(client)->link)
          link->on_connect(code, properties);
      });
  mosquitto_publish_v5_callback_set(
      handle, [](mosquitto *, void *client, int id, int code, const mosquitto_property *) {
        if (MqttLink *link = static_cast<Client *>(client)->link)
          link->on_publish(id, code);
      });
  mosquitto_message_callback_set(handle,
                                 [](mosquitto *, void *client, const mosquitto_message *message) {
                                   if (MqttLink *link = static_cast<Client *>(client)->link)
                                     link->on_message(*message);
                                 });
  mosquitto_subscribe_callback_set(handle, [](mosquitto *, void *client, int, int, const int *) {
    if (MqttLink *link = static_cast<Client *>(client)->link)
      link->subscribed_ = true;
  });
  mosquitto_unsubscribe_callback_set(handle, [](mosquitto *, void *client, int) {
    if (MqttLink *link = static_cast<Client *>(client)->link)
      link->caught_up_ = true;
  });
  mosquitto_disconnect_callback_set(handle, [](mosquitto *, void *client, int code) {
    if (MqttLink *link = static_cast<Client *>(client)->link)
      link->on_disconnect(code);
  });
  mosquitto_log_callback_set(handle, [](mosquitto *, void *client, int, const char *line) {
    if (auto &tls = static_cast<Client *>(client)->tls)
      tls->note_log(line);
  });
}

void MqttLink::on_connect(int code, const mosquitto_property *properties) {
  connack_ = code;
  refused_ = accept(code, properties);
  std::uint16_t most = kWindow;
  mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &most, false);
  window_ = std::clamp<std::size_t>(most, 1, kWindow);
}

std::string MqttLink::accept(int code, const mosquitto_property *properties) const {
  if (code != 0) {
    return mqtt::refusal(static_cast<std::uint8_t>(code),
                         {login_.broker, login_.client_id, login_.user, !login_.password.empty()});
  }
  std::uint8_t retains = 1;
  mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &retains, false);
  if (retains == 0) {
    return "The broker at " + login_.broker +
           " retains no messages, as status and state must be: set that right there.";
  }
  std::uint8_t qos = 2;
  mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &qos, false);
  if (qos < login_.qos) {
    return "The broker at " + login_.broker + " takes no messages of QoS " +
           std::to_string(login_.qos) + ": write qos=" + std::to_string(qos) + ".";
  }
  return {};
}

// Puts as many messages on their way as the broker takes at once, but half a window at a time: to
// send one message for each confirmation costs both sides more than the messages do.
void MqttLink::fill(std::span<const mqtt::Message> messages) {
  if (resting_ && flights_.size() > window_ / 2)
    return;
  while (!lost_ && next_ < messages.size() && flights_.size() < window_ &&
         !mosquitto_want_write(client_->handle)) {
    const mqtt::Message &message = messages[next_];
    const bool five = login_.version == Version::k5 && message.properties != nullptr;
    int id = 0;
    const int result = mosquitto_publish_v5(client_->handle, &id, message.topic,
                                            static_cast<int>(message.payload.size()),
                                            message.payload.data(), message.qos, message.retained,
                                            five ? message.properties->list() : nullptr);
    if (result != MOSQ_ERR_SUCCESS) {
      if (result == MOSQ_ERR_OVERSIZE_PACKET || result == MOSQ_ERR_PAYLOAD_SIZE)
        refusal_ = {next_, MQTT_RC_PACKET_TOO_LARGE};
      else
        lose(why_ended(result));
      return;
    }
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

void MqttLink::on_publish(int id, int code) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [id](const Flight &other) { return other.id == id; });
  if (flight == flights_.end())
    return;
  const std::size_t message = flight->message;
  flights_.erase(flight);
  if (code < 0x80)
    confirm(message);
  else if (message != kForgotten && !refusal_)
    refusal_ = {message, static_cast<std::uint8_t>(code)};
}

void MqttLink::on_message(const mosquitto_message &message) {
  // MQTT 3.1.1 has no way to tell the broker.
  if (arrived_.size() >= kMostArrived || static_cast<std::size_t>(message.payloadlen) > kMostPacket)
    return;
  arrived_.push_back(
      {message.topic,
       {static_cast<const char *>(message.payload), static_cast<std::size_t>(message.payloadlen)},
       message.retain});
}

// libmosquitto's own codes are below those of a broker's DISCONNECT.
void MqttLink::on_disconnect(int code) {
  if (code >= 0x80) {
    const auto reason = static_cast<std::uint8_t>(code);
    taken_over_ = mqtt::is_taken_over(reason);
    lose(mqtt::farewell(reason,
                        {login_.broker, login_.client_id, login_.user, !login_.password.empty()}));
  } else {
    lose(why_ended(code));
  }
}

std::string MqttLink::why_ended(int result) const {
  if (client_->tls && !connack_) {
    if (std::string failure = client_->tls->failure(); !failure.empty())
      return failure;
  }
  const std::string broker = "The broker at " + login_.broker;
  switch (result) {
    case MOSQ_ERR_PROTOCOL:
    case MOSQ_ERR_MALFORMED_PACKET:
      if (!connack_)
        return "What answers at " + login_.broker +
               " is no MQTT broker: check the host and the port.";
      // Mosquitto refuses a large message with a code that MQTT does not know there, and newer
      // libmosquittos end the connection for that.
      return broker + " sent what is not MQTT" +
             (flights_.empty() ? "."
                               : ": if it is Mosquitto, a message may be too large for its "
                                 "message_size_limit, allow it larger ones.");
    case MOSQ_ERR_KEEPALIVE:
      return broker + " does not answer any more: it may hang.";
    case MOSQ_ERR_NOMEM:
      return "There is no memory for the connection to the broker at " + login_.broker + ".";
    default:
      if (!connack_ && client_->tls)
        return client_->tls->cut_off();
      return connack_ ? "The connection to the broker at " + login_.broker + " was lost."
                      : broker +
                            " ended the connection instead of answering: check the host and "
                            "the port.";
  }
}

// Waits for the broker for at most so long, and does what is to be done. Returns whether something
// came.
bool MqttLink::turn(milliseconds most) {
  mosquitto *handle = client_->handle;
  const int socket = mosquitto_socket(handle);
  bool came = false;
  int result = socket < 0 ? MOSQ_ERR_CONN_LOST : MOSQ_ERR_SUCCESS;
  if (result == MOSQ_ERR_SUCCESS) {
    const bool writing = mosquitto_want_write(handle);
    pollfd file = {socket, static_cast<short>(POLLIN | (writing ? POLLOUT : 0)), 0};
    poll(&file, 1, static_cast<int>(most.count()));
    // Reading first: a broker that ends the connection says why, and cannot be written to.
    came = (file.revents & ~POLLOUT) != 0;
    if (came)
      result = mosquitto_loop_read(handle, 1);
    if (result == MOSQ_ERR_SUCCESS && (file.revents & POLLOUT) != 0)
      result = mosquitto_loop_write(handle, 1);
    if (result == MOSQ_ERR_SUCCESS)
      result = mosquitto_loop_misc(handle);
  }
  // What the broker said of it in on_disconnect() is better than a code.
  if (result != MOSQ_ERR_SUCCESS)
    lose(why_ended(result));
  return came;
}

// Tells the far side at once that what was read has arrived: it may hold back more until then.
void MqttLink::acknowledge() {
  const int on = 1;
  setsockopt(mosquitto_socket(client_->handle), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

Outcome MqttLink::publish(std::span<const mqtt::Message> messages, milliseconds stall,
                          milliseconds total, std::stop_token stop) {
  // What a stop cut short may still be confirmed; it is not of this batch.
  for (Flight &flight : flights_)
    flight.message = kForgotten;
  confirmed_.assign(messages.size(), 0);
  next_ = front_ = 0;
  refusal_.reset();

  auto last = steady_clock::now();
  const auto end = last + total;
  bool in_time = true;
  while (!lost_ && in_time && !refusal_ && !stop.stop_requested()) {
    fill(messages);
    if (front_ == messages.size() && !mosquitto_want_write(client_->handle))
      return {messages.size(), {}, {}, {}};
    const std::size_t before = confirmations_;
    turn(kStopLate);
    if (!lost_)
      acknowledge();
    const auto now = steady_clock::now();
    if (confirmations_ != before)
      last = now;
    in_time = now < std::min(end, last + stall);
  }
  Outcome outcome;
  outcome.confirmed = front_;
  if (refusal_) {
    outcome.failure =
        mqtt::refused_message(refusal_->code, login_.broker, messages[refusal_->message].topic);
    outcome.pause = kRefusalPause;
  } else if (lost_) {
    outcome.failure = why_lost_;
  } else if (!in_time) {
    outcome.failure = "The broker at " + login_.broker + " does not confirm: it may hang.";
  }
  return outcome;
}

// Goes on until `happened` is true. Returns false if it did not in time.
bool MqttLink::await(const bool &happened, std::stop_token stop) {
  const auto until = steady_clock::now() + kPatience;
  while (!lost_ && !happened && !stop.stop_requested()) {
    if (steady_clock::now() >= until)
      return false;
    turn(kStopLate);
  }
  return true;
}

std::string MqttLink::subscribe(std::span<const std::string> filters, std::stop_token stop) {
  std::vector<char *> names;
  for (const std::string &filter : filters)
    names.push_back(const_cast<char *>(filter.c_str()));
  subscribed_ = caught_up_ = false;
  const int options = login_.version == Version::k5 ? MQTT_SUB_OPT_NO_LOCAL : 0;
  int result = mosquitto_subscribe_multiple(
      client_->handle, nullptr, static_cast<int>(names.size()), names.data(), 0, options, nullptr);
  if (result == MOSQ_ERR_SUCCESS && !await(subscribed_, stop))
    result = MOSQ_ERR_TIMEOUT;
  // Brokers send what is retained before they answer to what came after the subscription.
  if (result == MOSQ_ERR_SUCCESS && !lost_)
    result = mosquitto_unsubscribe(client_->handle, nullptr, kNowhere);
  if (result == MOSQ_ERR_SUCCESS && !await(caught_up_, stop))
    result = MOSQ_ERR_TIMEOUT;
  if (lost_)
    return why_lost_;
  if (result != MOSQ_ERR_SUCCESS)
    return "The broker at " + login_.broker + " does not answer to a subscription.";
  return {};
}

void MqttLink::look() {
  // A message at a time: behind those of strangers waits the answer to our ping.
  for (std::size_t i = 0; i < kMostArrived && turn(milliseconds(0)) && !lost_; i++) {
  }
}

std::vector<mqtt::Arrived> MqttLink::take_arrived() {
  return std::exchange(arrived_, {});
}

void MqttLink::lose(std::string why) {
  if (std::exchange(lost_, true))
    return;
  why_lost_ = std::move(why);
}

}  // namespace npc
