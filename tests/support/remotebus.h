// SPDX-License-Identifier: LGPL-2.1-or-later
// A chip of a simulated air, for a process of its own, which can be killed.
#pragma once

#include <memory>
#include <thread>

#include "base/descriptor.h"
#include "transport/lora/chips/bus.h"

namespace npc::test {

using lora::Bus;

/// Answers what a RemoteBus at the other end of a socket asks, until that is closed.
class BusServer {
 public:
  BusServer(std::unique_ptr<Bus> bus, Descriptor socket);

 private:
  static void serve(Bus &bus, int socket);

  std::jthread thread_;
};

/// The bus at the other end of a socket.
std::unique_ptr<Bus> make_remote_bus(int socket);

}  // namespace npc::test
