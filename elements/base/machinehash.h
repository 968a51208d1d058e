// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells machines apart.
#pragma once

#include <string>

namespace npc {

/// This machine in eight hexadecimal digits, the same after a restart. The ids that it is made of
/// cannot be guessed from it.
std::string machine_hash();

}  // namespace npc
