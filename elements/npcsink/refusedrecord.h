// SPDX-License-Identifier: LGPL-2.1-or-later
// What a remote does not take.
#pragma once

#include <cstddef>
#include <string>

namespace npc::sink {

/// A record of a batch that the remote will never take, whenever it is sent.
struct RefusedRecord {
  std::size_t index = 0;  ///< in the batch
  std::string error;      ///< as a sentence
};

}  // namespace npc::sink
