// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits that a stop request ends at once.
#include "base/wait.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

namespace npc {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Bell::Bell() : file_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!file_.is_open())
    throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Bell::ring() const noexcept {
  eventfd_write(file_.get(), 1);
}

void Bell::clear() const noexcept {
  eventfd_t count;
  eventfd_read(file_.get(), &count);
}

int milliseconds_until(Clock::time_point until) {
  if (until == Clock::time_point::max())
    return -1;
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<milliseconds::rep>(left, 0, std::numeric_limits<int>::max()));
}

Waited wait_fd(int file, short events, int bell, Clock::time_point until) {
  pollfd files[] = {{file, events, 0}, {bell, POLLIN, 0}};
  while (true) {
    const int count = poll(files, 2, milliseconds_until(until));
    if (count > 0)
      return files[1].revents != 0 ? Waited::kStopped : Waited::kReady;
    // Whoever reads or writes then finds out what is wrong. A signal is no reason to give up.
    if (count < 0 && errno != EINTR)
      return Waited::kReady;
    if (count == 0 && Clock::now() >= until)
      return Waited::kTimeout;
  }
}

bool sleep_for(milliseconds time, const std::stop_token &stop) {
  Mutex mutex;
  std::condition_variable_any never;
  Lock lock(mutex);
  return wait_until(never, lock, stop, Clock::now() + time, [] { return false; }) ==
         Waited::kTimeout;
}

}  // namespace npc
