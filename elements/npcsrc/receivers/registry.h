// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kinds of receivers there are.
#pragma once

#include <memory>
#include <string_view>

#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// The schemes of all receivers, as GstURIHandler wants them: null at the end.
const char *const *receiver_schemes();

/// Makes the receiver that a URI names. Throws UriError.
std::unique_ptr<Receiver> make_receiver(std::string_view uri);

}  // namespace npc::source
