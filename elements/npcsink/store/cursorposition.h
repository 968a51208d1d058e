// SPDX-License-Identifier: LGPL-2.1-or-later
// How far an updater is in the row of records.
#pragma once

#include <algorithm>
#include <cstdint>

namespace npc::sink {

/// All up to `position` is done. While the file could not be read the updater may have delivered
/// newer records from memory: all from behind `ahead_begin` to `ahead_end` is done too.
struct CursorPosition {
  std::int64_t position = 0;
  std::int64_t ahead_begin = 0;
  std::int64_t ahead_end = 0;
  std::uint64_t dropped = 0;

  bool ahead() const { return position < ahead_begin; }
  std::uint64_t done_ahead() const {
    return ahead() ? static_cast<std::uint64_t>(ahead_end - ahead_begin) : 0;
  }

  /// `count` more records were delivered, the last of them `id`; what is missing between them was
  /// dropped.
  void advance(std::int64_t id, std::uint64_t count) {
    std::int64_t &end = ahead() && id > ahead_begin ? ahead_end : position;
    if (id <= end)
      return;
    dropped += static_cast<std::uint64_t>(id - end) - count;
    end = id;
    if (position >= ahead_begin)
      position = std::max(position, ahead_end);
  }

  /// Everything moved: other records were found to be before them. `position` is that of the file.
  void shift(std::int64_t by) {
    position += by;
    ahead_begin += by;
    ahead_end += by;
  }
};

}  // namespace npc::sink
