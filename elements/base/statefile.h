// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that keep a state over restarts, which users name with `state-file`.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace npc {

/// What its sentences say of a state file that cannot be read.
struct StateFileUse {
  const char *owner;      ///< the element that writes it
  const char *beginning;  ///< what happens without it, as the beginning of a sentence
  std::size_t most;       ///< bytes of the largest one
};

/// Reads a state file. If there is none, all is well.
///
/// A file that cannot be read, is too large or is refused is renamed to `<path>.bad`, so that
/// nothing of it is lost; what is no plain file is left alone.
/// @param accept is given the text, and returns whether it is a file of the owner's
Status load_state(const std::string &path, const StateFileUse &use,
                  const std::function<bool(const std::string &text)> &accept);

/// Writes a state file, so that after a power cut there is either the old one or the new one.
/// @param cost what happens if it cannot be written, as a sentence without its stop
Status save_state(const std::string &path, std::string_view text, const std::string &cost);

}  // namespace npc
