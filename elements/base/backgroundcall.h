// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls that can neither be interrupted nor bounded, such as the look-up of a host name.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace npc {

/// Waits for one such call at a time, on a thread of its own.
class BackgroundCall {
 public:
  /// Runs `call`, which returns why it failed, as a sentence, or nothing. Returns `late` if that
  /// takes longer than `most`, also while an earlier call still runs: it is left to its end, so
  /// `call` must own what it uses. After a stop request there may be no failure though nothing was
  /// done. Throws std::system_error if there can be no more threads.
  std::string run(std::function<std::string()> call, std::chrono::milliseconds most,
                  std::string late, std::stop_token stop);

 private:
  struct Wait;
  std::shared_ptr<Wait> wait_;
};

}  // namespace npc
