// SPDX-License-Identifier: LGPL-2.1-or-later
// An HTTP proxy of our own, so that Paho connects to nobody but us.
#include "loopbackproxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "websocket.h"

namespace npc::mqtt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostRequest = 4096;
// For one who connects and does not say who it is.
constexpr seconds kAdmission{5};

[[noreturn]] void fail(const char *what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Descriptor listen_on_loopback(std::uint16_t *port) {
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto *generic = reinterpret_cast<sockaddr *>(&address);
  if (!listener.is_open() || bind(listener.get(), generic, size) != 0 ||
      listen(listener.get(), 4) != 0 || getsockname(listener.get(), generic, &size) != 0)
    fail("The loopback interface");
  *port = ntohs(address.sin_port);
  return listener;
}

int milliseconds_until(Clock::time_point until) {
  if (until == Clock::time_point::max())
    return -1;
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::max<milliseconds::rep>(left, 0));
}

}  // namespace

std::string make_secret() {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1)
    throw std::runtime_error("There are no random numbers");
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

LoopbackProxy::LoopbackProxy() {
  std::uint16_t port = 0;
  listener_ = listen_on_loopback(&port);
  const std::string secret = "npc:" + make_secret();
  credentials_ =
      "\r\nProxy-authorization: Basic " +
      base64(std::span(reinterpret_cast<const unsigned char *>(secret.data()), secret.size())) +
      "\r\n";
  url_ = "http://" + secret + "@127.0.0.1:" + std::to_string(port);
}

Descriptor LoopbackProxy::accept(int bell, milliseconds most, std::string *rest) {
  const auto until = most < milliseconds(0) ? Clock::time_point::max() : Clock::now() + most;
  while (true) {
    pollfd files[] = {{listener_.get(), POLLIN, 0}, {bell, POLLIN, 0}};
    poll(files, 2, milliseconds_until(until));
    if (files[1].revents != 0 || (files[0].revents == 0 && Clock::now() >= until))
      return Descriptor();
    Descriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.is_open())
      continue;
    // Paho holds its lock while it waits for the answer, and looks for it four times a second: it
    // is there before the question. It is worth nothing to others.
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\n\r\n";
    const int on = 1;
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    send(client.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    if (is_client(client.get(), bell, rest))
      return client;
  }
}

// Whether it shows our secret.
bool LoopbackProxy::is_client(int file, int bell, std::string *rest) const {
  std::string request;
  const auto until = Clock::now() + kAdmission;
  while (request.size() < kMostRequest) {
    pollfd files[] = {{file, POLLIN, 0}, {bell, POLLIN, 0}};
    poll(files, 2, milliseconds_until(until));
    if (files[0].revents == 0)
      return false;
    char bytes[kMostRequest];
    const ssize_t size = recv(file, bytes, sizeof(bytes), 0);
    if (size <= 0)
      return false;
    // Paho waits for this to have arrived before it sends what comes next.
    const int on = 1;
    setsockopt(file, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    request.append(bytes, static_cast<std::size_t>(size));
    constexpr std::string_view kEnd = "\r\n\r\n";
    const auto end = request.find(kEnd);
    if (end == std::string::npos)
      continue;
    *rest = request.substr(end + kEnd.size());
    return request.substr(0, end + 2).find(credentials_) != std::string::npos;
  }
  return false;
}

}  // namespace npc::mqtt
