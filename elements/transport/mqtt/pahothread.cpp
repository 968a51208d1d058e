// SPDX-License-Identifier: LGPL-2.1-or-later
// Paho's own thread, for what Paho must not be asked from any other.
#include "transport/mqtt/pahothread.h"

#include <mqtt/async_client.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/threads.h"
#include "transport/mqtt/loopbackproxy.h"

namespace paho = ::mqtt;

namespace npc::mqtt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Of MQTT 3.1.1: yes to CONNECT; a message of QoS 0 and without content on the topic "npc".
constexpr std::string_view kConnack{"\x20\x02\x00\x00", 4};
constexpr std::string_view kWake{"\x30\x05\x00\x03npc", 7};
constexpr seconds kConnecting{5};

// A client of Paho whose broker we are ourselves: each message that it gets is a call.
class PahoThread {
 public:
  PahoThread()
      : paho_("tcp://npc:1883", id_, paho::create_options(static_cast<int>(MQTTVERSION_3_1_1), 1)) {
    paho_.set_message_callback([this](const paho::const_message_ptr &) { run_all(); });
    broker_ = start_thread("npc-paho", [this](const std::stop_token &) { serve(); });
  }

  Waited run(const std::function<void()> &task, milliseconds most, const std::stop_token &stop) {
    const auto until = Clock::now() + most;
    Call call{task};
    Lock lock(mutex_);
    if (!asked_) {
      asked_ = true;
      lock.unlock();
      const bool asked = connect();
      lock.lock();
      asked_ = asked;
    }
    calls_.push_back(&call);
    wake();
    const Waited waited = wait_until(changed_, lock, stop, until, [&] { return call.begun; });
    if (waited == Waited::kReady)
      changed_.wait(lock, [&] { return call.ended; });
    else
      std::erase(calls_, &call);
    return waited;
  }

 private:
  struct Call {
    const std::function<void()> &task;
    bool begun = false;
    bool ended = false;
  };

  void run_all() {
    Lock lock(mutex_);
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

  // Once, on the caller's thread: no other client is there before a call has run. Paho then tries
  // and connects again by itself, under its lock.
  bool connect() try {
    paho::connect_options options;
    options.set_mqtt_version(MQTTVERSION_3_1_1);
    options.set_clean_session(true);
    options.set_keep_alive_interval(seconds(0));
    options.set_connect_timeout(kConnecting);
    options.set_automatic_reconnect(seconds(1), seconds(1));
    options.set_http_proxy(proxy_.url());
    paho_.connect(options);
    return true;
  } catch (const std::exception &) {
    return false;
  }

  // What is not read now comes with the next connection.
  void wake() NPC_REQUIRES(mutex_) {
    if (!end_.is_open())
      return;
    const ssize_t size = send(end_.get(), kWake.data(), kWake.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // If it is full, then of messages of which one is still to be read. Half a message is no use:
    // Paho is to notice.
    if (size != static_cast<ssize_t>(kWake.size()) && !(size < 0 && errno == EAGAIN))
      shutdown(end_.get(), SHUT_RDWR);
  }

  // The broker, for as long as the process runs.
  void serve() {
    for (;;) {
      try {
        std::string request;
        Descriptor end = proxy_.accept(-1, milliseconds(-1), &request);
        const int number = end.get();
        if (!greet(number, std::move(request)))
          continue;
        {
          Lock lock(mutex_);
          end_ = std::move(end);
          wake();
        }
        // Nothing comes but the end. Only this thread closes it.
        while (receive(number, milliseconds(-1), nullptr)) {
        }
      } catch (const std::exception &) {
        // Out of memory: Paho tries again.
      }
      Lock lock(mutex_);
      end_ = Descriptor();
    }
  }

  bool greet(int end, std::string request) const {
    while (request.find(id_) == std::string::npos) {
      if (!receive(end, kConnecting, &request))
        return false;
    }
    return send(end, kConnack.data(), kConnack.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(kConnack.size());
  }

  static bool receive(int end, milliseconds most, std::string *text) {
    pollfd file{end, POLLIN, 0};
    char bytes[256];
    if (poll(&file, 1, static_cast<int>(most.count())) == 0)
      return false;
    const ssize_t size = recv(end, bytes, sizeof(bytes), 0);
    if (size > 0 && text != nullptr)
      text->append(bytes, static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
  }

  const std::string id_ = make_secret();
  LoopbackProxy proxy_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Call *> calls_ NPC_GUARDED_BY(mutex_);  // and what they say of themselves
  bool asked_ NPC_GUARDED_BY(mutex_) = false;
  Descriptor end_ NPC_GUARDED_BY(mutex_);  // ours, of the connection
  std::jthread broker_;
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

Waited run_on_paho(const std::function<void()> &task, milliseconds most,
                   const std::stop_token &stop) {
  return paho_thread().run(task, most, stop);
}

}  // namespace npc::mqtt
