// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether the system's clock was set by a time server.
#include "npccount/core/clocksync.h"

#include <sys/timex.h>

namespace npc::count {

bool system_clock_is_unsynced() {
  timex state{};
  const int status = adjtimex(&state);
  return status == TIME_ERROR || (status != -1 && (state.status & STA_UNSYNC) != 0);
}

}  // namespace npc::count
