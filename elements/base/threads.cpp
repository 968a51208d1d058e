// SPDX-License-Identifier: LGPL-2.1-or-later
// How threads of npcsink begin.
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>

namespace npc {

std::jthread start_thread(const std::string &name, std::function<void(std::stop_token)> run) {
  // The application's signals are not ours, and a reader that went away must not end the process
  // with SIGPIPE. Threads that libraries start from ours inherit this.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::jthread thread([name = name.substr(0, 15), run = std::move(run)](std::stop_token stop) {
      pthread_setname_np(pthread_self(), name.c_str());
      run(std::move(stop));
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
}

}  // namespace npc
