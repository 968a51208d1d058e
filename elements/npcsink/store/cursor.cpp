// SPDX-License-Identifier: LGPL-2.1-or-later
// What updaters get from the store: from memory, or from the file.
#include "npcsink/store/cursor.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace npc::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Backlog::CursorId add(StoreState &state, const std::string &updater, bool live_only) {
  Lock lock(state.mutex);
  return state.backlog.add_cursor(updater, live_only, steady_clock::now());
}

// As many as can be read. Without a lock: making line protocol takes its time.
std::vector<Backlog::Entry> completed(std::vector<Database::Row> rows, const Completer &complete) {
  std::vector<Backlog::Entry> entries;
  entries.reserve(rows.size());
  for (Database::Row &row : rows) {
    if (complete && !complete(row.record))
      break;
    entries.push_back({row.id, std::make_shared<const Record>(std::move(row.record))});
  }
  return entries;
}

}  // namespace

Cursor::Cursor(std::shared_ptr<Store> store, const std::string &updater, bool live_only)
    : store_(std::move(store)), state_(store_->state_), id_(add(state_, updater, live_only)) {
  // Written at once: what comes until the next start is this updater's.
  state_.work.notify_one();
}

Cursor::~Cursor() {
  {
    Lock lock(state_.mutex);
    state_.backlog.remove_cursor(id_);
  }
  state_.changed.notify_all();
  state_.work.notify_one();
}

std::vector<Record> Cursor::take(std::size_t most, milliseconds wait, std::stop_token stop) {
  // Nothing read would look like nothing there.
  most = std::max<std::size_t>(most, 1);
  store_->writer_.watch_disk();
  std::vector<Backlog::Entry> taken;
  {
    Lock lock(state_.mutex);
    state_.backlog.give_back(id_);
    if (!state_.changed.wait_for(lock, stop, wait, [this]() NPC_REQUIRES(state_.mutex) {
          return state_.backlog.available(id_);
        }))
      return {};
    taken = state_.backlog.take(id_, most);
  }
  if (taken.empty())
    taken = read(most);
  std::vector<Record> records;
  records.reserve(taken.size());
  for (const Backlog::Entry &entry : taken)
    records.push_back(*entry.record);
  return records;
}

std::vector<Backlog::Entry> Cursor::read(std::size_t most) {
  std::vector<Database::Row> rows;
  Backlog::FileRange range;
  {
    Lock file(state_.file_mutex);
    {
      Lock lock(state_.mutex);
      if (!state_.backlog.is_open() || !state_.file.is_open())
        return {};
      range = state_.backlog.file_range(id_);
    }
    try {
      rows = state_.file.read(range.after, range.end, most);
    } catch (const DatabaseError &error) {
      state_.fail_read(error);
      return {};
    }
    std::vector<std::int64_t> ids;
    for (const Database::Row &row : rows)
      ids.push_back(row.id);
    // While nothing can be deleted: from here on it is on its way.
    Lock lock(state_.mutex);
    state_.backlog.begin_read(id_, ids);
  }
  // If nothing is there any more, it goes on behind.
  const std::int64_t seen = rows.empty() ? range.end : rows.back().id;
  std::vector<Backlog::Entry> entries = completed(std::move(rows), state_.options.complete);
  Lock lock(state_.mutex);
  if (!state_.backlog.finish_read(id_, range, entries, seen))
    return {};
  return entries;
}

void Cursor::acknowledge(std::size_t confirmed, const std::vector<RefusedRecord> &refused) {
  Backlog::Acknowledged done;
  {
    Lock lock(state_.mutex);
    done = state_.backlog.acknowledge(id_, confirmed, refused, steady_clock::now());
  }
  if (done.moved)
    state_.work.notify_one();
  if (done.caught_up)
    state_.changed.notify_all();
}

std::uint64_t Cursor::pending() const {
  Lock lock(state_.mutex);
  return state_.backlog.pending(id_);
}

std::uint64_t Cursor::dropped() const {
  Lock lock(state_.mutex);
  return state_.backlog.dropped(id_);
}

milliseconds Cursor::oldest() const {
  std::optional<std::int64_t> time;
  {
    Lock lock(state_.mutex);
    time = state_.backlog.oldest(id_);
  }
  // A record may be older than that time has a number.
  if (!time || *time <= 0)
    return milliseconds(0);
  return milliseconds(std::max<std::int64_t>(state_.now() - *time, 0));
}

milliseconds Cursor::behind() const {
  Lock lock(state_.mutex);
  const auto since = state_.backlog.behind_since(id_);
  if (!since)
    return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - *since);
}

}  // namespace npc::sink
