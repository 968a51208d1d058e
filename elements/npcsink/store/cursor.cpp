// SPDX-License-Identifier: LGPL-2.1-or-later
// What updaters get from the store, and how far they are.
#include <algorithm>
#include <optional>
#include <utility>

#include "npcsink/store/store.h"

namespace npc {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMostRefusals = 1000;

}  // namespace

Cursor::Cursor(std::shared_ptr<Store> store, std::string updater, bool live_only)
    : store_(std::move(store)), updater_(std::move(updater)), live_only_(live_only) {
  {
    std::lock_guard lock(store_->mutex_);
    const auto found = store_->saved_.find(updater_);
    const bool known = !live_only_ && found != store_->saved_.end();
    // Before the file was read it may be known there, and what an earlier run has left is for all
    // who are there at the start.
    const bool early = !live_only_ && !(store_->based_ && store_->pushed_);
    const std::int64_t newest = early ? store_->begin_ : store_->last_;
    position_.position = known ? found->second : newest;
    // The sink got new updaters, and this one stays.
    for (const Cursor *cursor : store_->cursors_) {
      if (cursor->updater_ == updater_)
        position_ = cursor->position_;
    }
    dirty_ = !live_only_;
    store_->cursors_.push_back(this);
    store_->mark_behind();
  }
  // Written at once: what comes until the next start is this updater's.
  store_->work_.notify_one();
}

Cursor::~Cursor() {
  {
    std::lock_guard lock(store_->mutex_);
    std::erase(store_->cursors_, this);
    if (!live_only_) {
      store_->saved_[updater_] = position_.position;
      if (dirty_)
        store_->leaving_[updater_] = position_.position;
    }
  }
  store_->changed_.notify_all();
  store_->work_.notify_one();
}

std::vector<Record> Cursor::take(std::size_t most, milliseconds wait, std::stop_token stop) {
  Store &store = *store_;
  // Nothing read would look like nothing there.
  most = std::max<std::size_t>(most, 1);
  store.watch_disk();
  std::vector<Store::Kept> kept;
  {
    std::unique_lock lock(store.mutex_);
    taken_.clear();
    if (!store.changed_.wait_for(lock, stop, wait, [&] { return store.available(*this); }))
      return {};
    kept = store.take_kept(*this, most);
  }
  if (kept.empty())
    kept = store.take_stored(*this, most);
  std::vector<Record> records;
  records.reserve(kept.size());
  for (const Store::Kept &each : kept)
    records.push_back(*each.record);
  return records;
}

void Cursor::acknowledge(std::size_t confirmed,
                         const std::vector<DeliveryResult::Refused> &refused) {
  bool at_end, moved;
  {
    std::lock_guard lock(store_->mutex_);
    const std::size_t count = std::min(confirmed, taken_.size());
    moved = count > 0;
    if (moved) {
      position_.advance(taken_[count - 1].id, count);
      dirty_ = !live_only_;
    }
    for (const DeliveryResult::Refused &each : refused) {
      if (each.index < count && store_->refusals_.size() < kMostRefusals)
        store_->refusals_.push_back({updater_, *taken_[each.index].record, each.error});
    }
    taken_.clear();
    at_end = store_->pending(*this) == 0;
    if (at_end) {
      behind_since_.reset();
    } else if (position_.position >= behind_mark_) {
      behind_since_ = steady_clock::now();
      behind_mark_ = store_->last_;
    }
  }
  if (moved)
    store_->work_.notify_one();
  if (at_end)
    store_->changed_.notify_all();
}

std::uint64_t Cursor::pending() const {
  std::lock_guard lock(store_->mutex_);
  return store_->pending(*this);
}

std::uint64_t Cursor::dropped() const {
  std::lock_guard lock(store_->mutex_);
  return position_.dropped + store_->gone(*this);
}

milliseconds Cursor::oldest() const {
  std::int64_t time;
  {
    std::lock_guard lock(store_->mutex_);
    if (store_->pending(*this) == 0)
      return milliseconds(0);
    time = oldest_;
    const auto &window = store_->window_;
    if (!window.empty() && window.front().id <= position_.position + 1) {
      const auto next =
          std::upper_bound(window.begin(), window.end(), position_.position,
                           [](std::int64_t id, const Store::Kept &kept) { return id < kept.id; });
      time = next != window.end() ? next->record->time : time;
    }
    // All that it has been handed is delivered: what waits has no id yet.
    if (store_->last_ <= position_.position && store_->writing_ > 0)
      time = store_->writing_since_;
    else if (store_->last_ <= position_.position && !store_->inbox_.empty())
      time = store_->inbox_.front()->time;
  }
  return milliseconds(time > 0 ? std::max<std::int64_t>(store_->now() - time, 0) : 0);
}

milliseconds Cursor::behind() const {
  std::lock_guard lock(store_->mutex_);
  if (!behind_since_)
    return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - *behind_since_);
}

// The thread of the store cannot say itself that it hangs.
void Store::watch_disk() {
  {
    std::lock_guard lock(mutex_);
    if (stalled_ || !busy_since_ || steady_clock::now() - *busy_since_ < options_.disk_timeout)
      return;
    stalled_ = true;
  }
  listener_({StoreEvent::State::kFailing, stats(),
             "The disk of the store \"" + options_.path + "\" does not answer."});
}

// Behind which record an updater goes on in memory while the file cannot be read. Nothing if it
// must wait: there is room for one gap in a place, and the file has records of a second one.
std::optional<std::int64_t> Store::next_in_memory(const CursorPosition &position) const {
  const std::int64_t after = position.ahead() ? position.ahead_end : position.position;
  const std::int64_t begin = std::max(after, window_begin() - 1);
  if (position.ahead() && missing(after, begin) < begin - after)
    return {};
  return begin;
}

bool Store::available(const Cursor &cursor) const {
  if (open_)
    return cursor.position_.position < last_;
  const auto after = next_in_memory(cursor.position_);
  return after && *after < last_ && !window_.empty();
}

std::vector<Store::Kept> Store::take_kept(Cursor &cursor, std::size_t most) {
  CursorPosition &position = cursor.position_;
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
  auto next = std::upper_bound(window_.begin(), window_.end(), after,
                               [](std::int64_t id, const Kept &kept) { return id < kept.id; });
  for (; next != window_.end() && cursor.taken_.size() < most; ++next)
    cursor.taken_.push_back(*next);
  if (!cursor.taken_.empty())
    cursor.oldest_ = cursor.taken_.front().record->time;
  return cursor.taken_;
}

std::vector<Store::Kept> Store::take_stored(Cursor &cursor, std::size_t most) {
  std::vector<Database::Row> rows;
  std::uint64_t bases;
  std::int64_t end;
  {
    std::lock_guard database(database_mutex_);
    std::int64_t after;
    {
      std::lock_guard lock(mutex_);
      if (!open_ || !database_)
        return {};
      bases = bases_;
      const CursorPosition &position = cursor.position_;
      after = position.position;
      end = position.ahead() ? position.ahead_begin : window_begin() - 1;
    }
    try {
      rows = database_->read(after, most);
      std::erase_if(rows, [end](const Database::Row &row) { return row.id > end; });
      // SQLite does not notice a text that lost its end with the file.
      if (!rows.empty() && options_.complete && !options_.complete(rows.front().record))
        throw DatabaseError(DatabaseError::Kind::kDamaged,
                            "The store \"" + options_.path + "\" is damaged: record " +
                                std::to_string(rows.front().id) + " in it cannot be read.");
    } catch (const DatabaseError &error) {
      {
        std::lock_guard lock(mutex_);
        error_ = error;
        open_ = false;
      }
      work_.notify_one();
      return {};
    }
    // While nothing can be deleted: from here on it is on its way.
    std::lock_guard lock(mutex_);
    for (const Database::Row &row : rows)
      cursor.taken_.push_back({row.id, nullptr});
  }
  // If nothing is there any more, it goes on behind.
  const std::int64_t seen = rows.empty() ? end : rows.back().id;
  std::vector<Kept> kept = completed(std::move(rows));

  std::lock_guard lock(mutex_);
  if (bases != bases_) {
    cursor.taken_.clear();
    return {};
  }
  cursor.taken_ = kept;
  if (kept.empty()) {
    cursor.position_.advance(seen, 0);
    cursor.dirty_ = !cursor.live_only_;
    return {};
  }
  cursor.oldest_ = kept.front().record->time;
  return kept;
}

// As many as can be read. Without the lock: making line protocol takes its time.
std::vector<Store::Kept> Store::completed(std::vector<Database::Row> rows) const {
  std::vector<Kept> kept;
  kept.reserve(rows.size());
  for (Database::Row &row : rows) {
    if (options_.complete && !options_.complete(row.record))
      break;
    kept.push_back({row.id, std::make_shared<const Record>(std::move(row.record))});
  }
  return kept;
}

// All updaters of this sink have what is up to there; those of other days hold nothing.
std::int64_t Store::delivered() const {
  std::int64_t least = last_;
  for (const Cursor *cursor : cursors_) {
    if (!cursor->live_only_)
      least = std::min(least, cursor->position_.position);
  }
  return least;
}

// Records that wait for it but were deleted or given up. What is on its way is neither, whatever
// became of it in the store since then.
std::uint64_t Store::gone(const Cursor &cursor) const {
  const CursorPosition &position = cursor.position_;
  const auto within = [&](std::int64_t after, std::int64_t up_to) {
    std::int64_t passed = 0;
    if (const auto &taken = cursor.taken_;
        !taken.empty() && taken.back().id > after && taken.back().id <= up_to) {
      passed = taken.back().id - after - static_cast<std::int64_t>(taken.size());
      after = taken.back().id;
    }
    return passed + missing(after, up_to);
  };
  std::int64_t count = within(position.ahead() ? position.ahead_end : position.position, last_);
  if (position.ahead())
    count += within(position.position, position.ahead_begin);
  return static_cast<std::uint64_t>(count);
}

std::uint64_t Store::pending(const Cursor &cursor) const {
  const CursorPosition &position = cursor.position_;
  const auto left =
      static_cast<std::uint64_t>(std::max<std::int64_t>(last_ - position.position, 0));
  return left - position.done_ahead() - gone(cursor) + inbox_.size() + writing_;
}

bool Store::drained() const {
  return inbox_.empty() && writing_ == 0 &&
         std::all_of(cursors_.begin(), cursors_.end(),
                     [this](const Cursor *cursor) { return pending(*cursor) == 0; });
}

Drained Store::drain(std::chrono::nanoseconds timeout) {
  // A later end overflows the clock.
  const auto wait = std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24));
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, wait, [this] { return interrupted_ || drained(); }))
    return Drained::kTimeout;
  return drained() ? Drained::kAll : Drained::kInterrupted;
}

void Store::interrupt(bool on) {
  {
    std::lock_guard lock(mutex_);
    interrupted_ = on;
  }
  changed_.notify_all();
}

}  // namespace npc
