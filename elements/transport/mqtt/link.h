// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to an MQTT broker, with waits that end.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/backgroundcall.h"
#include "base/status.h"
#include "base/wait.h"
#include "transport/mqtt/login.h"
#include "transport/mqtt/message.h"
#include "transport/mqtt/reasons.h"

namespace npc::mqtt {

class Client;
enum class Answer;

/// What became of messages that were published.
struct Published {
  std::size_t confirmed = 0;  ///< messages at the front that the broker has
  Status status;              ///< whether it was all of them
  /// The broker should be left alone for so long; 0: it need not.
  std::chrono::milliseconds pause{0};
};

/// A session with a broker, from CONNECT to its end. Used by one thread. Once it is lost it stays
/// lost.
class Link {
 public:
  explicit Link(Login login);
  /// Sends DISCONNECT if still connected, so the broker does not publish the will.
  ~Link();

  /// Connects, with MQTT 3.1.1 if the broker knows no later one. `background` waits for name
  /// servers.
  Status open(BackgroundCall &background, const std::stop_token &stop);
  /// What is spoken.
  Version version() const { return login_.version; }
  /// Whether the broker has said that it does not know a later version.
  bool knows_no_later() const { return knows_no_later_; }

  /// Publishes messages in their order and waits until the broker has confirmed them, at most
  /// `stall` without a confirmation and at most `total`.
  Published publish(std::span<const Message> messages, std::chrono::milliseconds stall,
                    std::chrono::milliseconds total, const std::stop_token &stop);

  /// Sends one message of QoS 1 and does not wait for the answer, for one who receives: while what
  /// comes is held back, so are answers. Returns whether it was sent.
  bool post(const Message &message, const std::stop_token &stop);
  /// Whether the broker has refused one of those.
  bool post_refused() const;

  /// Whether the last publish() failed because a message was too large for the broker.
  bool too_large() const { return refusal_ && is_too_large(*refusal_); }

  /// Subscribes, and waits until what is retained there has arrived.
  Status subscribe(std::span<const std::string> filters, const std::stop_token &stop, int qos = 0);
  /// Whether the broker has refused that, which is no failure.
  bool subscription_refused() const;

  /// Finds out whether the broker still lives. To be called every few seconds.
  void poll_state();
  /// What came on the subscriptions since the last call. What nobody takes is given up when it is
  /// more than a device can keep.
  std::vector<Arrived> take_arrived();
  /// Waits until something has come, or the connection has ended.
  Waited wait_arrived(std::chrono::steady_clock::time_point until, const std::stop_token &stop);

  /// Whether the connection has ended.
  bool lost() const;
  /// Why it ended, as a sentence.
  std::string loss_reason() const;
  /// Whether it ended because another client took our client id.
  bool taken_over() const;

 private:
  /// What to do after an attempt to connect.
  enum class Next { kNothing, kOlderVersion, kKeepAlive };

  Status connect(const std::vector<std::string> &addresses, const std::stop_token &stop,
                 Next *next);
  Status accept(Next *next);
  Status refused(std::uint8_t code, Next *next);
  Status status_of(Answer answer, const char *silent) const;
  bool follow_keep_alive();
  Status no_way() const;
  Status unanswered() const;
  Parties parties() const;

  Login login_;
  std::unique_ptr<Client> client_;
  bool silent_ = false;  // the broker, for too long
  bool taken_over_ = false;
  bool knows_no_later_ = false;
  std::optional<std::chrono::seconds> silence_;  // of a broker that lives; none: for ever
  std::optional<std::uint8_t> refusal_;          // of the message at which the last publish() ended
};

}  // namespace npc::mqtt
