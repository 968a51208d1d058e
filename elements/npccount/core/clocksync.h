// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether the system's clock was set by a time server.
#pragma once

namespace npc::count {

/// Whether the kernel says that nothing keeps its clock right: no time server has set it since the
/// start, or none could be reached for long. False where the kernel does not say.
bool system_clock_is_unsynced();

}  // namespace npc::count
