// SPDX-License-Identifier: LGPL-2.1-or-later
// The loopback interface, where a test itself answers or gets between two who speak.
#pragma once

#include <string>

namespace npc::test {

/// A free port, bound as long as the object lives. The sockets that these hand out are the
/// caller's.
class Listener {
 public:
  /// Throws std::runtime_error.
  Listener();
  ~Listener();
  Listener(const Listener &) = delete;
  Listener &operator=(const Listener &) = delete;

  /// Until then connections are refused; from then on the kernel takes them.
  void listen() const;
  /// The next connection, or -1 after end().
  int accept() const;
  /// Ends an accept() on another thread.
  void end() const;

  int port() const { return port_; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  int port_ = 0;
};

/// A connection to a port, or -1.
int connect_to(int port);

}  // namespace npc::test
