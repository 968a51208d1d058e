// SPDX-License-Identifier: LGPL-2.1-or-later
// When the totals of the lines are read from their file, and when they are written.
#pragma once

#include <optional>
#include <string>

#include "base/warninglimit.h"
#include "npccount/core/totals.h"

namespace npc::count {

/// Knows whether the file has the totals. One that cannot be written is tried again each time.
class TotalsFile {
 public:
  struct Failure {
    std::string error;  ///< a sentence for the user
    bool warn = false;  ///< it is news: warnings of a file that comes and goes are few
  };

  /// Reads the totals of `path`; see load_totals().
  /// @param totals none if they came from there before: what was counted since is newer than the
  /// file
  Status load(const std::string &path, std::optional<Totals> &totals);

  /// The totals are others than before.
  void note_change();

  /// Writes the totals to `path` if they have changed.
  /// @return why that failed; none if it did not
  std::optional<Failure> save(const std::string &path, const Totals &totals);

 private:
  enum class State { saved, changed, failed };

  State state_ = State::saved;
  std::optional<std::string> loaded_;  // the file that totals came from
  WarningLimit warnings_;
};

}  // namespace npc::count
