// SPDX-License-Identifier: LGPL-2.1-or-later
// One of Paho's clients and the way that it goes.
#pragma once

#include <mqtt/async_client.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "transport/mqtt/login.h"
#include "transport/mqtt/tunnel.h"

namespace npc::mqtt {

/// What Paho's threads do is waited for here. They call back with Paho's locks held, and never
/// after its client is destroyed; Paho is never called with ours held, and only on its own thread.
class Client : private ::mqtt::iaction_listener {
 public:
  /// kUnasked: CONNECT did not leave this process.
  enum class Answer { kAccepted, kRefused, kNone, kClosed, kUnasked };

  struct Batch {
    std::size_t confirmed = 0;  ///< at the front
    bool in_time = true;
    struct Refusal {
      std::size_t message = 0;
      std::uint8_t code = 0;  ///< of PUBACK
    };
    std::optional<Refusal> refusal;
  };

  /// `connection` is open. Throws ::mqtt::exception and std::system_error.
  Client(const Login &login, Connection connection);
  ~Client() override;

  /// Waits for the answer to CONNECT. After a stop request there is none.
  Answer connect(const Login &login, std::chrono::milliseconds most, std::stop_token stop);
  /// The code with which the broker refused.
  std::uint8_t refusal() const { return refusal_; }
  /// What came with an answer that was a yes. It must not have more messages on their way than
  /// set_limits() says.
  const ::mqtt::properties &connack() const { return connack_; }
  void set_limits(std::size_t window, std::size_t most_packet);

  Batch publish(std::span<const Message> messages, std::chrono::milliseconds stall,
                std::chrono::milliseconds total, std::stop_token stop);
  /// Returns whether the broker has answered, and sent what is retained.
  bool subscribe(std::span<const std::string> filters, std::chrono::milliseconds most,
                 std::stop_token stop);
  std::vector<Arrived> take_arrived();

  /// Whether Paho could not be asked in the last call: there is no way to it in this process.
  bool unasked() const { return unasked_; }
  void lose();
  bool lost() const;
  /// The code of the broker's DISCONNECT, if there was one.
  std::optional<std::uint8_t> farewell() const;
  const Tunnel &tunnel() const { return tunnel_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  /// A message whose payload is replaced from one publish to the next.
  struct Form {
    const char *topic;
    const Properties *properties;
    int qos;
    bool retained;
    ::mqtt::message_ptr message;
  };

  void set_handlers();
  bool ask_paho(const std::function<void()> &request, std::chrono::milliseconds most,
                const std::stop_token &stop);
  void on_success(const ::mqtt::token &token) override;
  void on_failure(const ::mqtt::token &token) override;
  void take(const ::mqtt::message &message);
  bool is_over() const;
  bool fits_window() const;
  bool fits_packet(const Message &message) const;
  void send_what_fits(Lock &lock);
  bool send(std::size_t index);
  void confirm(Lock &lock, std::uintptr_t number);
  void refuse(std::uintptr_t number, int code);

  const Version version_;
  bool unasked_ = false;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;

  // Guarded by mutex_, but for what is only written before the answer to CONNECT.
  std::optional<Answer> answer_;
  bool tunnel_ended_ = false;
  std::uint8_t refusal_ = 0;
  ::mqtt::properties connack_;
  bool lost_ = false;
  std::optional<std::uint8_t> farewell_;
  int awaited_ = 0;  // answers to subscriptions
  std::vector<Arrived> arrived_;
  std::size_t arrived_size_ = 0;

  std::size_t window_ = 1;
  std::size_t most_packet_ = static_cast<std::size_t>(-1);
  std::size_t in_flight_ = 0;
  std::size_t bytes_ = 0;              // of this batch, in flight
  std::span<const Message> messages_;  // of this batch; empty between them
  std::uintptr_t first_number_ = 1;    // of this batch's messages
  std::vector<char> confirmed_;        // this batch's messages
  std::size_t next_ = 0;               // the first that is not on its way
  std::size_t front_ = 0;              // the first that is not confirmed
  Clock::time_point last_confirmation_;
  std::optional<Batch::Refusal> refused_;
  bool sending_ = false;

  std::vector<Form> forms_;  // of who is sending
  Tunnel tunnel_;
  ::mqtt::async_client paho_;  // last: its callbacks use all of the above
};

}  // namespace npc::mqtt
