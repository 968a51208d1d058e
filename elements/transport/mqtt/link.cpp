// SPDX-License-Identifier: LGPL-2.1-or-later
// What is asked of a broker, and what its answers mean.
#include "transport/mqtt/link.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/uri.h"
#include "transport/mqtt/client.h"
#include "transport/mqtt/pahothread.h"

namespace paho = ::mqtt;

namespace npc::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kTimeout{10};
// And twice the keep-alive: a broker that lives has answered to a ping by then.
constexpr seconds kLeastSilence{60};
// Only somebody at the broker can change its mind.
constexpr seconds kRefusalPause{60};
// AWS's broker cuts off who has more than a hundred unconfirmed messages on their way; MQTT 5 tells
// us, MQTT 3.1.1 does not. More would not be faster.
constexpr std::size_t kWindow = 100;

// A number that came with CONNACK.
template <typename Number>
std::size_t number_in(const paho::properties &properties, paho::property::code code,
                      std::size_t otherwise) {
  return properties.contains(code) ? paho::get<Number>(properties, code) : otherwise;
}

}  // namespace

Link::Link(Login login) : login_(std::move(login)) {}

Link::~Link() {
  OPENSSL_cleanse(login_.password.data(), login_.password.size());
}

Parties Link::parties() const {
  return {login_.broker, login_.client_id, login_.user, !login_.password.empty()};
}

Status Link::open(BackgroundCall &background, const std::stop_token &stop) {
  const auto addresses = std::make_shared<std::vector<std::string>>();
  Status status = background.run(
      [addresses, host = login_.host] { return resolve(host, addresses.get()); }, kTimeout,
      "The host \"" + login_.host + "\" is not found: the name server does not answer.", stop);
  if (!status.is_ok())
    return status;
  for (;;) {
    Next next = Next::kNothing;
    try {
      status = connect(*addresses, stop, &next);
    } catch (const paho::exception &error) {
      status = Status::failed("Cannot connect to the broker at " + login_.broker + ": " +
                              error.what() + ".");
    } catch (const std::system_error &) {
      status = no_way();
    }
    if (!status.is_ok() || next != Next::kNothing)
      client_.reset();
    if (next == Next::kNothing)
      return status;
    if (next == Next::kOlderVersion)
      login_.version = Version::k311;
  }
}

Status Link::connect(const std::vector<std::string> &addresses, const std::stop_token &stop,
                     Next *next) {
  Connection connection(login_.broker, login_.tls);
  Status status = connection.open(addresses, login_.port, kTimeout, stop);
  if (status.is_ok() && !login_.web_path.empty()) {
    status = connection.upgrade(host_and_port(login_.host, login_.port), login_.web_path, kTimeout,
                                stop);
  }
  if (!status.is_ok())
    return status;
  // Before the first client: see run_on_paho().
  if (const Waited waited = run_on_paho([] {}, kTimeout, stop); waited != Waited::kReady)
    return waited == Waited::kStopped ? Status::stopped() : no_way();
  client_ = std::make_unique<Client>(login_, std::move(connection));
  switch (client_->connect(login_, kTimeout, stop)) {
    case Answer::kAccepted:
      return accept(next);
    case Answer::kRefused:
      return refused(client_->refusal(), next);
    case Answer::kClosed:
      // Old brokers hang up on what they do not know. Others do when they are restarted.
      if (client_->tunnel().failure().empty() && login_.version != Version::k311)
        *next = Next::kOlderVersion;
      return unanswered();
    case Answer::kUnasked:
      return no_way();
    case Answer::kStopped:
      return Status::stopped();
    default:
      return Status::failed("The broker at " + login_.broker +
                            " does not answer: check the host and the port, and whether it hangs.");
  }
}

// Why nothing goes from us to Paho, or from Paho to the tunnel.
Status Link::no_way() const {
  return Status::failed(
      "The way to the broker at " + login_.broker +
      " begins on 127.0.0.1, and nothing gets through there: check that the loopback interface "
      "is up and behind no firewall, and that the process may open more files (ulimit -n).");
}

Status Link::refused(std::uint8_t code, Next *next) {
  if (is_unknown_version(code) && login_.version != Version::k311) {
    knows_no_later_ = true;
    *next = Next::kOlderVersion;
  }
  taken_over_ = is_taken_over(code);
  return Status::failed(taken_over_ ? npc::mqtt::farewell(code, parties())
                                    : refusal(code, parties()));
}

Status Link::unanswered() const {
  if (std::string failure = client_->tunnel().failure(); !failure.empty() || login_.tls)
    return Status::failed(failure.empty() ? client_->tunnel().cut_off() : std::move(failure));
  return Status::failed("The broker at " + login_.broker +
                        " ended the connection instead of answering: check the host and the port.");
}

// MQTT 5 lets the broker set the keep-alive. Paho's client follows it from 1.3.14 on; before, it
// goes by what it got when it connected. Returns whether it must connect anew.
bool Link::follow_keep_alive() {
  const auto asked = static_cast<std::size_t>(login_.keep_alive.count());
  const std::size_t wanted =
      number_in<std::uint16_t>(client_->connack(), paho::property::SERVER_KEEP_ALIVE, asked);
  silence_ = std::max(kLeastSilence, seconds(2 * wanted));
  if (wanted == 0)
    silence_.reset();
  if (wanted == 0 || wanted >= asked)
    return false;
  login_.keep_alive = seconds(wanted);
  return true;
}

// Whether the broker is one for us.
Status Link::accept(Next *next) {
  const paho::properties &connack = client_->connack();
  const std::string broker = "The broker at " + login_.broker;
  if (!login_.will_topic.empty() &&
      number_in<std::uint8_t>(connack, paho::property::RETAIN_AVAILABLE, 1) == 0)
    return Status::failed(
        broker + " retains no messages, as status and state must be: set that right there.");
  const std::size_t qos = number_in<std::uint8_t>(connack, paho::property::MAXIMUM_QOS, 2);
  if (qos < static_cast<std::size_t>(login_.qos)) {
    return Status::failed(broker + " takes no messages of QoS " + std::to_string(login_.qos) +
                          ": write qos=" + std::to_string(qos) + ".");
  }
  const std::size_t window =
      number_in<std::uint16_t>(connack, paho::property::RECEIVE_MAXIMUM, kWindow);
  client_->set_limits(std::clamp<std::size_t>(window, 1, kWindow),
                      number_in<std::uint32_t>(connack, paho::property::MAXIMUM_PACKET_SIZE,
                                               static_cast<std::size_t>(-1)));
  if (follow_keep_alive())
    *next = Next::kKeepAlive;
  return {};
}

Published Link::publish(std::span<const Message> messages, milliseconds stall, milliseconds total,
                        const std::stop_token &stop) {
  refusal_.reset();
  if (messages.empty())
    return {};
  const Client::Batch batch = client_->publish(messages, stall, total, stop);
  if (batch.answer == Answer::kRefused) {
    refusal_ = batch.refusal->code;
    return {batch.confirmed,
            Status::failed(
                refused_message(*refusal_, login_.broker, messages[batch.refusal->message].topic)),
            kRefusalPause};
  }
  return {batch.confirmed, status_of(batch.answer, " does not confirm: it may hang.")};
}

bool Link::post(const Message &message, const std::stop_token &stop) {
  return client_->post(message, kTimeout, stop);
}

bool Link::post_refused() const {
  return client_->post_refused();
}

Status Link::subscribe(std::span<const std::string> filters, const std::stop_token &stop, int qos) {
  return status_of(client_->subscribe(filters, qos, kTimeout, stop),
                   " does not answer to a subscription.");
}

// Of what was asked of a broker that had accepted us. `silent` is what it does if it says nothing.
Status Link::status_of(Answer answer, const char *silent) const {
  switch (answer) {
    case Answer::kAccepted:
      return {};
    case Answer::kStopped:
      return Status::stopped();
    case Answer::kClosed:
      return Status::failed(loss_reason());
    case Answer::kUnasked:
      return no_way();
    default:
      return Status::failed("The broker at " + login_.broker + silent);
  }
}

void Link::poll_state() {
  const Tunnel &tunnel = client_->tunnel();
  silent_ = silent_ || (silence_ && Tunnel::Clock::now() >= tunnel.last_received() + *silence_);
  if (silent_ || tunnel.ended())
    client_->lose();
}

std::vector<Arrived> Link::take_arrived() {
  return client_->take_arrived();
}

Waited Link::wait_arrived(Tunnel::Clock::time_point until, const std::stop_token &stop) {
  return client_->wait_arrived(until, stop);
}

bool Link::subscription_refused() const {
  return client_->subscription_refused();
}

bool Link::lost() const {
  return !client_ || client_->lost();
}

bool Link::taken_over() const {
  const auto code = client_ ? client_->farewell() : std::nullopt;
  return taken_over_ || (code && is_taken_over(*code));
}

std::string Link::loss_reason() const {
  if (const auto code = client_->farewell())
    return npc::mqtt::farewell(*code, parties());
  if (silent_)
    return "The broker at " + login_.broker + " does not answer any more: it may hang.";
  const std::string failure = client_->tunnel().failure();
  return failure.empty() ? "The connection to the broker at " + login_.broker + " was lost."
                         : failure;
}

}  // namespace npc::mqtt
