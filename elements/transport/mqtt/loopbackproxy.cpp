// SPDX-License-Identifier: LGPL-2.1-or-later
// An HTTP proxy of our own, so that Paho connects to nobody but us.
#include "transport/mqtt/loopbackproxy.h"

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
#include <utility>

#include "base/wait.h"
#include "transport/mqtt/websocket.h"

namespace npc::mqtt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostRequest = 4096;
// For one who connects and does not say who it is.
constexpr seconds kAdmission{5};
constexpr std::size_t kMostCallers = 8;
// For a descriptor to become free: whoever waits to be let in would wake us at once.
constexpr milliseconds kNoDescriptor{100};

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

// Many may be read from at the same time: a stranger who says nothing does not hold up the client.
Descriptor LoopbackProxy::accept(int bell, milliseconds most, std::string *rest) {
  const auto until = most < milliseconds(0) ? Clock::time_point::max() : Clock::now() + most;
  std::vector<Caller> callers;
  std::vector<pollfd> files;
  while (true) {
    files = {{bell, POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    auto next = until;
    for (const Caller &caller : callers) {
      files.push_back({caller.file.get(), POLLIN, 0});
      next = std::min(next, caller.until);
    }
    poll(files.data(), files.size(), milliseconds_until(next));
    if (files[0].revents != 0 || Clock::now() >= until)
      return Descriptor();
    for (std::size_t i = callers.size(); i-- > 0;) {
      Caller &caller = callers[i];
      const Answer answer = files[i + 2].revents != 0 ? read(caller) : Answer::kUnfinished;
      if (answer == Answer::kClient) {
        *rest = std::move(caller.request);
        return std::move(caller.file);
      }
      if (answer == Answer::kStranger || Clock::now() >= caller.until)
        callers.erase(callers.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (files[1].revents != 0 && !admit(callers))
      wait_fd(-1, 0, bell, std::min(until, Clock::now() + kNoDescriptor));
  }
}

// Returns false if whoever is there cannot be let in now.
bool LoopbackProxy::admit(std::vector<Caller> &callers) const {
  Descriptor file(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!file.is_open())
    return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
  // Paho holds its lock while it waits for the answer, and looks for it four times a second: it
  // is there before the question. It is worth nothing to others.
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\n\r\n";
  const int on = 1;
  setsockopt(file.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  send(file.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
  if (callers.size() == kMostCallers)
    callers.erase(callers.begin());
  callers.push_back({std::move(file), {}, Clock::now() + kAdmission});
  return true;
}

// Whether it shows our secret. The request of the client is then what came behind that.
LoopbackProxy::Answer LoopbackProxy::read(Caller &caller) const {
  std::string &request = caller.request;
  char bytes[kMostRequest];
  const ssize_t size = recv(caller.file.get(), bytes, sizeof(bytes), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return Answer::kUnfinished;
  if (size <= 0)
    return Answer::kStranger;
  // Paho waits for this to have arrived before it sends what comes next.
  const int on = 1;
  setsockopt(caller.file.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
  request.append(bytes, static_cast<std::size_t>(size));
  constexpr std::string_view kEnd = "\r\n\r\n";
  const auto end = request.find(kEnd);
  if (end == std::string::npos)
    return request.size() < kMostRequest ? Answer::kUnfinished : Answer::kStranger;
  if (request.substr(0, end + 2).find(credentials_) == std::string::npos)
    return Answer::kStranger;
  request.erase(0, end + kEnd.size());
  return Answer::kClient;
}

}  // namespace npc::mqtt
