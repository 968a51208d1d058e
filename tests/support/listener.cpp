// SPDX-License-Identifier: LGPL-2.1-or-later
// Sockets of the loopback interface.
#include "support/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

namespace npc::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Listener::Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (bind(socket_, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
      getsockname(socket_, reinterpret_cast<sockaddr *>(&address), &size) != 0)
    throw std::runtime_error("no free port on the loopback interface");
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() {
  close(socket_);
}

void Listener::listen() const {
  if (::listen(socket_, 8) != 0)
    throw std::runtime_error("the port cannot be listened on");
}

int Listener::accept() const {
  return accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
}

void Listener::end() const {
  shutdown(socket_, SHUT_RDWR);
}

int connect_to(int port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0)
    return descriptor;
  close(descriptor);
  return -1;
}

}  // namespace npc::test
