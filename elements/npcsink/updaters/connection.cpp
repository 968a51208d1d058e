// SPDX-License-Identifier: LGPL-2.1-or-later
// Sockets that never block, and OpenSSL on top of them.
#include "connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace npc {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kReadSize = 16384;

int socket_to(const std::string &number, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *list = nullptr;
  if (getaddrinfo(number.c_str(), std::to_string(port).c_str(), &hints, &list) != 0)
    return -1;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
  const int made = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0)
    return -1;
  // Packets are written in one piece: waiting for more would only delay them.
  const int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(made, list->ai_addr, list->ai_addrlen) == 0 || errno == EINPROGRESS)
    return made;
  ::close(made);
  return -1;
}

}  // namespace

Connection::Connection() : woken_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (woken_ < 0)
    throw std::system_error(errno, std::generic_category(), "no file handle for a connection");
}

Connection::~Connection() {
  close();
  ::close(woken_);
}

void Connection::close() {
  ssl_.reset();
  context_.reset();
  if (socket_ >= 0)
    ::close(socket_);
  socket_ = -1;
  ended_ = true;
}

std::string Connection::open(const Target &target, const TlsSettings *tls, Time until,
                             std::stop_token stop) {
  close();
  target_ = target;
  why_.clear();
  read_needs_ = POLLIN;
  write_needs_ = POLLOUT;
  if (tls != nullptr) {
    if (std::string failure = prepare(*tls); !failure.empty())
      return failure;
  }
  std::size_t left = target.numbers.size();
  for (const std::string &number : target.numbers) {
    const auto share = (until - steady_clock::now()) / static_cast<int>(left--);
    if (connect_to(number, target.port, steady_clock::now() + share, stop) || stop.stop_requested())
      break;
  }
  if (stop.stop_requested())
    return {};
  if (socket_ < 0) {
    return "There is no MQTT broker to reach at " + target.name +
           ": check the host and the port, and whether it runs.";
  }
  ended_ = false;
  if (tls == nullptr)
    return {};
  std::string failure = shake_hands(*tls, until, stop);
  if (!failure.empty())
    close();
  return failure;
}

bool Connection::connect_to(const std::string &number, std::uint16_t port, Time until,
                            std::stop_token stop) {
  socket_ = socket_to(number, port);
  if (socket_ < 0)
    return false;
  int error = 0;
  socklen_t size = sizeof(error);
  if (poll_for(POLLOUT, until, stop) && !stop.stop_requested() &&
      getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
    return true;
  ::close(socket_);
  socket_ = -1;
  return false;
}

bool Connection::poll_for(short events, Time until, std::stop_token stop) {
  const std::stop_callback wake(stop, [this] { eventfd_write(woken_, 1); });
  pollfd files[2] = {{socket_, events, 0}, {woken_, POLLIN, 0}};
  for (;;) {
    const auto rest = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    const auto limit = std::clamp<std::int64_t>(rest.count(), 0, 60000);
    const int ready = poll(files, 2, static_cast<int>(limit));
    if (ready > 0 && (files[0].revents != 0 || stop.stop_requested()))
      return true;
    eventfd_t stale;  // An earlier stop must not wake what comes after it.
    if (ready > 0)
      eventfd_read(woken_, &stale);
    if (steady_clock::now() >= until)
      return false;
    if (ready < 0 && errno != EINTR)
      return false;
  }
}

void Connection::acknowledge() {
  const int on = 1;
  if (!ended_)
    setsockopt(socket_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

bool Connection::wait(bool writing, Time until, std::stop_token stop) {
  if (ended_)
    return true;
  // TLS may hold bytes that the socket no longer has.
  if (ssl_ && SSL_pending(ssl_.get()) > 0)
    return true;
  return poll_for(static_cast<short>(read_needs_ | (writing ? write_needs_ : 0)), until, stop);
}

std::size_t Connection::write(std::string_view bytes) {
  if (ended_ || bytes.empty())
    return 0;
  if (ssl_) {
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1) {
      write_needs_ = POLLOUT;
      return written;
    }
    blocked(0, &write_needs_);
    return 0;
  }
  const ssize_t written = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN && errno != EINTR)
    ended_ = true;
  return written < 0 ? 0 : static_cast<std::size_t>(written);
}

std::size_t Connection::read(std::string &bytes) {
  if (ended_)
    return 0;
  const std::size_t before = bytes.size();
  bytes.resize(before + kReadSize);
  std::size_t got = 0;
  if (ssl_) {
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), bytes.data() + before, kReadSize, &got) == 1)
      read_needs_ = POLLIN;
    else
      blocked(0, &read_needs_);
  } else {
    const ssize_t size = recv(socket_, bytes.data() + before, kReadSize, 0);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
      ended_ = true;
    got = size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  bytes.resize(before + got);
  return got;
}

}  // namespace npc
