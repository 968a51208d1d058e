// SPDX-License-Identifier: LGPL-2.1-or-later
// What the store has in memory: the newest records and their ids, under its lock.
#include <algorithm>
#include <utility>

#include "npcsink/store/store.h"

namespace npc {

void Store::install(std::int64_t file_last, std::map<std::string, std::int64_t> saved,
                    bool renumbered) {
  const std::int64_t stored_last =
      unstored_ > 0 ? window_[window_.size() - unstored_].id - 1 : last_;
  saved_ = std::move(saved);
  // Else it is the file that was there, or a part of it.
  if (!based_ || renumbered || file_last > stored_last)
    rebase(file_last);
  for (const auto &[updater, position] : leaving_)
    saved_[updater] = position;
  // What the file does not know (any more).
  for (Cursor *cursor : cursors_)
    cursor->dirty_ = !cursor->live_only_;
  based_ = true;
  open_ = true;
}

// The file holds records that we did not know of: ours come after them.
void Store::rebase(std::int64_t file_last) {
  while (window_.size() > unstored_)
    pop_window();
  const std::int64_t shift =
      based_ ? file_last - last_ + static_cast<std::int64_t>(unstored_) : file_last;
  for (Kept &kept : window_)
    kept.id += shift;
  last_ += shift;
  begin_ += shift;
  for (Lost &lost : lost_ids_) {
    lost.begin += shift;
    lost.end += shift;
  }
  // Who has left meanwhile comes back to where the file has it.
  std::erase_if(leaving_, [this](const auto &each) { return saved_.contains(each.first); });
  for (auto &[updater, position] : leaving_)
    position += shift;
  bases_++;
  for (Cursor *cursor : cursors_) {
    CursorPosition &position = cursor->position_;
    position.shift(shift);
    for (Kept &kept : cursor->taken_)
      kept.id += shift;
    const auto found = saved_.find(cursor->updater_);
    if (cursor->live_only_ || found == saved_.end() || found->second >= file_last)
      continue;
    position.ahead_end = std::max({position.position, position.ahead_end, file_last});
    position.ahead_begin = file_last;
    position.position = found->second;
  }
}

void Store::append_unstored(std::shared_ptr<const Record> record) {
  const std::uint64_t bytes = record->bytes();
  window_.push_back({++last_, std::move(record)});
  window_bytes_ += bytes;
  unstored_bytes_ += bytes;
  unstored_++;
  pass_recovered();
  mark_behind();
}

void Store::mark_behind() {
  for (Cursor *cursor : cursors_) {
    if (cursor->behind_since_ || pending(*cursor) == 0)
      continue;
    cursor->behind_since_ = std::chrono::steady_clock::now();
    cursor->behind_mark_ = last_;
  }
}

void Store::bound_memory() {
  while (window_bytes_ + waiting_bytes_ > options_.memory) {
    if (!window_.empty()) {
      pop_window();
      continue;
    }
    if (inbox_.size() <= 1)
      return;
    waiting_bytes_ -= inbox_.front()->bytes();
    inbox_.pop_front();
    // Behind what is on its way to the file.
    if (journal_)
      journal_->remove_behind(writing_);
    recovered_ -= recovered_ > writing_;
    lost_++;
    for (Cursor *cursor : cursors_)
      cursor->position_.dropped++;
  }
}

void Store::pop_window() {
  const Kept &kept = window_.front();
  const std::uint64_t bytes = kept.record->bytes();
  if (window_.size() == unstored_) {
    note_lost(kept.id);
    if (journal_)
      journal_->remove(1);
    unstored_--;
    unstored_bytes_ -= bytes;
  }
  window_bytes_ -= bytes;
  window_.pop_front();
}

void Store::bound_cache() {
  const std::int64_t done = passed();
  while (open_ && window_.size() > unstored_ &&
         (window_.front().id <= done || window_bytes_ - unstored_bytes_ > options_.cache))
    pop_window();
}

// The oldest record without an id has one now, or was in the file already: one of an earlier run is
// not for who only shows what is now.
void Store::pass_recovered() {
  if (recovered_ == 0)
    return;
  recovered_--;
  for (Cursor *cursor : cursors_) {
    if (cursor->live_only_)
      cursor->position_.position = last_;
  }
}

// All updaters that are there have what is up to there.
std::int64_t Store::passed() const {
  std::int64_t done = last_;
  for (const Cursor *cursor : cursors_)
    done = std::min(done, cursor->position_.position);
  return done;
}

std::int64_t Store::window_begin() const {
  return window_.empty() ? last_ + 1 : window_.front().id;
}

void Store::note_lost(std::int64_t id) {
  lost_++;
  if (!lost_ids_.empty() && lost_ids_.back().end == id) {
    lost_ids_.back().end++;
    return;
  }
  // Who has passed them has counted them.
  std::erase_if(lost_ids_, [done = passed()](const Lost &lost) { return lost.end <= done + 1; });
  lost_ids_.push_back({id, id + 1});
}

// Records between these that nobody can have any more.
std::int64_t Store::missing(std::int64_t after, std::int64_t up_to) const {
  // What was deleted in the file may still be in memory.
  const std::int64_t first = std::min(first_, window_begin());
  std::int64_t count = std::max<std::int64_t>(std::min(up_to, first - 1) - after, 0);
  after += count;
  for (const Lost &lost : lost_ids_) {
    count +=
        std::max<std::int64_t>(std::min(up_to, lost.end - 1) - std::max(after, lost.begin - 1), 0);
  }
  return count;
}

}  // namespace npc
