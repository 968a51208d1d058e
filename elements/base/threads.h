// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads that leave the application's signals alone.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace npc {

/// Starts a thread of that name (15 characters of it are shown) with all signals blocked. Throws
/// std::system_error if there can be no more threads.
std::jthread start_thread(const std::string &name, std::function<void(std::stop_token)> run);

}  // namespace npc
