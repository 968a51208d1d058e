// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits that a stop request ends at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <stop_token>

#include "base/descriptor.h"
#include "base/mutex.h"

namespace npc {

/// A descriptor that poll() finds readable once ring() was called.
class Bell {
 public:
  /// Throws std::system_error if there can be no more descriptors.
  Bell();
  int get() const { return file_.get(); }
  void ring() const noexcept;
  /// It has not been rung.
  void clear() const noexcept;

 private:
  Descriptor file_;
};

/// A bell that rings when `stop` is requested.
class StopBell {
 public:
  /// Throws std::system_error if there can be no more descriptors.
  explicit StopBell(std::stop_token stop) : callback_(std::move(stop), [this] { bell_.ring(); }) {}
  int get() const { return bell_.get(); }

 private:
  Bell bell_;
  std::stop_callback<std::function<void()>> callback_;
};

/// What ended a wait.
enum class Waited { kReady, kStopped, kTimeout };

/// Waits until `file` is ready for one of poll()'s `events`, or has an error or an end; until
/// `bell` can be read, which comes first if both are; or until `until`. A negative `file` is never
/// ready.
Waited wait_fd(int file, short events, int bell, std::chrono::steady_clock::time_point until);

/// Waits until `holds`, which `changed` says that it may, until a stop request, or until `until`.
template <typename Condition>
Waited wait_until(std::condition_variable_any &changed, Lock &lock, const std::stop_token &stop,
                  std::chrono::steady_clock::time_point until, Condition holds) {
  if (changed.wait_until(lock, stop, until, holds))
    return Waited::kReady;
  return stop.stop_requested() ? Waited::kStopped : Waited::kTimeout;
}

/// Waits for so long. Returns false if a stop request came before the end of it.
bool sleep_for(std::chrono::milliseconds time, const std::stop_token &stop);

/// What poll() is to be given to wait until then, -1 for ever if that is time_point::max().
int milliseconds_until(std::chrono::steady_clock::time_point until);

}  // namespace npc
