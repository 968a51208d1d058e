// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that keeps a LoRa receiver over restarts.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "transport/lora/receiver/receiver.h"

namespace npc::source {

/// Restores a receiver. `frames` are those whose records may not be stored: the receiver is to be
/// given them again.
Status load_lora_state(const std::string &path, lora::Receiver &receiver,
                       std::vector<lora::KeptFrame> *frames);

Status save_lora_state(const std::string &path, const lora::Receiver &receiver);

}  // namespace npc::source
