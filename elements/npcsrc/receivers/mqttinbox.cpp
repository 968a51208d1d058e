// SPDX-License-Identifier: LGPL-2.1-or-later
// The subscription of a receiver: a thread that connects, takes what comes, and connects again.
#include "npcsrc/receivers/mqttinbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/secretfile.h"
#include "base/threads.h"
#include "base/uri.h"

namespace npc::source {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = 1 << 20;
// Between two looks at whether the broker still lives, and at what there is to send.
constexpr seconds kPoll{1};
constexpr std::size_t kMostNotes = 256;
constexpr milliseconds kFirstPause{1000}, kLastPause{30000};
// A connection that lasted for so long was good: the next attempt need not wait.
constexpr seconds kGood{30};
constexpr std::size_t kMostNews = 16;

std::size_t size_of(const mqtt::Arrived &message) {
  return sizeof(message) + message.topic.size() + message.payload.size();
}

}  // namespace

MqttInbox::MqttInbox(MqttSubscription subscription)
    : subscription_(std::move(subscription)),
      broker_(host_and_port(subscription_.broker.host, subscription_.broker.port)),
      random_(std::random_device{}()) {}

void MqttInbox::start() {
  said_.clear();
  refusal_said_ = false;
  {
    Lock lock(mutex_);
    messages_.clear();
    news_.clear();
    notes_.clear();
    bytes_ = 0;
  }
  thread_ = start_thread("npc-mqtt-src", [this](const std::stop_token &stop) { run(stop); });
}

void MqttInbox::stop() {
  thread_.request_stop();
  if (thread_.joinable())
    thread_.join();
}

std::vector<mqtt::Arrived> MqttInbox::take(std::size_t most, std::vector<LinkNews> &news) {
  std::vector<mqtt::Arrived> taken;
  {
    Lock lock(mutex_);
    bell_.clear();
    while (!messages_.empty() && taken.size() < most) {
      bytes_ -= size_of(messages_.front());
      taken.push_back(std::move(messages_.front()));
      messages_.pop_front();
    }
    if (!messages_.empty())
      bell_.ring();
    std::ranges::move(std::exchange(news_, {}), std::back_inserter(news));
  }
  taken_.notify_all();
  return taken;
}

void MqttInbox::post(std::vector<MqttNote> notes) {
  Lock lock(mutex_);
  std::ranges::move(notes, std::back_inserter(notes_));
  while (notes_.size() > kMostNotes)
    notes_.pop_front();
}

// What the broker does not take now is worth asking for again later.
void MqttInbox::send_notes(const std::stop_token &stop) {
  std::deque<MqttNote> notes;
  {
    Lock lock(mutex_);
    notes.swap(notes_);
  }
  for (const MqttNote &each : notes) {
    if (!link_->post({each.topic.c_str(), each.payload}, stop))
      break;
  }
  if (link_->post_refused() && !std::exchange(refusal_said_, true))
    note(true,
         "The broker at " + broker_ +
             " refuses what is published to ask for missing records: let its access list allow "
             "that, or write gaps=0.");
}

// Returns false if a stop request came first.
bool MqttInbox::put(std::vector<mqtt::Arrived> messages, const std::stop_token &stop) {
  Lock lock(mutex_);
  const auto has_room = [this]() NPC_REQUIRES(mutex_) { return bytes_ < kMostBytes; };
  // The link takes only so much meanwhile, and leaves the rest to the broker.
  if (!taken_.wait(lock, stop, has_room))
    return false;
  for (mqtt::Arrived &message : messages) {
    bytes_ += size_of(message);
    messages_.push_back(std::move(message));
  }
  bell_.ring();
  return true;
}

// An outage of a day is said once.
void MqttInbox::note(bool connected, const std::string &reason) {
  if (!connected && reason == said_)
    return;
  said_ = reason;
  Lock lock(mutex_);
  if (news_.size() >= kMostNews)
    news_.erase(news_.begin());
  news_.push_back({connected, reason});
  bell_.ring();
}

Status MqttInbox::connect(const std::stop_token &stop) {
  const mqtt::BrokerSettings &broker = subscription_.broker;
  mqtt::Login login;
  login.broker = broker_;
  login.host = broker.host;
  login.port = broker.port;
  login.tls = broker.tls;
  login.version = version_;
  login.user = broker.user;
  login.client_id = subscription_.client_id;
  login.clean = subscription_.clean;
  login.receives = true;
  if (!broker.password_file.empty()) {
    if (Status status = read_secret(broker.password_file, "password", &login.password);
        !status.is_ok())
      return status;
  }
  link_ = std::make_unique<mqtt::Link>(std::move(login));
  Status status = link_->open(background_, stop);
  if (!status.is_ok())
    return status;
  if (link_->knows_no_later())
    version_ = link_->version();
  status = link_->subscribe(std::span(&subscription_.filter, 1), stop, 1);
  if (status.is_ok() && link_->subscription_refused())
    return Status::failed("The broker at " + broker_ + " refuses the subscription to " +
                          subscription_.filter + ": let its access list allow that.");
  if (status.is_ok() && !subscription_.more.empty())
    status = link_->subscribe(std::span(&subscription_.more, 1), stop, 1);
  return status;
}

// Until the connection ends.
Status MqttInbox::listen(const std::stop_token &stop) {
  while (true) {
    if (link_->wait_arrived(Clock::now() + kPoll, stop) == Waited::kStopped)
      return Status::stopped();
    link_->poll_state();
    // What came before the end of the connection was confirmed to the broker.
    auto messages = link_->take_arrived();
    if (!messages.empty() && !put(std::move(messages), stop))
      return Status::stopped();
    if (link_->lost())
      return Status::failed(link_->loss_reason());
    send_notes(stop);
  }
}

void MqttInbox::run(const std::stop_token &stop) {
  milliseconds pause = kFirstPause;
  while (!stop.stop_requested()) {
    const auto begin = Clock::now();
    Status status;
    try {
      status = connect(stop);
      if (status.is_ok()) {
        note(true, {});
        status = listen(stop);
      }
    } catch (const std::exception &error) {
      status = Status::failed("The connection failed: " + std::string(error.what()) + ".");
    }
    link_.reset();
    if (!status.is_failed())
      break;
    note(false, status.error());
    if (Clock::now() - begin >= kGood)
      pause = kFirstPause;
    // Bridges that lost one broker must not come back in step.
    std::uniform_int_distribution<milliseconds::rep> jitter(pause.count() / 2, pause.count());
    if (!sleep_for(milliseconds(jitter(random_)), stop))
      break;
    pause = std::min(2 * pause, kLastPause);
  }
  link_.reset();
}

}  // namespace npc::source
