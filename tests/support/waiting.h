// SPDX-License-Identifier: LGPL-2.1-or-later
// Waiting for what another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace npc::test {

/// Whether `condition` became true; the limit is only there so that a broken test ends.
template <typename Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace npc::test
