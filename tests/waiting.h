// SPDX-License-Identifier: LGPL-2.1-or-later
// Waiting for what another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace npc::test {

/// Whether `condition` became true; the limit is only there so that a broken test ends.
template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 6000; i++) {
    if (condition())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace npc::test
