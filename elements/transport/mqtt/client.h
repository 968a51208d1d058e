// SPDX-License-Identifier: LGPL-2.1-or-later
// One of Paho's clients and the way that it goes.
#pragma once

#include <mqtt/async_client.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/wait.h"
#include "transport/mqtt/login.h"
#include "transport/mqtt/tunnel.h"

namespace npc::mqtt {

/// What a broker says to a request.
enum class Answer {
  kAccepted,
  kRefused,
  kNone,     ///< in the time that it had
  kClosed,   ///< the connection was lost
  kUnasked,  ///< there is no way to Paho, or from there to the tunnel, in this process
  kStopped,  ///< a stop request came first
};

/// What Paho's threads do is waited for here. They call back with Paho's locks held, and never
/// after its client is destroyed; Paho is never called with ours held, and only on its own thread.
class Client : private ::mqtt::iaction_listener {
 public:
  struct Batch {
    std::size_t confirmed = 0;  ///< at the front
    Answer answer = Answer::kAccepted;
    struct Refusal {
      std::size_t message = 0;
      std::uint8_t code = 0;  ///< of PUBACK
    };
    std::optional<Refusal> refusal{};
  };

  /// `connection` is open. Throws ::mqtt::exception and std::system_error.
  Client(const Login &login, Connection connection);
  ~Client() override;

  /// Waits for the answer to CONNECT.
  Answer connect(const Login &login, std::chrono::milliseconds most, const std::stop_token &stop);
  /// The code with which the broker refused.
  std::uint8_t refusal() const { return refusal_; }
  /// What came with an answer that was a yes. It must not have more messages on their way than
  /// set_limits() says.
  const ::mqtt::properties &connack() const { return connack_; }
  void set_limits(std::size_t window, std::size_t most_packet);

  Batch publish(std::span<const Message> messages, std::chrono::milliseconds stall,
                std::chrono::milliseconds total, const std::stop_token &stop);
  /// Sends one message and does not wait for the answer. Returns whether it was sent. Not for a
  /// client that publishes, too.
  bool post(const Message &message, std::chrono::milliseconds most, const std::stop_token &stop);
  /// Whether the broker has refused one of those.
  bool post_refused() const;
  /// Waits until the broker has answered, and sent what is retained.
  Answer subscribe(std::span<const std::string> filters, int qos, std::chrono::milliseconds most,
                   const std::stop_token &stop);
  /// Whether the broker has refused one of the last subscriptions.
  bool subscription_refused() const;
  std::vector<Arrived> take_arrived();
  /// Waits until something has arrived, or the connection is lost.
  Waited wait_arrived(std::chrono::steady_clock::time_point until, const std::stop_token &stop);

  void lose();
  bool lost() const;
  /// The code of the broker's DISCONNECT, if there was one.
  std::optional<std::uint8_t> farewell() const;
  const Tunnel &tunnel() const { return tunnel_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// A message whose payload is replaced from one publish to the next.
  struct Form {
    const char *topic;
    const Properties *properties;
    int qos;
    bool retained;
    ::mqtt::message_ptr message;
  };

  void set_handlers();
  Answer ask_paho(const std::function<void()> &request, std::chrono::milliseconds most,
                  const std::stop_token &stop);
  void on_success(const ::mqtt::token &token) override;
  void on_failure(const ::mqtt::token &token) override;
  void take(const ::mqtt::message &message);
  bool is_over() const NPC_REQUIRES(mutex_);
  bool fits_window() const NPC_REQUIRES(mutex_);
  bool fits_packet(const Message &message) const NPC_REQUIRES(mutex_);
  void send_what_fits() NPC_REQUIRES(mutex_);
  bool send(const Message &message, std::uintptr_t number) NPC_EXCLUDES(mutex_);
  void confirm(std::uintptr_t number) NPC_REQUIRES(mutex_);
  void refuse(std::uintptr_t number, int code) NPC_REQUIRES(mutex_);
  Answer await_answers(Clock::time_point until, const std::stop_token &stop);

  const Version version_;
  const bool receives_;
  mutable Mutex mutex_;
  std::condition_variable_any changed_;

  // Written before the answer to CONNECT only, and read after it.
  std::uint8_t refusal_ = 0;
  ::mqtt::properties connack_;

  std::optional<Answer> answer_ NPC_GUARDED_BY(mutex_);
  bool tunnel_ended_ NPC_GUARDED_BY(mutex_) = false;
  bool lost_ NPC_GUARDED_BY(mutex_) = false;
  std::optional<std::uint8_t> farewell_ NPC_GUARDED_BY(mutex_);
  int awaited_ NPC_GUARDED_BY(mutex_) = 0;  // answers to subscriptions
  std::vector<Arrived> arrived_ NPC_GUARDED_BY(mutex_);
  std::size_t arrived_size_ NPC_GUARDED_BY(mutex_) = 0;
  bool subscription_refused_ NPC_GUARDED_BY(mutex_) = false;
  bool post_refused_ NPC_GUARDED_BY(mutex_) = false;

  std::size_t window_ NPC_GUARDED_BY(mutex_) = 1;
  std::size_t most_packet_ NPC_GUARDED_BY(mutex_) = static_cast<std::size_t>(-1);
  std::size_t in_flight_ NPC_GUARDED_BY(mutex_) = 0;
  // Of this batch. There are no messages between two of them.
  std::span<const Message> messages_ NPC_GUARDED_BY(mutex_);
  std::uintptr_t first_number_ NPC_GUARDED_BY(mutex_) = 1;
  std::vector<char> confirmed_ NPC_GUARDED_BY(mutex_);
  std::size_t bytes_ NPC_GUARDED_BY(mutex_) = 0;  // in flight
  std::size_t next_ NPC_GUARDED_BY(mutex_) = 0;   // the first that is not on its way
  std::size_t front_ NPC_GUARDED_BY(mutex_) = 0;  // the first that is not confirmed
  Clock::time_point last_confirmation_ NPC_GUARDED_BY(mutex_);
  std::optional<Batch::Refusal> refused_ NPC_GUARDED_BY(mutex_);
  bool sending_ NPC_GUARDED_BY(mutex_) = false;

  std::vector<Form> forms_;  // of who is sending
  Tunnel tunnel_;
  ::mqtt::async_client paho_;  // last: its callbacks use all of the above
};

}  // namespace npc::mqtt
