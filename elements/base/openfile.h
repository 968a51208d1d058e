// SPDX-License-Identifier: LGPL-2.1-or-later
// Opening of files without ever waiting, whatever is at their path.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace npc {

/// What became of the opening of a file.
struct Opened {
  Descriptor file;        ///< not open if there is a fault
  int error = 0;          ///< errno, if it cannot be opened
  bool is_other = false;  ///< something is there, but it is no plain file; error is 0 then
};

/// Opens a plain file. All files that are read or written go through here, since the opening of a
/// pipe waits for its other end, that of a serial line for its carrier, and that of some devices
/// does something: what is no plain file is not opened, or closed again.
///
/// Symbolic links are followed, because users link a password or a model to where it is kept. Give
/// O_NOFOLLOW for files whose names are made up here: nobody links those but an attacker.
///
/// `flags` and `mode` are those of open(). O_TRUNC is not for here: call ftruncate() on what was
/// opened.
[[nodiscard]] Opened open_file(const std::string &path, int flags, mode_t mode = 0);

/// Opens whatever is at `path`, for those who write to pipes and devices on purpose. Neither this
/// nor what is done with it waits.
[[nodiscard]] Descriptor open_anything(const std::string &path, int flags, mode_t mode = 0);

/// Whether there is something at `path`, links followed, that is no plain file. For libraries that
/// open files by themselves.
bool is_other_than_a_file(const std::string &path);

/// All of a file, or its first `most` + 1 bytes if it has more. Nothing, with errno set, if it
/// cannot be read.
std::optional<std::string> read_whole(const Descriptor &file, std::size_t most);

/// What became of the replacing of a file.
struct Replaced {
  int error = 0;            ///< errno, if it failed
  bool is_other = false;    ///< no plain file is at the path: it was left alone; error is 0 then
  bool is_blocked = false;  ///< no plain file is at the path of the new one, see there; likewise

  bool is_done() const { return error == 0 && !is_other && !is_blocked; }
};

/// Puts a file with that text at `path`, so that after a power cut there is either what was there
/// before or the new file. That is first written at `path` with `.new` behind it.
[[nodiscard]] Replaced replace_file(const std::string &path, std::string_view text);

/// Brings the names in the folder of `path` to the disk: without that a power cut may take back
/// that a file was made or renamed. Returns errno, or 0.
[[nodiscard]] int sync_folder_of(const std::string &path);

}  // namespace npc
