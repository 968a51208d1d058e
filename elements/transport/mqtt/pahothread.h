// SPDX-License-Identifier: LGPL-2.1-or-later
// Paho's own thread, for what Paho must not be asked from any other.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "base/wait.h"

namespace npc::mqtt {

/// Makes a client of Paho that is never destroyed. Paho forgets what it has allocated when its
/// first client is made, and could not free it: so this comes before all else. With its last client
/// it ends its threads, for which that client's destructor would wait. Throws ::mqtt::exception and
/// std::system_error.
void keep_paho();

/// Runs `task` on the thread on which Paho calls back, and returns kReady once it has run. If it
/// was not begun within `most` or before a stop request, it never is. `task` does not throw, and
/// does not wait. Throws as keep_paho() does.
///
/// All clients of a process share one queue of what is to be sent. What one leaves in it is removed
/// when its connection ends (MQTTAsync_freeCommands in MQTTAsyncUtils.c, up to 1.3.14 at least):
/// under the lock that Paho also holds when it calls back, but without that of the queue, which is
/// all that MQTTAsync_send() and its like take. So a client that publishes while another loses its
/// broker can end the process, unless it does so from a callback. For the same reason a call must
/// have run before a client connects: the first one connects this thread to Paho.
Waited run_on_paho(const std::function<void()> &task, std::chrono::milliseconds most,
                   const std::stop_token &stop = {});

}  // namespace npc::mqtt
