// SPDX-License-Identifier: LGPL-2.1-or-later
// What the URI of a lora updater says.
#pragma once

#include <string>
#include <vector>

#include "base/uri.h"
#include "transport/lora/chips/radiouri.h"
#include "transport/lora/sender/sender.h"

namespace npc::sink {

struct LoraSettings {
  lora::RadioChoice radio;
  lora::SenderSettings sender;     ///< without the length of a window, which records say
  std::vector<std::string> lines;  ///< their names, in the order in which frames have them
  std::string key_file, state_file;
};

/// Besides those of read_radio():
///
/// - `camera`: its number at the gateway, 1 to 255
/// - `key-file`: holds its key, 64 hexadecimal digits
/// - `state-file`: keeps the numbers of its boots, which must never be used twice
/// - `lines`: names of up to 4 lines, separated by commas, as the gateway has them
/// - `period`: seconds between frames; if it is not given, so many that twenty cameras fit
/// - `history`: of so many blocks before it a frame says the people, too; default 1
/// - `ack`: 1, the default, or 0: whether to wait for acknowledgements, and send again
///
/// Throws UriError, also if the region does not allow this.
LoraSettings read_lora_settings(const Uri &uri);

}  // namespace npc::sink
