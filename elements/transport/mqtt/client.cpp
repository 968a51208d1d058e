// SPDX-License-Identifier: LGPL-2.1-or-later
// A window of messages on their way, and what Paho says of them.
#include "transport/mqtt/client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/wait.h"
#include "transport/mqtt/pahothread.h"

namespace paho = ::mqtt;

namespace npc::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kSessionExpiry = 7 * 24 * 3600;
// Paho's own limits must never be reached: its sending thread is not woken when there is room.
constexpr int kBeyondTheWindow = 1000;
// For Paho to read what came before the end.
constexpr seconds kNotice{1};
// Between two confirmations; a tunnel has room for more.
constexpr std::size_t kMostBytes = 64 * 1024;
// Of messages from elsewhere: a device is not to run out of memory because of what strangers
// publish. Our own discovery, the largest that we read, is a fraction of it.
constexpr std::size_t kMostArrived = 1024 * 1024;
// From then on the broker keeps what comes next. What is on its way by then still fits.
constexpr std::size_t kEnoughArrived = kMostArrived / 2;
constexpr std::uint16_t kMostUnconfirmed = 100;
constexpr int kMostPacket = 256 * 1024;
// No topic of ours or anybody's.
constexpr const char *kNowhere = "npc/nowhere";
// Batches begin with 1.
constexpr std::uintptr_t kPosted = 0;

// Paho only ever speaks plain MQTT, to the tunnel.
constexpr const char *kUri = "tcp://broker:1883";

paho::create_options options_of(Version version) {
  return paho::create_options(static_cast<int>(version), kBeyondTheWindow);
}

paho::connect_options options_of(const Login &login, const std::string &proxy,
                                 milliseconds timeout) {
  paho::connect_options options;
  // With QoS 2 the broker remembers ids of messages and would take new ones for old. Our memory is
  // the store: nothing else of the session is needed to go on.
  const bool clean = login.clean || login.qos == 2;
  options.set_mqtt_version(static_cast<int>(login.version));
  if (login.version == Version::k5) {
    options.set_clean_start(clean);
    paho::properties properties;
    if (!login.clean)
      properties.add({paho::property::SESSION_EXPIRY_INTERVAL, kSessionExpiry});
    properties.add({paho::property::MAXIMUM_PACKET_SIZE, kMostPacket});
    if (login.receives)
      properties.add({paho::property::RECEIVE_MAXIMUM, kMostUnconfirmed});
    options.set_properties(std::move(properties));
  } else {
    options.set_clean_session(clean);
  }
  options.set_keep_alive_interval(login.keep_alive);
  // Not sooner than ours, which it is only there to end.
  options.set_connect_timeout(timeout + seconds(5));
  options.set_max_inflight(kBeyondTheWindow);
  options.set_http_proxy(proxy);
  if (!login.user.empty())
    options.set_user_name(login.user);
  if (!login.password.empty())
    options.set_password(login.password);
  if (!login.will_topic.empty())
    options.set_will(
        paho::will_options(login.will_topic, std::string("offline"), std::min(login.qos, 1), true));
  return options;
}

}  // namespace

Client::Client(const Login &login, Connection connection)
    : version_(login.version),
      receives_(login.receives),
      tunnel_(std::move(connection),
              [this] {
                {
                  Lock lock(mutex_);
                  tunnel_ended_ = true;
                }
                changed_.notify_all();
              }),
      paho_((keep_paho(), kUri), login.client_id, options_of(login.version)) {
  set_handlers();
}

Client::~Client() = default;

void Client::set_handlers() {
  paho_.set_connection_lost_handler([this](const std::string &) { lose(); });
  paho_.set_disconnected_handler([this](const paho::properties &, paho::ReasonCode code) {
    {
      Lock lock(mutex_);
      farewell_ = static_cast<std::uint8_t>(code);
    }
    lose();
  });
  paho_.set_message_callback([this](const paho::const_message_ptr &message) { take(*message); });
}

// Whether Paho was asked, and did not refuse. Nothing is thrown through its own frames.
Answer Client::ask_paho(const std::function<void()> &request, milliseconds most,
                        const std::stop_token &stop) {
  Answer answer = Answer::kUnasked;
  const auto task = [&] {
    try {
      request();
      answer = Answer::kAccepted;
    } catch (const std::exception &) {
      lose();
      answer = Answer::kClosed;
    }
  };
  return run_on_paho(task, most, stop) == Waited::kStopped ? Answer::kStopped : answer;
}

Answer Client::connect(const Login &login, milliseconds most, const std::stop_token &stop) {
  const auto until = Clock::now() + most;
  const auto options = options_of(login, tunnel_.proxy(), most);
  const Answer asked = ask_paho([&] { paho_.connect(options, nullptr, *this); }, most, stop);
  if (asked != Answer::kAccepted)
    return asked == Answer::kStopped ? asked : Answer::kUnasked;
  const auto ended = [this]() NPC_REQUIRES(mutex_) { return answer_ || tunnel_ended_; };
  const auto answered = [this]() NPC_REQUIRES(mutex_) { return answer_.has_value(); };
  Lock lock(mutex_);
  Waited waited = wait_until(changed_, lock, stop, until, ended);
  // Paho does not notice the end of a connection in each of its states.
  if (tunnel_ended_)
    waited = wait_until(changed_, lock, stop, Clock::now() + kNotice, answered);
  if (answer_)
    return *answer_;
  if (waited == Waited::kStopped)
    return Answer::kStopped;
  if (tunnel_ended_)
    return Answer::kClosed;
  return tunnel_.entered() ? Answer::kNone : Answer::kUnasked;
}

void Client::set_limits(std::size_t window, std::size_t most_packet) {
  Lock lock(mutex_);
  window_ = window;
  most_packet_ = most_packet;
}

void Client::on_success(const paho::token &token) {
  Lock lock(mutex_);
  switch (token.get_type()) {
    case paho::token::CONNECT:
      try {
        connack_ = token.get_connect_response().get_properties();
        answer_ = Answer::kAccepted;
      } catch (const std::exception &) {
        lost_ = true;
        answer_ = Answer::kUnasked;
      }
      changed_.notify_all();
      break;
    case paho::token::PUBLISH:
      confirm(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
      break;
    default:
      awaited_--;
      changed_.notify_all();
      break;
  }
}

void Client::on_failure(const paho::token &token) {
  {
    Lock lock(mutex_);
    switch (token.get_type()) {
      case paho::token::CONNECT:
        // A negative one is Paho's own, of a connection that ended, or that it could not make.
        refusal_ = static_cast<std::uint8_t>(std::clamp(token.get_return_code(), 0, 0xff));
        answer_ = refusal_ > 0        ? Answer::kRefused
                  : tunnel_.entered() ? Answer::kClosed
                                      : Answer::kUnasked;
        break;
      case paho::token::PUBLISH:
        refuse(reinterpret_cast<std::uintptr_t>(token.get_user_context()),
               token.get_return_code() < 0 ? 0 : static_cast<int>(token.get_reason_code()));
        break;
      default:
        subscription_refused_ |= token.get_type() == paho::token::SUBSCRIBE;
        awaited_--;
        break;
    }
  }
  changed_.notify_all();
}

void Client::refuse(std::uintptr_t number, int code) {
  in_flight_--;
  if (code < 0x80 || code > 0xff)
    lost_ = true;
  else if (number == kPosted)
    post_refused_ = true;
  else if (number >= first_number_ && number - first_number_ < confirmed_.size() && !refused_)
    refused_ = {number - first_number_, static_cast<std::uint8_t>(code)};
}

// MQTT 3.1.1 has no way to say to the broker how much is too much.
void Client::take(const paho::message &message) try {
  const std::size_t size = message.get_topic().size() + message.get_payload_ref().size();
  {
    Lock lock(mutex_);
    if (arrived_size_ + size > kMostArrived || size > kMostPacket)
      return;
    arrived_size_ += size + sizeof(Arrived);
    arrived_.push_back({message.get_topic(), message.get_payload_str(), message.is_retained()});
    if (receives_ && arrived_size_ > kEnoughArrived)
      tunnel_.hold(true);
  }
  changed_.notify_all();
} catch (const std::exception &) {
  lose();
}

std::vector<Arrived> Client::take_arrived() {
  Lock lock(mutex_);
  arrived_size_ = 0;
  tunnel_.hold(false);
  return std::exchange(arrived_, {});
}

Waited Client::wait_arrived(Clock::time_point until, const std::stop_token &stop) {
  Lock lock(mutex_);
  return wait_until(changed_, lock, stop, until,
                    [this]() NPC_REQUIRES(mutex_) { return lost_ || !arrived_.empty(); });
}

bool Client::subscription_refused() const {
  Lock lock(mutex_);
  return subscription_refused_;
}

void Client::lose() {
  {
    Lock lock(mutex_);
    lost_ = true;
  }
  changed_.notify_all();
}

bool Client::lost() const {
  Lock lock(mutex_);
  return lost_;
}

std::optional<std::uint8_t> Client::farewell() const {
  Lock lock(mutex_);
  return farewell_;
}

bool Client::is_over() const {
  return lost_ || refused_ || front_ == messages_.size();
}

bool Client::fits_window() const {
  return next_ < messages_.size() && in_flight_ < window_ && !refused_ && !lost_ &&
         (bytes_ == 0 || bytes_ + messages_[next_].payload.size() <= kMostBytes);
}

// Paho does not look at the broker's limit.
bool Client::fits_packet(const Message &message) const {
  std::size_t size = 5 + 2 + std::strlen(message.topic) + 2 + message.payload.size();
  if (version_ == Version::k5) {
    size += 1;
    if (message.properties != nullptr)
      size += static_cast<std::size_t>(message.properties->list().c_struct().length);
  }
  return size <= most_packet_;
}

// On whichever thread, but only on one at a time, or the order would be lost.
void Client::send_what_fits() {
  if (sending_)
    return;
  sending_ = true;
  while (fits_window()) {
    const Message message = messages_[next_];
    if (!fits_packet(message)) {
      refused_ = {next_, MQTTREASONCODE_PACKET_TOO_LARGE};
      break;
    }
    const std::uintptr_t number = first_number_ + next_++;
    in_flight_++;
    bytes_ += message.payload.size();
    mutex_.unlock();
    const bool sent = send(message, number);
    mutex_.lock();
    if (!sent) {
      in_flight_--;
      lost_ = true;
    }
  }
  sending_ = false;
  if (is_over() || next_ > messages_.size())
    changed_.notify_all();
}

bool Client::send(const Message &message, std::uintptr_t number) {
  auto form = std::find_if(forms_.begin(), forms_.end(), [&](const Form &other) {
    return other.topic == message.topic && other.properties == message.properties &&
           other.qos == message.qos && other.retained == message.retained;
  });
  try {
    if (form == forms_.end()) {
      const bool has_properties = version_ == Version::k5 && message.properties != nullptr;
      form = forms_.insert(form,
                           {message.topic, message.properties, message.qos, message.retained,
                            paho::message::create(
                                message.topic, nullptr, 0, message.qos, message.retained,
                                has_properties ? message.properties->list() : paho::properties())});
    }
    form->message->set_payload(message.payload.data(), message.payload.size());
    paho_.publish(form->message, reinterpret_cast<void *>(number), *this);
  } catch (const std::exception &) {
    return false;
  }
  return true;
}

// Half a window at a time: to send one message for each confirmation costs both sides more than the
// messages do.
void Client::confirm(std::uintptr_t number) {
  in_flight_--;
  last_confirmation_ = Clock::now();
  // What a stop cut short may still be confirmed; it is not of this batch.
  if (number >= first_number_ && number - first_number_ < confirmed_.size()) {
    const std::size_t index = number - first_number_;
    confirmed_[index] = 1;
    if (!messages_.empty())
      bytes_ -= messages_[index].payload.size();
    while (front_ < confirmed_.size() && confirmed_[front_] != 0)
      front_++;
  }
  if (in_flight_ <= window_ / 2)
    send_what_fits();
  if (is_over())
    changed_.notify_all();
}

Client::Batch Client::publish(std::span<const Message> messages, milliseconds stall,
                              milliseconds total, const std::stop_token &stop) {
  Lock lock(mutex_);
  first_number_ += confirmed_.size();
  messages_ = messages;
  confirmed_.assign(messages.size(), 0);
  next_ = front_ = bytes_ = 0;
  refused_.reset();
  forms_.clear();
  last_confirmation_ = Clock::now();
  const auto end = last_confirmation_ + total;
  lock.unlock();
  // From then on confirmations send what is next.
  const auto begin = [this] {
    Lock lock(mutex_);
    send_what_fits();
  };
  Answer answer = ask_paho(begin, std::min(stall, total), stop);
  lock.lock();
  const auto over = [this]() NPC_REQUIRES(mutex_) { return is_over(); };
  while (answer == Answer::kAccepted && !is_over()) {
    const auto until = std::min(end, last_confirmation_ + stall);
    if (wait_until(changed_, lock, stop, until, over) == Waited::kStopped)
      answer = Answer::kStopped;
    else if (Clock::now() >= std::min(end, last_confirmation_ + stall))
      answer = Answer::kNone;
  }
  // Whoever is sending sends no more, and then nobody looks at the messages.
  next_ = static_cast<std::size_t>(-1);
  changed_.wait(lock, [this]() NPC_REQUIRES(mutex_) { return !sending_; });
  if (front_ == messages_.size())
    answer = Answer::kAccepted;
  else if (refused_)
    answer = Answer::kRefused;
  else if (lost_)
    answer = Answer::kClosed;
  messages_ = {};
  return {front_, answer, refused_};
}

bool Client::post(const Message &message, milliseconds most, const std::stop_token &stop) {
  {
    Lock lock(mutex_);
    if (lost_ || in_flight_ >= window_ || !fits_packet(message))
      return false;
    in_flight_++;
  }
  bool sent = false;
  ask_paho(
      [&] {
        forms_.clear();
        sent = send(message, kPosted);
      },
      most, stop);
  if (!sent) {
    Lock lock(mutex_);
    in_flight_--;
  }
  return sent;
}

bool Client::post_refused() const {
  Lock lock(mutex_);
  return post_refused_;
}

Answer Client::await_answers(Clock::time_point until, const std::stop_token &stop) {
  Lock lock(mutex_);
  const auto over = [this]() NPC_REQUIRES(mutex_) { return lost_ || awaited_ <= 0; };
  const Waited waited = wait_until(changed_, lock, stop, until, over);
  if (awaited_ <= 0)
    return Answer::kAccepted;
  if (waited == Waited::kStopped)
    return Answer::kStopped;
  return lost_ ? Answer::kClosed : Answer::kNone;
}

Answer Client::subscribe(std::span<const std::string> filters, int qos, milliseconds most,
                         const std::stop_token &stop) {
  const auto end = Clock::now() + most;
  const auto expect = [this](std::size_t answers) {
    Lock lock(mutex_);
    awaited_ = static_cast<int>(answers);
  };
  expect(filters.size());
  {
    Lock lock(mutex_);
    subscription_refused_ = false;
  }
  const auto subscribe_to_all = [&] {
    // One by one: Paho's call for many crashes with options.
    for (const std::string &filter : filters) {
      // What we publish need not come back. MQTT 5 forbids to ask for that where records are
      // shared.
      const bool no_local = version_ == Version::k5 && !filter.starts_with("$share/");
      paho_.subscribe(filter, qos, nullptr, *this, paho::subscribe_options(no_local));
    }
  };
  Answer answer = ask_paho(subscribe_to_all, most, stop);
  if (answer == Answer::kAccepted)
    answer = await_answers(end, stop);
  if (answer != Answer::kAccepted)
    return answer;
  // Brokers send what is retained before they answer to what came after the subscription.
  expect(1);
  const auto unsubscribe = [this] { paho_.unsubscribe(kNowhere, nullptr, *this); };
  answer = ask_paho(unsubscribe, most, stop);
  return answer == Answer::kAccepted ? await_answers(end, stop) : answer;
}

}  // namespace npc::mqtt
