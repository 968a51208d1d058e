// SPDX-License-Identifier: LGPL-2.1-or-later
// A thread that carries bytes between a client on the loopback interface and a broker.
#include "transport/mqtt/tunnel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/threads.h"

namespace npc::mqtt {
namespace {

using std::chrono::milliseconds;

// More than a client of ours has on its way, so that it is always read.
constexpr std::size_t kRoomUp = 512 * 1024;
constexpr std::size_t kRoomDown = 64 * 1024;
constexpr std::size_t kMostAtOnce = 16 * 1024;
// Who holds back what comes wants little of it on its way then.
constexpr std::size_t kMostUnread = 64 * 1024;
// For a broker that does not read what came before the end.
constexpr milliseconds kGoodbye{500};

// The remote may hold back what comes next until it knows that this has arrived, which the kernel
// would report it only after a while.
void acknowledge(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

// Bytes on their way in one direction.
class Buffer {
 public:
  explicit Buffer(std::size_t size) : bytes_(size) {}

  bool is_empty() const { return begin_ == end_; }
  bool has_room() const { return end_ - begin_ < bytes_.size(); }
  std::span<const char> content() const { return std::span(bytes_).subspan(begin_, end_ - begin_); }
  void take(std::size_t size) {
    begin_ += size;
    if (begin_ == end_)
      begin_ = end_ = 0;
  }
  void clear() { begin_ = end_ = 0; }
  /// How much may be appended.
  std::size_t space() const { return bytes_.size() - (end_ - begin_); }
  void append(std::span<const char> more) {
    if (bytes_.size() - end_ < more.size()) {
      std::copy(bytes_.begin() + offset(begin_), bytes_.begin() + offset(end_), bytes_.begin());
      end_ -= std::exchange(begin_, 0);
    }
    std::copy(more.begin(), more.end(), bytes_.begin() + offset(end_));
    end_ += more.size();
  }

 private:
  static std::ptrdiff_t offset(std::size_t index) { return static_cast<std::ptrdiff_t>(index); }

  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// The packets of one direction: of each, what it is and the id that it has.
class Packets {
 public:
  /// Calls `take` with the first byte, the id and the size of each packet, as long as that returns
  /// true. Returns whether it did, and the lengths were right.
  template <typename Take>
  bool read(std::span<const char> bytes, Take take) {
    for (const char each : bytes) {
      const auto byte = static_cast<unsigned char>(each);
      if (state_ == State::kType) {
        first_ = byte;
        left_ = shift_ = at_ = topic_ = id_ = 0;
        state_ = State::kLength;
      } else if (state_ == State::kLength) {
        if (shift_ > 21)
          return false;
        left_ |= static_cast<std::size_t>(byte & 127) << shift_;
        shift_ += 7;
        if (byte < 128)
          state_ = State::kContent;
      } else {
        note(byte);
        left_--;
      }
      if (state_ == State::kContent && left_ == 0) {
        state_ = State::kType;
        if (!take(first_, id_, at_))
          return false;
      }
    }
    return true;
  }

 private:
  enum class State { kType, kLength, kContent };

  // The id is in front, but in PUBLISH behind the topic.
  void note(unsigned char byte) {
    const bool publish = first_ >> 4 == 3;
    if (publish && at_ < 2)
      topic_ = topic_ << 8 | byte;
    const std::size_t begin = publish ? 2 + topic_ : 0;
    if ((!publish || at_ >= 2) && at_ >= begin && at_ < begin + 2)
      id_ = (id_ << 8 | byte) & 0xffff;
    at_++;
  }

  State state_ = State::kType;
  unsigned char first_ = 0;
  std::size_t left_ = 0;
  unsigned shift_ = 0;
  std::size_t at_ = 0;  // in the content
  std::size_t topic_ = 0;
  unsigned id_ = 0;
};

// Whether a broker answers what was asked. Paho looks only for the id, and frees the message of a
// PUBLISH twice that is answered with SUBACK or, if it was of QoS 1, with PUBCOMP.
class Guard {
 public:
  void ask(std::span<const char> bytes) {
    asked_.read(bytes, [this](unsigned first, unsigned id, std::size_t) {
      const unsigned type = first >> 4, qos = first >> 1 & 3;
      if (type == kPuback || type == kPubrec)
        answer(id);
      if (type == kPublish && qos > 0)
        expected_[id] = qos == 1 ? kPuback : kPubrec;
      else if (type == kPubrel || type == kSubscribe || type == kUnsubscribe)
        expected_[id] = type + 1;
      return true;
    });
  }
  bool allows(std::span<const char> bytes) {
    return answered_.read(bytes, [this](unsigned first, unsigned id, std::size_t size) {
      const unsigned type = first >> 4, qos = first >> 1 & 3;
      if (type == kPublish && qos > 0 && unread_.emplace(id, size).second)
        unread_bytes_ += size;
      if (type == kConnack || type == kPublish || type == kPingresp || type == kDisconnect)
        return true;
      const auto found = expected_.find(id);
      if (found == expected_.end() || found->second != type)
        return false;
      expected_.erase(found);
      return true;
    });
  }
  /// Of messages that the client was sent and has not answered. What is in a socket is not counted
  /// by anybody else, and a broker need not care for how many we want at once.
  std::size_t unread() const { return unread_bytes_; }

 private:
  void answer(unsigned id) {
    const auto found = unread_.find(id);
    if (found == unread_.end())
      return;
    unread_bytes_ -= found->second;
    unread_.erase(found);
  }

  // The type of the answer is often that of the question, and one.
  static constexpr unsigned kConnack = 2, kPublish = 3, kPuback = 4, kPubrec = 5, kPubrel = 6,
                            kSubscribe = 8, kUnsubscribe = 10, kPingresp = 13, kDisconnect = 14;

  Packets asked_;
  Packets answered_;
  std::unordered_map<unsigned, unsigned> expected_;  // type of the answer, by id
  std::unordered_map<unsigned, std::size_t> unread_;
  std::size_t unread_bytes_ = 0;
};

// Between one client and one broker. What an end sends is handed over before the other learns that
// it has left.
class Relay {
 public:
  /// `rest` has come from the client already.
  Relay(int client, Connection &broker, std::string_view rest) : client_(client), broker_(broker) {
    take_from_client(rest);
  }

  bool goes_on() const {
    return (broker_sends_ || !down_.is_empty()) && (client_sends_ || !up_.is_empty());
  }
  /// Returns whether something came, or the end.
  bool pull_from_broker();
  /// Returns whether anything was moved or has ended.
  bool move() {
    const bool pulled = pull_from_client();
    const bool pushed = push_to_broker();
    return push_to_client() || pulled || pushed;
  }
  /// Waits until there is something to do, or the bell rings; without one, only for a moment. What
  /// comes from the broker is nothing to do while it is held back, until `released` rings.
  void wait(int bell, int released) const;
  void end() {
    if (!client_sends_)
      broker_.shut_down();
  }

 private:
  bool pull_from_client();
  void take_from_client(std::span<const char> bytes);
  bool take_from_broker(std::span<const char> bytes);
  bool has_room_down() const { return down_.has_room() && guard_.unread() < kMostUnread; }
  bool has_room_up() const { return up_.space() > WebSocket::kOverhead; }
  bool push_to_broker();
  bool push_to_client();

  const int client_;
  Connection &broker_;
  Guard guard_;
  Buffer up_{kRoomUp};
  Buffer down_{kRoomDown};
  bool client_sends_ = true;
  bool client_reads_ = true;
  bool broker_sends_ = true;
  bool broker_reads_ = true;
};

bool is_not_yet(ssize_t size) {
  return size < 0 && (errno == EAGAIN || errno == EINTR);
}

bool Relay::pull_from_client() {
  if (!client_sends_ || !has_room_up())
    return false;
  std::array<char, kMostAtOnce> bytes;
  const std::size_t most = std::min(bytes.size(), up_.space() - WebSocket::kOverhead);
  const ssize_t size = recv(client_, bytes.data(), most, 0);
  if (is_not_yet(size))
    return false;
  if (size > 0)
    take_from_client(std::span(bytes).first(static_cast<std::size_t>(size)));
  else
    client_sends_ = false;
  return true;
}

void Relay::take_from_client(std::span<const char> bytes) {
  if (bytes.empty())
    return;
  guard_.ask(bytes);
  if (broker_.web_socket() != nullptr)
    up_.append(WebSocket::wrap(bytes));
  else
    up_.append(bytes);
}

/// Returns false if it is nothing that Paho should see.
bool Relay::take_from_broker(std::span<const char> bytes) {
  std::string content, reply;
  if (WebSocket *web = broker_.web_socket()) {
    // What came before the end of the WebSocket counts.
    const bool good = web->unwrap(bytes, &content, &reply);
    if (reply.size() > up_.space() || !guard_.allows(content))
      return false;
    up_.append(reply);
    down_.append(content);
    return good;
  }
  if (!guard_.allows(bytes))
    return false;
  down_.append(bytes);
  return true;
}

bool Relay::push_to_broker() {
  if (up_.is_empty())
    return false;
  const auto content = up_.content();
  const ssize_t size = broker_reads_ ? broker_.write(content.data(), content.size()) : 0;
  if (size > 0)
    up_.take(static_cast<std::size_t>(size));
  if (size != 0)
    return size > 0;
  // It may have said why it does not read any more.
  broker_reads_ = false;
  up_.clear();
  return true;
}

bool Relay::pull_from_broker() {
  if (!broker_sends_ || !has_room_down())
    return false;
  std::array<char, kMostAtOnce> bytes;
  const ssize_t size = broker_.read(bytes.data(), std::min(bytes.size(), down_.space()));
  if (size > 0) {
    broker_sends_ = take_from_broker(std::span(bytes).first(static_cast<std::size_t>(size)));
    acknowledge(broker_.socket());
  } else {
    broker_sends_ = size < 0;
  }
  return size >= 0;
}

bool Relay::push_to_client() {
  if (down_.is_empty())
    return false;
  const auto content = down_.content();
  const ssize_t size =
      client_reads_ ? send(client_, content.data(), content.size(), MSG_NOSIGNAL) : 0;
  if (is_not_yet(size))
    return false;
  client_reads_ = size > 0;
  if (size > 0)
    down_.take(static_cast<std::size_t>(size));
  else
    down_.clear();
  return true;
}

void Relay::wait(int bell, int released) const {
  const bool pulls = client_sends_ && has_room_up();
  pollfd files[] = {
      {broker_.socket(),
       broker_.events(broker_sends_ && has_room_down() && released < 0,
                      broker_reads_ && !up_.is_empty()),
       0},
      {client_, static_cast<short>((pulls ? POLLIN : 0) | (down_.is_empty() ? 0 : POLLOUT)), 0},
      {bell, POLLIN, 0},
      {released, POLLIN, 0}};
  // An end of the connection is reported even if nobody asks for it: it would keep us busy.
  if (files[0].events == 0)
    files[0].fd = -1;
  poll(files, 4, bell < 0 ? 20 : -1);
  acknowledge(client_);
}

}  // namespace

Tunnel::Tunnel(Connection connection, std::function<void()> on_end)
    : connection_(std::move(connection)), on_end_(std::move(on_end)) {
  thread_ = start_thread("npc-mqtt", [this](const std::stop_token &) { run(); });
}

Tunnel::~Tunnel() {
  closed_ = true;
  closing_.ring();
}

void Tunnel::hold(bool on) {
  if (held_.exchange(on) && !on)
    released_.ring();
}

void Tunnel::run() {
  std::string rest;
  const Descriptor client = proxy_.accept(closing_.get(), milliseconds(-1), &rest);
  entered_ = client.is_open();
  if (client.is_open())
    carry(client.get(), rest);
  // Before the client learns it, which may ask why.
  ended_ = true;
  on_end_();
  if (client.is_open())
    see_off(client.get());
}

// The client is the one that closes: Paho 1.3.14 frees a message twice whose packet it could not
// write.
void Tunnel::see_off(int client) const {
  shutdown(client, SHUT_WR);
  char bytes[4096];
  pollfd files[] = {{client, POLLIN, 0}, {closing_.get(), POLLIN, 0}};
  ssize_t size = 1;
  while (files[1].revents == 0 && (size > 0 || is_not_yet(size))) {
    poll(files, 2, -1);
    size = recv(client, bytes, sizeof(bytes), 0);
  }
}

void Tunnel::carry(int client, std::string_view rest) {
  Relay relay(client, connection_, rest);
  auto until = Clock::time_point::max();
  while (relay.goes_on() && Clock::now() < until) {
    if (closed_ && until == Clock::time_point::max())
      until = Clock::now() + kGoodbye;
    // Before it may be rung again.
    released_.clear();
    const bool held = held_ && !closed_;
    if (!held && relay.pull_from_broker())
      last_received_ = Clock::now();
    else if (!relay.move())
      relay.wait(closed_ ? -1 : closing_.get(), held ? released_.get() : -1);
  }
  relay.end();
}

}  // namespace npc::mqtt
