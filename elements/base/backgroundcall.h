// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls that can neither be interrupted nor bounded, such as the look-up of a host name.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/status.h"

namespace npc {

/// Waits for one such call at a time, on a thread of its own.
class BackgroundCall {
 public:
  /// Runs `call` and returns what it does. Fails with `late` if that takes longer than `most`, also
  /// while an earlier call still runs. A call that is not waited for any more is left to its end,
  /// so `call` must own what it uses. Throws std::system_error if there can be no more threads.
  Status run(std::function<Status()> call, std::chrono::milliseconds most, const std::string &late,
             const std::stop_token &stop);

 private:
  class Wait;
  std::shared_ptr<Wait> wait_;
};

}  // namespace npc
