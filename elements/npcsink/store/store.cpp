// SPDX-License-Identifier: LGPL-2.1-or-later
// The calls of those who push and wait.
#include "npcsink/store/store.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace npc::sink {
namespace {

// More records at once than the disk takes, as from a file of them, wait here for so long each.
constexpr std::chrono::milliseconds kMostHeld{100};
// A later end overflows the clock.
constexpr std::chrono::nanoseconds kMostWait = std::chrono::hours(24);

StoreOptions absolute(StoreOptions options) {
  if (options.path.empty())
    return options;
  options.path = std::filesystem::absolute(options.path).string();
  // SQLite puts the journal beside the file, not beside a link to it; all else belongs there too.
  std::error_code error;
  if (std::filesystem::is_symlink(options.path, error)) {
    // A link to a file that is yet to be made leads to the same place as afterwards.
    const std::filesystem::path link(options.path);
    const auto target = std::filesystem::exists(link, error)
                            ? link
                            : link.parent_path() / std::filesystem::read_symlink(link, error);
    if (const auto file = std::filesystem::weakly_canonical(target, error); !error)
      options.path = file.string();
  }
  return options;
}

}  // namespace

Store::Store(StoreOptions options, Listener listener)
    : state_(absolute(std::move(options)), std::move(listener)), writer_(state_) {}

Store::~Store() = default;

void Store::push(Record record) {
  auto shared = std::make_shared<const Record>(std::move(record));
  {
    Lock lock(state_.mutex);
    // Else a disk that is only slow would lose records. One that fails or hangs holds up nobody.
    state_.changed.wait_for(lock, kMostHeld, [this]() NPC_REQUIRES(state_.mutex) {
      return !state_.backlog.is_inbox_full() || !state_.backlog.is_open() || state_.stalled ||
             state_.interrupted;
    });
    if (state_.journal)
      state_.journal->add(shared->json);
    state_.forget(state_.backlog.push(std::move(shared)));
  }
  state_.work.notify_one();
}

bool Store::flush(std::chrono::nanoseconds timeout) {
  Lock lock(state_.mutex);
  return state_.changed.wait_for(
      lock, std::min(timeout, kMostWait),
      [this]() NPC_REQUIRES(state_.mutex) { return state_.backlog.is_inbox_empty(); });
}

std::optional<Store::Found> Store::find(const RecordRange &wanted, std::size_t most) {
  std::vector<Database::Row> rows;
  std::int64_t first = -1;
  {
    Lock file(state_.file_mutex);
    {
      Lock lock(state_.mutex);
      if (!state_.backlog.is_storing() || !state_.file.is_open())
        return std::nullopt;
    }
    try {
      rows = state_.file.database().find(wanted, most);
      first = state_.file.database().first_number(wanted);
    } catch (const DatabaseError &error) {
      state_.fail_read(error);
      return std::nullopt;
    }
  }
  Found found;
  if (first >= 0)
    found.first = static_cast<std::uint64_t>(first);
  if (rows.size() >= most)
    found.lowest_read = static_cast<std::uint64_t>(rows.back().record.seq);
  // Without a lock: making line protocol takes its time.
  for (Database::Row &row : rows) {
    if (!state_.options.complete || state_.options.complete(row.record))
      found.records.push_back(std::move(row.record));
  }
  return found;
}

Drained Store::drain(std::chrono::nanoseconds timeout) {
  Lock lock(state_.mutex);
  const bool ended = state_.changed.wait_for(
      lock, std::min(timeout, kMostWait), [this]() NPC_REQUIRES(state_.mutex) {
        return state_.interrupted || state_.backlog.is_drained();
      });
  if (!ended)
    return Drained::kTimeout;
  return state_.backlog.is_drained() ? Drained::kAll : Drained::kInterrupted;
}

void Store::interrupt(bool on) {
  {
    Lock lock(state_.mutex);
    state_.interrupted = on;
  }
  state_.changed.notify_all();
}

}  // namespace npc::sink
