// SPDX-License-Identifier: LGPL-2.1-or-later
// A thread waits for what nobody else should have to.
#include "base/backgroundcall.h"

#include <condition_variable>
#include <exception>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/wait.h"

namespace npc {

class BackgroundCall::Wait {
 public:
  void finish(Status result) {
    {
      Lock lock(mutex_);
      result_ = std::move(result);
      done_ = true;
    }
    finished_.notify_all();
  }
  /// Waits until it is finished; fails with `late`.
  Status await(std::chrono::steady_clock::time_point until, const std::string &late,
               const std::stop_token &stop) {
    Lock lock(mutex_);
    const auto done = [this]() NPC_REQUIRES(mutex_) { return done_; };
    switch (wait_until(finished_, lock, stop, until, done)) {
      case Waited::kStopped:
        return Status::stopped();
      case Waited::kTimeout:
        return Status::failed(late);
      default:
        return {};
    }
  }
  Status result() {
    Lock lock(mutex_);
    return result_;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any finished_;
  bool done_ NPC_GUARDED_BY(mutex_) = false;
  Status result_ NPC_GUARDED_BY(mutex_);
};

Status BackgroundCall::run(std::function<Status()> call, std::chrono::milliseconds most,
                           const std::string &late, const std::stop_token &stop) {
  const auto until = std::chrono::steady_clock::now() + most;
  if (wait_) {
    if (Status earlier = wait_->await(until, late, stop); !earlier.is_ok())
      return earlier;
  }
  const auto wait = std::make_shared<Wait>();
  std::thread([call = std::move(call), wait]() mutable {
    Status result;
    try {
      result = call();
    } catch (const std::exception &error) {
      result = Status::failed("The attempt failed: " + std::string(error.what()) + ".");
    }
    // What it owns must go before somebody learns that it is done.
    call = nullptr;
    wait->finish(std::move(result));
  }).detach();
  // Only now: one that never began would be waited for for ever.
  wait_ = wait;
  if (Status now = wait_->await(until, late, stop); !now.is_ok())
    return now;
  return std::exchange(wait_, nullptr)->result();
}

}  // namespace npc
