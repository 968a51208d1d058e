// SPDX-License-Identifier: LGPL-2.1-or-later
// A program of a test that sends through a stream socket.
#pragma once

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace npc::test {

class Sender {
 public:
  explicit Sender(const std::string &path) : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ =
        connect(socket_.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
  }

  bool is_connected() const { return connected_; }
  /// Sends what the socket takes at once, and returns how much that was; -1: the connection has
  /// ended.
  ssize_t try_send(std::string_view text) const {
    return ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void send(std::string_view text) const {
    EXPECT_EQ(try_send(text), static_cast<ssize_t>(text.size()));
  }
  /// Whether the kernel holds nothing for the reader.
  bool is_taken() const {
    int left = -1;
    return ioctl(socket_.get(), SIOCOUTQ, &left) == 0 && left == 0;
  }
  /// Whether the reader has closed its end with something unread.
  bool has_failed() const {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error != 0;
  }
  /// Nothing more comes, but answers can be read.
  void shut() const { shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_ = Descriptor(); }
  /// Adds what was answered to `text`. Returns false at the end of the connection.
  bool read(std::string &text) const {
    char part[4096];
    const ssize_t count = recv(socket_.get(), part, sizeof(part), MSG_DONTWAIT);
    if (count > 0)
      text.append(part, static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

 private:
  Descriptor socket_;
  bool connected_ = false;
};

}  // namespace npc::test
