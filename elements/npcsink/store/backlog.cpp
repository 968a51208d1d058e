// SPDX-License-Identifier: LGPL-2.1-or-later
// The ids, positions and losses of the store.
#include "npcsink/store/backlog.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace npc::sink {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kMostRefusals = 1000;

}  // namespace

void Backlog::recover(std::shared_ptr<const Record> record) {
  waiting_bytes_ += record->bytes();
  inbox_.push_back(std::move(record));
  recovered_++;
}

Backlog::Removed Backlog::push(std::shared_ptr<const Record> record) {
  waiting_bytes_ += record->bytes();
  inbox_.push_back(std::move(record));
  pushed_ = true;
  return bound_memory();
}

void Backlog::open(const FileState &file) {
  saved_ = file.cursors;
  // Else it is the file that was there, or a part of it.
  if (!based_ || file.renumbered || file.last > stored_last())
    rebase(file);
  // An empty one may be new, and have nothing of what was stored.
  first_ = file.first > file.last ? stored_last() + 1 : file.first;
  for (const auto &[updater, position] : leaving_)
    saved_[updater] = position;
  // What the file does not know (any more).
  for (auto &[id, cursor] : cursors_)
    cursor.dirty = !cursor.live_only;
  based_ = true;
  open_ = true;
}

// The file holds records that we did not know of: ours come after them.
void Backlog::rebase(const FileState &file) {
  while (window_.size() > unstored_)
    pop_window();
  const std::int64_t shift =
      based_ ? file.last - last_ + static_cast<std::int64_t>(unstored_) : file.last;
  for (Entry &entry : window_)
    entry.id += shift;
  last_ += shift;
  begin_ += shift;
  lost_ids_.shift(shift);
  // Who has left meanwhile comes back to where the file has it.
  std::erase_if(leaving_, [this](const auto &each) { return saved_.contains(each.first); });
  for (auto &[updater, position] : leaving_)
    position += shift;
  generation_++;
  for (auto &[id, cursor] : cursors_) {
    CursorPosition &position = cursor.position;
    position.shift(shift);
    for (Entry &entry : cursor.taken)
      entry.id += shift;
    const auto found = saved_.find(cursor.updater);
    if (cursor.live_only || found == saved_.end() || found->second >= file.last)
      continue;
    // The gap moves into the file. What it had before was lost.
    if (position.ahead())
      position.dropped +=
          static_cast<std::uint64_t>(lost_ids_.count(position.position, position.ahead_begin));
    position.ahead_end = std::max({position.position, position.ahead_end, file.last});
    position.ahead_begin = file.last;
    position.position = found->second;
  }
}

bool Backlog::has_work() const {
  if (!inbox_.empty())
    return true;
  return open_ && (unstored_ > 0 || !leaving_.empty() || !refusals_.empty() ||
                   std::any_of(cursors_.begin(), cursors_.end(),
                               [](const auto &each) { return each.second.dirty; }));
}

Backlog::Batch Backlog::begin_write(Time now) {
  Batch batch;
  while (!inbox_.empty() && !is_storing()) {
    waiting_bytes_ -= inbox_.front()->bytes();
    append_unstored(std::move(inbox_.front()), now);
    inbox_.pop_front();
  }
  if (!open_)
    return batch;
  const auto full = [this, &batch] {
    return batch.bytes >= kBatchBytes ||
           batch.fresh.size() + batch.unstored.size() >= limits_.batch;
  };
  for (std::size_t i = window_.size() - unstored_; i < window_.size() && !full(); i++) {
    batch.bytes += window_[i].record->bytes();
    batch.unstored.push_back(window_[i]);
  }
  while (!inbox_.empty() && !full()) {
    batch.bytes += inbox_.front()->bytes();
    batch.fresh.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  writing_ = batch.fresh.size();
  writing_since_ = batch.fresh.empty() ? 0 : batch.fresh.front()->time;
  // A cursor in the file must not point behind what is in the file.
  const std::int64_t most = unstored_ > 0 ? batch.unstored.back().id : last_;
  for (const auto &[updater, position] : leaving_)
    batch.cursors[updater] = std::min(position, most);
  std::erase_if(leaving_, [most](const auto &each) { return each.second <= most; });
  for (auto &[id, cursor] : cursors_) {
    if (!cursor.dirty)
      continue;
    batch.cursors[cursor.updater] = std::min(cursor.position.position, most);
    cursor.dirty = cursor.position.position > most;
  }
  batch.refusals.swap(refusals_);
  return batch;
}

Backlog::Removed Backlog::stored(const Batch &batch, const std::vector<std::int64_t> &ids,
                                 Time now) {
  Removed removed;
  removed.front = ids.size();
  // Some of them may have been given up while they were written.
  while (!batch.unstored.empty() && unstored_ > 0) {
    const Entry &entry = window_[window_.size() - unstored_];
    if (entry.id > batch.unstored.back().id)
      break;
    unstored_bytes_ -= entry.record->bytes();
    unstored_--;
    removed.front++;
  }
  for (std::size_t i = 0; i < ids.size(); i++) {
    const auto &record = batch.fresh[i];
    waiting_bytes_ -= record->bytes();
    if (ids[i] == 0) {
      repeated_++;
    } else {
      last_ = ids[i];
      window_.push_back({last_, record});
      window_bytes_ += record->bytes();
    }
    pass_recovered();
  }
  writing_ = 0;
  mark_behind(now);
  bound_cache();
  return removed;
}

Backlog::Removed Backlog::failed(Batch batch, Time now) {
  open_ = false;
  for (auto &record : batch.fresh) {
    waiting_bytes_ -= record->bytes();
    append_unstored(std::move(record), now);
  }
  writing_ = 0;
  // What is to be written since then is newer.
  leaving_.merge(batch.cursors);
  std::move(batch.refusals.begin(), batch.refusals.end(), std::back_inserter(refusals_));
  return bound_memory();
}

void Backlog::append_unstored(std::shared_ptr<const Record> record, Time now) {
  const std::uint64_t bytes = record->bytes();
  window_.push_back({++last_, std::move(record)});
  window_bytes_ += bytes;
  unstored_bytes_ += bytes;
  unstored_++;
  pass_recovered();
  mark_behind(now);
}

void Backlog::mark_behind(Time now) {
  for (auto &[id, cursor] : cursors_) {
    if (cursor.behind_since || pending(cursor) == 0)
      continue;
    cursor.behind_since = now;
    cursor.behind_mark = last_;
  }
}

Backlog::Removed Backlog::bound_memory() {
  Removed removed;
  removed.kept = writing_;
  while (bytes() > limits_.memory) {
    if (!window_.empty()) {
      removed.front += pop_window();
    } else if (inbox_.size() > 1) {
      pop_inbox();
      removed.behind++;
    } else {
      break;
    }
  }
  return removed;
}

void Backlog::bound_cache() {
  const std::int64_t done = passed();
  while (open_ && window_.size() > unstored_ &&
         (window_.front().id <= done || window_bytes_ - unstored_bytes_ > limits_.cache))
    pop_window();
}

// Takes the oldest record out of the window. Returns whether it was not stored and is lost now.
bool Backlog::pop_window() {
  const bool lost = window_.size() == unstored_;
  const std::uint64_t bytes = window_.front().record->bytes();
  if (lost) {
    lost_++;
    lost_ids_.add(window_.front().id, passed());
    unstored_--;
    unstored_bytes_ -= bytes;
  }
  window_bytes_ -= bytes;
  window_.pop_front();
  return lost;
}

// Gives up the oldest record in the inbox, which never gets an id.
void Backlog::pop_inbox() {
  waiting_bytes_ -= inbox_.front()->bytes();
  inbox_.pop_front();
  recovered_ -= recovered_ > writing_;
  lost_++;
  for (auto &[id, cursor] : cursors_)
    cursor.position.dropped++;
}

// The oldest record without an id has one now, or was in the file already: one of an earlier run is
// not for who only shows what is now.
void Backlog::pass_recovered() {
  if (recovered_ == 0)
    return;
  recovered_--;
  for (auto &[id, cursor] : cursors_) {
    if (cursor.live_only)
      cursor.position.position = last_;
  }
}

Backlog::CursorId Backlog::add_cursor(const std::string &updater, bool live_only, Time now) {
  CursorState added;
  added.updater = updater;
  added.live_only = live_only;
  added.dirty = !live_only;
  const auto found = saved_.find(updater);
  const bool known = !live_only && found != saved_.end();
  // Before the file was read it may be known there, and what an earlier run has left is for all
  // who are there at the start.
  const bool early = !live_only && !(based_ && pushed_);
  const std::int64_t newest = early ? begin_ : last_;
  added.position.position = known ? found->second : newest;
  // The sink got new updaters, and this one stays.
  for (const auto &[id, cursor] : cursors_) {
    if (cursor.updater == updater)
      added.position = cursor.position;
  }
  const CursorId id{++cursors_added_};
  cursors_.emplace(id, std::move(added));
  mark_behind(now);
  return id;
}

void Backlog::remove_cursor(CursorId id) {
  const auto node = cursors_.extract(id);
  const CursorState &cursor = node.mapped();
  if (cursor.live_only)
    return;
  saved_[cursor.updater] = cursor.position.position;
  if (cursor.dirty)
    leaving_[cursor.updater] = cursor.position.position;
}

std::int64_t Backlog::passed(bool by_live) const {
  std::int64_t least = last_;
  for (const auto &[id, cursor] : cursors_) {
    if (by_live || !cursor.live_only)
      least = std::min(least, cursor.position.position);
  }
  return least;
}

std::map<std::string, std::int64_t> Backlog::positions() const {
  std::map<std::string, std::int64_t> positions;
  for (const auto &[id, cursor] : cursors_)
    positions.emplace(cursor.updater, cursor.position.position);
  return positions;
}

std::int64_t Backlog::stored_last() const {
  return unstored_ > 0 ? window_[window_.size() - unstored_].id - 1 : last_;
}

std::int64_t Backlog::window_begin() const {
  return window_.empty() ? last_ + 1 : window_.front().id;
}

std::deque<Backlog::Entry>::const_iterator Backlog::in_window(std::int64_t after) const {
  return std::upper_bound(window_.begin(), window_.end(), after,
                          [](std::int64_t id, const Entry &entry) { return id < entry.id; });
}

// Behind which record an updater goes on in memory while the file cannot be read. Nothing if it
// must wait: there is room for one gap in a position, and the file has records of a second one.
std::optional<std::int64_t> Backlog::next_in_memory(const CursorPosition &position) const {
  const std::int64_t after = position.ahead() ? position.ahead_end : position.position;
  const std::int64_t begin = std::max(after, window_begin() - 1);
  if (position.ahead() && missing(after, begin) < begin - after)
    return {};
  return begin;
}

bool Backlog::available(CursorId id) const {
  const CursorPosition &position = cursors_.at(id).position;
  if (open_)
    return position.position < last_;
  const auto after = next_in_memory(position);
  return after && *after < last_ && !window_.empty();
}

std::vector<Backlog::Entry> Backlog::take(CursorId id, std::size_t most) {
  CursorState &cursor = cursors_.at(id);
  CursorPosition &position = cursor.position;
  cursor.taken.clear();
  std::int64_t after = position.ahead() ? position.ahead_end : position.position;
  if (open_) {
    // What the file has comes first.
    if (position.ahead() || after + 1 < window_begin())
      return {};
  } else {
    const auto next = next_in_memory(position);
    if (!next)
      return {};
    if (*next > after && position.ahead())
      position.advance(*next, 0);
    else if (*next > after)
      position.ahead_begin = position.ahead_end = *next;
    after = *next;
  }
  for (auto next = in_window(after); next != window_.end() && cursor.taken.size() < most; ++next)
    cursor.taken.push_back(*next);
  if (!cursor.taken.empty())
    cursor.oldest = cursor.taken.front().record->time;
  return cursor.taken;
}

Backlog::FileRange Backlog::file_range(CursorId id) const {
  const CursorPosition &position = cursors_.at(id).position;
  return {position.position, position.ahead() ? position.ahead_begin : window_begin() - 1,
          generation_};
}

void Backlog::begin_read(CursorId id, const std::vector<std::int64_t> &ids) {
  std::vector<Entry> &taken = cursors_.at(id).taken;
  for (const std::int64_t each : ids)
    taken.push_back({each, nullptr});
}

bool Backlog::finish_read(CursorId id, const FileRange &range, const std::vector<Entry> &read,
                          std::int64_t seen) {
  CursorState &cursor = cursors_.at(id);
  cursor.taken.clear();
  if (range.generation != generation_)
    return false;
  cursor.taken = read;
  if (read.empty()) {
    cursor.position.advance(seen, 0);
    cursor.dirty = !cursor.live_only;
  } else {
    cursor.oldest = read.front().record->time;
  }
  return true;
}

Backlog::Acknowledged Backlog::acknowledge(CursorId id, std::size_t confirmed,
                                           const std::vector<RefusedRecord> &refused, Time now) {
  CursorState &cursor = cursors_.at(id);
  std::vector<Entry> &taken = cursor.taken;
  const std::size_t count = std::min(confirmed, taken.size());
  if (count > 0) {
    cursor.position.advance(taken[count - 1].id, count);
    cursor.dirty = !cursor.live_only;
  }
  for (const RefusedRecord &each : refused) {
    if (each.index < count && refusals_.size() < kMostRefusals)
      refusals_.push_back({cursor.updater, taken[each.index].record, each.error});
  }
  taken.clear();
  const bool caught_up = pending(cursor) == 0;
  if (caught_up) {
    cursor.behind_since.reset();
  } else if (cursor.position.position >= cursor.behind_mark) {
    cursor.behind_since = now;
    cursor.behind_mark = last_;
  }
  return {count > 0, caught_up};
}

// Records between these that nobody can have any more.
std::int64_t Backlog::missing(std::int64_t after, std::int64_t last) const {
  // What was deleted in the file may still be in memory.
  const std::int64_t first = std::min(first_, window_begin());
  const std::int64_t count = std::max<std::int64_t>(std::min(last, first - 1) - after, 0);
  return count + lost_ids_.count(after + count, last);
}

// Records that wait for it but were deleted or given up. What is on its way is neither, whatever
// became of it in the store since then.
std::uint64_t Backlog::gone(const CursorState &cursor) const {
  const CursorPosition &position = cursor.position;
  const auto within = [&](std::int64_t after, std::int64_t last) {
    std::int64_t passed = 0;
    if (const auto &taken = cursor.taken;
        !taken.empty() && taken.back().id > after && taken.back().id <= last) {
      passed = taken.back().id - after - static_cast<std::int64_t>(taken.size());
      after = taken.back().id;
    }
    return passed + missing(after, last);
  };
  std::int64_t count = within(position.ahead() ? position.ahead_end : position.position, last_);
  if (position.ahead())
    count += within(position.position, position.ahead_begin);
  return static_cast<std::uint64_t>(count);
}

std::uint64_t Backlog::pending(const CursorState &cursor) const {
  const CursorPosition &position = cursor.position;
  const auto left =
      static_cast<std::uint64_t>(std::max<std::int64_t>(last_ - position.position, 0));
  return left - position.done_ahead() - gone(cursor) + inbox_.size() + writing_;
}

std::uint64_t Backlog::dropped(CursorId id) const {
  const CursorState &cursor = cursors_.at(id);
  return cursor.position.dropped + gone(cursor);
}

std::optional<std::int64_t> Backlog::oldest(CursorId id) const {
  const CursorState &cursor = cursors_.at(id);
  if (pending(cursor) == 0)
    return {};
  const std::int64_t position = cursor.position.position;
  // All that it has been handed is delivered: what waits has no id yet.
  if (last_ <= position && writing_ > 0)
    return writing_since_;
  if (last_ <= position && !inbox_.empty())
    return inbox_.front()->time;
  if (!window_.empty() && window_.front().id <= position + 1) {
    if (const auto next = in_window(position); next != window_.end())
      return next->record->time;
  }
  return cursor.oldest;
}

bool Backlog::is_drained() const {
  return is_inbox_empty() &&
         std::all_of(cursors_.begin(), cursors_.end(),
                     [this](const auto &each) { return pending(each.second) == 0; });
}

Backlog::Counts Backlog::counts() const {
  Counts counts;
  const std::int64_t kept = last_ + 1 - first_ - static_cast<std::int64_t>(unstored_);
  counts.records = static_cast<std::uint64_t>(std::max<std::int64_t>(kept, 0));
  counts.unstored = unstored_ + inbox_.size() + writing_;
  counts.lost = lost_;
  counts.repeated = repeated_;
  return counts;
}

}  // namespace npc::sink
