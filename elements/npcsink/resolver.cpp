// SPDX-License-Identifier: LGPL-2.1-or-later
// getaddrinfo() can neither be interrupted nor bounded, so a thread waits for it.
#include "resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace npc {
namespace {

Addresses look_up(const std::string &host, int flags) {
  addrinfo hints = {};
  hints.ai_flags = flags;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    return {{},
            "The host \"" + host + "\" is not found: " + std::string(gai_strerror(error)) + "."};
  }
  Addresses addresses;
  bool seen[2] = {false, false};
  for (const addrinfo *info = list; info != nullptr; info = info->ai_next) {
    bool &had = seen[info->ai_family == AF_INET6];
    char number[NI_MAXHOST];
    if (!had && getnameinfo(info->ai_addr, info->ai_addrlen, number, sizeof(number), nullptr, 0,
                            NI_NUMERICHOST) == 0) {
      had = true;
      addresses.numbers.emplace_back(number);
    }
  }
  freeaddrinfo(list);
  return addresses;
}

}  // namespace

struct Resolver::Lookup {
  std::mutex mutex;
  std::condition_variable_any finished;
  bool done = false;
  Addresses addresses;
};

Addresses Resolver::resolve(const std::string &host, std::chrono::milliseconds patience,
                            std::stop_token stop) {
  Addresses numeric = look_up(host, AI_NUMERICHOST);
  if (numeric.failure.empty())
    return numeric;

  if (!lookup_) {
    lookup_ = std::make_shared<Lookup>();
    std::thread([host, lookup = lookup_] {
      // Without AI_ADDRCONFIG: "localhost" must do on a host that has no other network.
      Addresses found = look_up(host, 0);
      {
        std::lock_guard lock(lookup->mutex);
        lookup->addresses = std::move(found);
        lookup->done = true;
      }
      lookup->finished.notify_all();
    }).detach();
  }
  const std::shared_ptr<Lookup> lookup = lookup_;
  std::unique_lock lock(lookup->mutex);
  if (!lookup->finished.wait_for(lock, stop, patience, [&] { return lookup->done; })) {
    if (stop.stop_requested())
      return {};
    return {{}, "The host \"" + host + "\" is not found: the name server does not answer."};
  }
  lookup_.reset();
  return std::move(lookup->addresses);
}

}  // namespace npc
