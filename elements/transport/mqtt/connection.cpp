// SPDX-License-Identifier: LGPL-2.1-or-later
// Connecting with waits that a stop ends, and what is to be said of it.
#include "transport/mqtt/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace npc::mqtt {
namespace {

using std::chrono::milliseconds;

// Of a web server, before WebSocket begins.
constexpr std::size_t kMostAnswer = 16 * 1024;

struct FreeAddresses {
  void operator()(addrinfo *list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses addresses_of(const std::string &host, int flags, int *error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo *list = nullptr;
  *error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  return Addresses(*error == 0 ? list : nullptr);
}

void set_port(sockaddr *address, std::uint16_t port) {
  if (address->sa_family == AF_INET6)
    reinterpret_cast<sockaddr_in6 *>(address)->sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in *>(address)->sin_port = htons(port);
}

}  // namespace

Status resolve(const std::string &host, std::vector<std::string> *addresses) {
  int error = 0;
  const Addresses list = addresses_of(host, 0, &error);
  if (error != 0)
    return Status::failed("The host \"" + host + "\" is not found: " + gai_strerror(error) + ".");
  for (const addrinfo *each = list.get(); each != nullptr; each = each->ai_next) {
    char number[NI_MAXHOST];
    if (getnameinfo(each->ai_addr, each->ai_addrlen, number, sizeof(number), nullptr, 0,
                    NI_NUMERICHOST) == 0)
      addresses->push_back(number);
  }
  return {};
}

Connection::Connection(std::string broker, std::optional<TlsSettings> tls)
    : broker_(std::move(broker)),
      tls_(tls ? std::make_unique<TlsContext>(std::move(*tls), broker_) : nullptr) {}

Connection::~Connection() = default;

Status Connection::open(const std::vector<std::string> &addresses, std::uint16_t port,
                        milliseconds most, const std::stop_token &stop) {
  if (tls_) {
    if (Status status = tls_->prepare(); !status.is_ok())
      return status;
  }
  const StopBell stopped(stop);
  const auto until = Clock::now() + most;
  Status status = dial(addresses, port, until, stopped);
  return status.is_ok() && tls_ ? shake_hands(until, stopped) : status;
}

Status Connection::silent() const {
  return Status::failed("The broker at " + broker_ +
                        " does not answer: check the host and the port, and whether it hangs.");
}

// Why the broker ended the connection before it had answered.
Status Connection::ended() const {
  if (std::string tls_failure = failure(); !tls_failure.empty())
    return Status::failed(std::move(tls_failure));
  return Status::failed("The broker at " + broker_ +
                        " ended the connection instead of answering: check the host and the "
                        "port.");
}

Status Connection::await(short events, Clock::time_point until, const StopBell &stop) const {
  switch (wait_fd(socket_.get(), events, stop.get(), until)) {
    case Waited::kStopped:
      return Status::stopped();
    case Waited::kTimeout:
      return silent();
    default:
      return {};
  }
}

Status Connection::dial(const std::vector<std::string> &addresses, std::uint16_t port,
                        Clock::time_point until, const StopBell &stop) {
  Status failure = silent();
  for (std::size_t i = 0; i < addresses.size(); i++) {
    int error = 0;
    const Addresses address = addresses_of(addresses[i], AI_NUMERICHOST, &error);
    if (!address)
      continue;
    set_port(address->ai_addr, port);
    socket_ =
        Descriptor(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = connect(socket_.get(), address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      // Some of the time is left for the addresses that come after it.
      const auto left = static_cast<int>(addresses.size() - i);
      Status connected = await(POLLOUT, Clock::now() + (until - Clock::now()) / left, stop);
      if (connected.is_stopped())
        return connected;
      if (connected.is_failed())
        continue;
      socklen_t size = sizeof(error);
      getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) {
      const int on = 1;
      setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return {};
    }
    failure = Status::failed("There is no MQTT broker to reach at " + broker_ +
                             ": check the host and the port, and whether it runs.");
  }
  return failure;
}

Status Connection::shake_hands(Clock::time_point until, const StopBell &stop) {
  ssl_.reset(tls_->start(socket_.get()));
  if (!ssl_)
    return Status::failed("There is no memory for TLS.");
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1)
      return {};
    short events = 0;
    if (result_of(result, &events) == 0) {
      std::string failure = tls_->failure();
      return Status::failed(failure.empty() ? tls_->cut_off() : std::move(failure));
    }
    if (Status status = await(events, until, stop); !status.is_ok())
      return status;
  }
}

Status Connection::upgrade(const std::string &host, const std::string &path, milliseconds most,
                           const std::stop_token &stop) {
  const StopBell stopped(stop);
  auto web_socket = std::make_unique<WebSocket>();
  std::string answer;
  Status status = exchange(web_socket->request(host, path), &answer, Clock::now() + most, stopped);
  if (!status.is_ok())
    return status;
  if (!web_socket->is_open(answer)) {
    return Status::failed(
        "What is at " + broker_ + " opens no WebSocket for MQTT at " + path +
        ": check the port, and the path in the URI; that of many brokers is /mqtt.");
  }
  web_socket_ = std::move(web_socket);
  return {};
}

/// Sends a request of HTTP and reads the answer up to its empty line, and no byte more: what
/// follows is not HTTP.
Status Connection::exchange(const std::string &request, std::string *answer,
                            Clock::time_point until, const StopBell &stop) {
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t size = write(request.data() + sent, request.size() - sent);
    if (size == 0)
      return ended();
    if (size > 0)
      sent += static_cast<std::size_t>(size);
    else if (Status status = await(events(false, true), until, stop); !status.is_ok())
      return status;
  }
  while (!answer->ends_with("\r\n\r\n") && answer->size() < kMostAnswer) {
    char byte;
    const ssize_t size = read(&byte, 1);
    if (size == 0)
      return ended();
    if (size > 0)
      *answer += byte;
    else if (Status status = await(events(true, false), until, stop); !status.is_ok())
      return status;
  }
  return {};
}

// What a call of OpenSSL's that did not succeed means, as read() and write() return it.
ssize_t Connection::result_of(int result, short *events) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      *events = POLLIN;
      return -1;
    case SSL_ERROR_WANT_WRITE:
      *events = POLLOUT;
      return -1;
    default:
      tls_->note_error();
      return 0;
  }
}

ssize_t Connection::read(char *bytes, std::size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), bytes, static_cast<int>(size));
    return result > 0 ? result : result_of(result, &read_events_);
  }
  const ssize_t result = recv(socket_.get(), bytes, size, 0);
  if (result < 0)
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
  return result;
}

ssize_t Connection::write(const char *bytes, std::size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int result = SSL_write(ssl_.get(), bytes, static_cast<int>(size));
    return result > 0 ? result : result_of(result, &write_events_);
  }
  const ssize_t result = send(socket_.get(), bytes, size, MSG_NOSIGNAL);
  if (result < 0)
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
  return result;
}

void Connection::shut_down() {
  if (ssl_)
    SSL_shutdown(ssl_.get());
  ::shutdown(socket_.get(), SHUT_WR);
}

}  // namespace npc::mqtt
