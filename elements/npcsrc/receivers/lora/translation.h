// SPDX-License-Identifier: LGPL-2.1-or-later
// What came over LoRa, as records and sentences.
#pragma once

#include <string>

#include "npcsrc/receivers/receiver.h"
#include "transport/lora/receiver/receiver.h"

namespace npc::source {

/// Adds what came of a frame. `cameras_file` is named in sentences. Returns how many records that
/// were.
std::size_t translate(const lora::Received &received, const std::string &cameras_file,
                      Reception &came);

}  // namespace npc::source
