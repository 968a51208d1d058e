// SPDX-License-Identifier: LGPL-2.1-or-later
// A chip of a simulated air, for a process of its own.
#include "support/remotebus.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace npc::test {
namespace {

using lora::Time;

/// What is asked, and the answer to it.
struct Message {
  enum class Call : std::uint8_t {
    kTransfer,
    kReset,
    kBusy,
    kInterrupt,
    kWait,
    kSending,
    kNow,
    kUtc,
    kSleep
  };
  Call call = Call::kNow;
  bool flag = false;
  std::int64_t number = 0;
  std::size_t size = 0;
  std::array<std::uint8_t, 512> bytes{};
};

class RemoteBus final : public Bus {
 public:
  explicit RemoteBus(int socket) : socket_(socket) {}

  std::string name() const override { return "the LoRa chip of another process"; }
  Status transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override {
    Message message;
    message.call = Message::Call::kTransfer;
    message.size = out.size();
    std::memcpy(message.bytes.data(), out.data(), out.size());
    ask(&message);
    std::memcpy(in.data(), message.bytes.data(), in.size());
    return {};
  }
  Status set_reset(bool active) override { return call(Message::Call::kReset, active); }
  Status read_busy(bool *is_busy) override {
    *is_busy = get(Message::Call::kBusy);
    return {};
  }
  Status read_interrupt(bool *active) override {
    *active = get(Message::Call::kInterrupt);
    return {};
  }
  bool wait_interrupt(Time most, int wake) override {
    pollfd file = {wake, POLLIN, 0};
    if (wake >= 0 && poll(&file, 1, 0) > 0)
      return false;
    number(Message::Call::kWait, most.count());
    return true;
  }
  Status set_sending(bool sending) override { return call(Message::Call::kSending, sending); }
  Time now() const override { return Time(number(Message::Call::kNow, 0)); }
  std::chrono::milliseconds utc() const override {
    return std::chrono::milliseconds(number(Message::Call::kUtc, 0));
  }
  void sleep(Time time) override { number(Message::Call::kSleep, time.count()); }

 private:
  // The other end is there for as long as this process.
  void ask(Message *message) const {
    send(socket_, message, sizeof(*message), MSG_NOSIGNAL);
    recv(socket_, message, sizeof(*message), MSG_WAITALL);
  }
  Status call(Message::Call what, bool flag) const {
    Message message;
    message.call = what;
    message.flag = flag;
    ask(&message);
    return {};
  }
  bool get(Message::Call what) const {
    Message message;
    message.call = what;
    ask(&message);
    return message.flag;
  }
  std::int64_t number(Message::Call what, std::int64_t with) const {
    Message message;
    message.call = what;
    message.number = with;
    ask(&message);
    return message.number;
  }

  const int socket_;
};

void answer(Bus &bus, Message *message) {
  std::vector<std::uint8_t> in(message->size);
  switch (message->call) {
    case Message::Call::kTransfer:
      (void)bus.transfer({message->bytes.data(), message->size}, in);
      std::memcpy(message->bytes.data(), in.data(), in.size());
      break;
    case Message::Call::kReset:
      (void)bus.set_reset(message->flag);
      break;
    case Message::Call::kBusy:
      (void)bus.read_busy(&message->flag);
      break;
    case Message::Call::kInterrupt:
      (void)bus.read_interrupt(&message->flag);
      break;
    case Message::Call::kWait:
      bus.wait_interrupt(Time(message->number), -1);
      break;
    case Message::Call::kSending:
      (void)bus.set_sending(message->flag);
      break;
    case Message::Call::kNow:
      message->number = bus.now().count();
      break;
    case Message::Call::kUtc:
      message->number = bus.utc().count();
      break;
    case Message::Call::kSleep:
      bus.sleep(Time(message->number));
      break;
  }
}

}  // namespace

BusServer::BusServer(std::unique_ptr<Bus> bus, Descriptor socket)
    : thread_([bus = std::move(bus), socket = std::move(socket)] { serve(*bus, socket.get()); }) {}

void BusServer::serve(Bus &bus, int socket) {
  Message message;
  while (recv(socket, &message, sizeof(message), MSG_WAITALL) ==
         static_cast<ssize_t>(sizeof(message))) {
    answer(bus, &message);
    if (send(socket, &message, sizeof(message), MSG_NOSIGNAL) < 0)
      return;
  }
}

std::unique_ptr<Bus> make_remote_bus(int socket) {
  return std::make_unique<RemoteBus>(socket);
}

}  // namespace npc::test
