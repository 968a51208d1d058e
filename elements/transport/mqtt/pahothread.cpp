// SPDX-License-Identifier: LGPL-2.1-or-later
// Paho's own thread, for what Paho must not be asked from any other.
#include "pahothread.h"

#include <mqtt/async_client.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

#include "loopbackproxy.h"

namespace paho = ::mqtt;

namespace npc::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Of MQTT 3.1.1: yes to CONNECT; a message of QoS 0 and without content on the topic "npc".
constexpr std::string_view kConnack{"\x20\x02\x00\x00", 4};
constexpr std::string_view kWake{"\x30\x05\x00\x03npc", 7};
constexpr milliseconds kConnecting{5000};

// A client of Paho whose broker we are ourselves: each message that it gets is a call.
class PahoThread {
 public:
  PahoThread()
      : paho_("tcp://npc:1883", id_, paho::create_options(static_cast<int>(MQTTVERSION_3_1_1), 1)) {
    paho_.set_message_callback([this](const paho::const_message_ptr &) { run_all(); });
    paho_.set_connection_lost_handler([this](const std::string &) { connected_ = false; });
  }

  bool run(const std::function<void()> &task, milliseconds most) {
    Call call{task};
    std::unique_lock lock(mutex_);
    calls_.push_back(&call);
    lock.unlock();
    const bool woken = wake();
    lock.lock();
    if (!changed_.wait_for(lock, woken ? most : milliseconds(0), [&] { return call.begun; })) {
      std::erase(calls_, &call);
      return false;
    }
    changed_.wait(lock, [&] { return call.ended; });
    return true;
  }

 private:
  struct Call {
    const std::function<void()> &task;
    bool begun = false;
    bool ended = false;
  };

  void run_all() {
    std::unique_lock lock(mutex_);
    while (!calls_.empty()) {
      Call *call = calls_.front();
      calls_.pop_front();
      call->begun = true;
      lock.unlock();
      call->task();
      lock.lock();
      call->ended = true;
      changed_.notify_all();
    }
  }

  bool wake() {
    std::lock_guard lock(connecting_);
    if (!connected_ && !connect())
      return false;
    const ssize_t size = send(end_.get(), kWake.data(), kWake.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // If it is full, then of messages of which one is still to be read.
    if (size == static_cast<ssize_t>(kWake.size()) || (size < 0 && errno == EAGAIN))
      return true;
    connected_ = false;
    return false;
  }

  bool connect() try {
    LoopbackProxy proxy;
    paho::connect_options options;
    options.set_mqtt_version(MQTTVERSION_3_1_1);
    options.set_clean_session(true);
    options.set_keep_alive_interval(seconds(0));
    options.set_connect_timeout(std::chrono::duration_cast<seconds>(kConnecting));
    options.set_http_proxy(proxy.url());
    const paho::token_ptr answer = paho_.connect(options);
    std::string request;
    end_ = proxy.accept(-1, kConnecting, &request);
    while (end_.is_open() && request.find(id_) == std::string::npos) {
      pollfd file{end_.get(), POLLIN, 0};
      char bytes[256];
      const ssize_t size = poll(&file, 1, static_cast<int>(kConnecting.count())) > 0
                               ? recv(end_.get(), bytes, sizeof(bytes), 0)
                               : 0;
      if (size <= 0)
        return false;
      request.append(bytes, static_cast<std::size_t>(size));
    }
    connected_ = end_.is_open() &&
                 send(end_.get(), kConnack.data(), kConnack.size(), MSG_NOSIGNAL) > 0 &&
                 answer->wait_for(kConnecting);
    return connected_;
  } catch (const std::exception &) {
    return false;
  }

  const std::string id_ = make_secret();
  std::mutex connecting_;  // over end_
  Descriptor end_;         // ours, of the connection
  std::atomic<bool> connected_ = false;
  std::mutex mutex_;  // over calls_ and what they point to
  std::condition_variable changed_;
  std::deque<Call *> calls_;
  paho::async_client paho_;  // last: its callbacks use all of the above
};

PahoThread &paho_thread() {
  // Never destroyed: see keep_paho().
  static auto *kept = new PahoThread();
  return *kept;
}

}  // namespace

void keep_paho() {
  paho_thread();
}

bool run_on_paho(const std::function<void()> &task, milliseconds most) {
  return paho_thread().run(task, most);
}

}  // namespace npc::mqtt
