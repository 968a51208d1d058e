// SPDX-License-Identifier: LGPL-2.1-or-later
// When the totals of the lines are read from their file, and when they are written.
#include "npccount/core/totalsfile.h"

#include <utility>

namespace npc::count {

Status TotalsFile::load(const std::string &path, std::optional<Totals> &totals) {
  totals.reset();
  if (loaded_ == path)
    return {};
  loaded_ = path;
  state_ = State::saved;
  warnings_.reset();
  return load_totals(path, totals.emplace());
}

void TotalsFile::note_change() {
  if (state_ == State::saved)
    state_ = State::changed;
}

std::optional<TotalsFile::Failure> TotalsFile::save(const std::string &path, const Totals &totals) {
  if (state_ == State::saved)
    return std::nullopt;
  const Status saved = save_totals(path, totals);
  if (!saved.is_failed()) {
    state_ = State::saved;
    return std::nullopt;
  }
  const bool warn = std::exchange(state_, State::failed) == State::changed && warnings_.ask();
  return Failure{saved.error(), warn};
}

}  // namespace npc::count
