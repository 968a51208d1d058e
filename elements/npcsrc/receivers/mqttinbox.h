// SPDX-License-Identifier: LGPL-2.1-or-later
// The subscription of a receiver: a thread that connects, takes what comes, and connects again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/backgroundcall.h"
#include "base/mutex.h"
#include "base/wait.h"
#include "npcsrc/receivers/receiver.h"
#include "transport/mqtt/brokersettings.h"
#include "transport/mqtt/link.h"

namespace npc::source {

/// What to subscribe to, and where.
struct MqttSubscription {
  mqtt::BrokerSettings broker;
  std::string filter;     ///< as the broker is given it
  std::string more;       ///< a second one, which the broker may refuse; empty for none
  std::string client_id;  ///< the broker keeps what comes while we are away under it
  bool clean = false;     ///< no, it does not
};

/// A message of ours.
struct MqttNote {
  std::string topic;
  std::string payload;
};

/// Messages that wait to be read, and news of the connection. A full one takes nothing more from
/// the broker, which keeps it then. start(), stop() and take() are called by one thread.
class MqttInbox {
 public:
  explicit MqttInbox(MqttSubscription subscription);
  ~MqttInbox() { stop(); }

  /// Throws std::system_error if there can be no more threads.
  void start() NPC_EXCLUDES(mutex_);
  void stop() NPC_EXCLUDES(mutex_);

  /// Readable when there is something to take.
  int descriptor() const { return bell_.get(); }
  /// Takes up to `most` messages, and all news.
  std::vector<mqtt::Arrived> take(std::size_t most, std::vector<LinkNews> &news)
      NPC_EXCLUDES(mutex_);

  /// Publishes, if there is a connection, and does not wait. Of too many the oldest are given up.
  void post(std::vector<MqttNote> notes) NPC_EXCLUDES(mutex_);

  const std::string &broker() const { return broker_; }

 private:
  void run(const std::stop_token &stop);
  Status connect(const std::stop_token &stop);
  Status listen(const std::stop_token &stop);
  bool put(std::vector<mqtt::Arrived> messages, const std::stop_token &stop) NPC_EXCLUDES(mutex_);
  void send_notes(const std::stop_token &stop) NPC_EXCLUDES(mutex_);
  void note(bool connected, const std::string &reason) NPC_EXCLUDES(mutex_);

  const MqttSubscription subscription_;
  const std::string broker_;  // its host and port
  const Bell bell_;

  // The thread only.
  BackgroundCall background_;
  std::unique_ptr<mqtt::Link> link_;
  mqtt::Version version_ = mqtt::Version::k5;
  std::string said_;  // why it is not connected, since it was
  bool refusal_said_ = false;
  std::minstd_rand random_;

  Mutex mutex_;
  std::condition_variable_any taken_;
  std::deque<mqtt::Arrived> messages_ NPC_GUARDED_BY(mutex_);
  std::size_t bytes_ NPC_GUARDED_BY(mutex_) = 0;
  std::vector<LinkNews> news_ NPC_GUARDED_BY(mutex_);
  std::deque<MqttNote> notes_ NPC_GUARDED_BY(mutex_);  // to be sent

  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace npc::source
