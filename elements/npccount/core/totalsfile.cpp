// SPDX-License-Identifier: LGPL-2.1-or-later
// When the totals of the lines are read from their file, and when they are written.
#include "npccount/core/totalsfile.h"

#include <utility>

namespace npc::count {

std::optional<Totals> TotalsFile::load(const std::string &path, std::string &error) {
  if (loaded_ == path)
    return std::nullopt;
  loaded_ = path;
  state_ = State::saved;
  warnings_.reset();
  return load_totals(path, error);
}

void TotalsFile::note_change() {
  if (state_ == State::saved)
    state_ = State::changed;
}

std::optional<TotalsFile::Failure> TotalsFile::save(const std::string &path, const Totals &totals) {
  if (state_ == State::saved)
    return std::nullopt;
  Failure failure;
  if (save_totals(path, totals, failure.error)) {
    state_ = State::saved;
    return std::nullopt;
  }
  failure.warn = std::exchange(state_, State::failed) == State::changed && warnings_.ask();
  return failure;
}

}  // namespace npc::count
