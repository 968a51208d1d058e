// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits for a file descriptor that a stop request ends at once.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "base/descriptor.h"

namespace npc {

/// A descriptor that poll() finds readable once ring() was called.
class Bell {
 public:
  /// Throws std::system_error if there can be no more descriptors.
  Bell();
  int get() const { return file_.get(); }
  void ring() const noexcept;

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

/// What poll() is to be given to wait until then, -1 for ever if that is time_point::max().
int milliseconds_until(std::chrono::steady_clock::time_point until);

}  // namespace npc
