// SPDX-License-Identifier: LGPL-2.1-or-later
// Takes Paho to a broker on a connection that is not Paho's.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "transport/mqtt/connection.h"
#include "transport/mqtt/loopbackproxy.h"

namespace npc::mqtt {

/// Is reached through an HTTP proxy of its own, by one client.
///
/// All clients of Paho in a process share one lock, under which it looks names up, and waits for
/// whom it writes to. So that no broker, proxy or name server holds up another, it only ever speaks
/// to tunnels, which are always there and always read.
class Tunnel {
 public:
  using Clock = std::chrono::steady_clock;

  /// `connection` is open; an answer of the broker to what was not asked ends it. `on_end` is
  /// called, on another thread, when the connection is there no more, before the client learns it.
  /// Throws std::system_error.
  Tunnel(Connection connection, std::function<void()> on_end);
  /// Hands over what the client has sent, but waits for no broker that does not read.
  ~Tunnel();
  Tunnel(const Tunnel &) = delete;
  Tunnel &operator=(const Tunnel &) = delete;

  /// What Paho is given as its proxy.
  const std::string &proxy() const { return proxy_.url(); }
  /// When something came from the broker last.
  Clock::time_point last_received() const { return last_received_; }
  /// Whether the client has come.
  bool entered() const { return entered_; }
  bool ended() const { return ended_; }
  /// While `on`, nothing more is taken from the broker, which keeps it then.
  void hold(bool on);
  /// Why TLS ended the connection, as a sentence; empty if it did not. To be asked when the client
  /// has lost its connection: it does so after this is known.
  std::string failure() const { return ended_ ? connection_.failure() : std::string(); }
  /// What is to be said of an end without a reason, where TLS was to begin.
  std::string cut_off() const { return connection_.cut_off(); }

 private:
  void run();
  void carry(int client, std::string_view rest);
  void see_off(int client) const;

  Connection connection_;
  const std::function<void()> on_end_;
  LoopbackProxy proxy_;
  Bell closing_;
  Bell released_;
  std::atomic<bool> held_ = false;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> entered_ = false;
  std::atomic<bool> ended_ = false;  // from then on connection_ is nobody's
  std::atomic<Clock::time_point> last_received_ = Clock::now();
  std::jthread thread_;
};

}  // namespace npc::mqtt
