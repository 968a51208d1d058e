// SPDX-License-Identifier: LGPL-2.1-or-later
// The way to a broker: TCP, and TLS on it.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/status.h"
#include "base/wait.h"
#include "transport/mqtt/tls.h"
#include "transport/mqtt/websocket.h"

namespace npc::mqtt {

/// Looks up the addresses of a host, as numbers. Waits for name servers as long as they take.
Status resolve(const std::string &host, std::vector<std::string> *addresses);

/// A connection whose reads and writes do not block. Used by one thread at a time.
class Connection {
 public:
  /// `broker` is its host and port, for sentences.
  Connection(std::string broker, std::optional<TlsSettings> tls);
  Connection(Connection &&) = default;
  ~Connection();

  /// Connects to the first of `addresses` that answers, and shakes hands.
  Status open(const std::vector<std::string> &addresses, std::uint16_t port,
              std::chrono::milliseconds most, const std::stop_token &stop);

  /// Asks for a WebSocket at `path` of the server `host`, on a connection that is open.
  Status upgrade(const std::string &host, const std::string &path, std::chrono::milliseconds most,
                 const std::stop_token &stop);
  /// The WebSocket in which what is read and written is framed; null for plain MQTT.
  WebSocket *web_socket() { return web_socket_.get(); }

  int socket() const { return socket_.get(); }
  /// What to poll() the socket for, in order to read or to write.
  short events(bool reading, bool writing) const {
    return static_cast<short>((reading ? read_events_ : 0) | (writing ? write_events_ : 0));
  }
  /// Returns how much was read, 0 at the end of the connection, or -1 if nothing is there yet.
  ssize_t read(char *bytes, std::size_t size);
  /// Returns how much was written, 0 if the connection has ended, or -1 if nothing can be yet.
  ssize_t write(const char *bytes, std::size_t size);
  /// Says goodbye to a remote that expects it from TLS.
  void shut_down();
  /// Why TLS ended the connection, as a sentence; empty if it did not.
  std::string failure() const { return tls_ ? tls_->failure() : std::string(); }
  /// What is to be said of a connection with TLS that ended without a reason before it was of use.
  std::string cut_off() const { return tls_->cut_off(); }

 private:
  struct FreeSsl {
    void operator()(SSL *ssl) const { SSL_free(ssl); }
  };
  using Clock = std::chrono::steady_clock;

  Status dial(const std::vector<std::string> &addresses, std::uint16_t port,
              Clock::time_point until, const StopBell &stop);
  Status shake_hands(Clock::time_point until, const StopBell &stop);
  Status await(short events, Clock::time_point until, const StopBell &stop) const;
  ssize_t result_of(int result, short *events);
  Status exchange(const std::string &request, std::string *answer, Clock::time_point until,
                  const StopBell &stop);
  Status ended() const;
  Status silent() const;

  std::string broker_;
  Descriptor socket_;
  std::unique_ptr<TlsContext> tls_;  // before what uses it
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::unique_ptr<WebSocket> web_socket_;
  short read_events_ = POLLIN;
  short write_events_ = POLLOUT;
};

}  // namespace npc::mqtt
