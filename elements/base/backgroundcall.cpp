// SPDX-License-Identifier: LGPL-2.1-or-later
// A thread waits for what nobody else should have to.
#include "base/backgroundcall.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace npc {

struct BackgroundCall::Wait {
  std::mutex mutex;
  std::condition_variable_any finished;
  bool done = false;
  std::string failure;
};

std::string BackgroundCall::run(std::function<std::string()> call, std::chrono::milliseconds most,
                                std::string late, std::stop_token stop) {
  const auto until = std::chrono::steady_clock::now() + most;
  const auto await = [&](const std::shared_ptr<Wait> &wait) {
    std::unique_lock lock(wait->mutex);
    return wait->finished.wait_until(lock, stop, until, [&] { return wait->done; });
  };
  if (wait_ && !await(wait_))
    return stop.stop_requested() ? std::string() : late;

  const auto wait = std::make_shared<Wait>();
  std::thread([call = std::move(call), wait]() mutable {
    std::string failure;
    try {
      failure = call();
    } catch (const std::exception &error) {
      failure = "The attempt failed: " + std::string(error.what()) + ".";
    }
    // What it owns must go before somebody learns that it is done.
    call = nullptr;
    {
      std::lock_guard lock(wait->mutex);
      wait->failure = std::move(failure);
      wait->done = true;
    }
    wait->finished.notify_all();
  }).detach();
  // Only now: one that never began would be waited for for ever.
  wait_ = wait;
  if (!await(wait_))
    return stop.stop_requested() ? std::string() : late;
  return std::exchange(wait_, nullptr)->failure;
}

}  // namespace npc
