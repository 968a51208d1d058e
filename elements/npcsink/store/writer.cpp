// SPDX-License-Identifier: LGPL-2.1-or-later
// Writes what came, and gets over what fails.
#include "npcsink/store/writer.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/threads.h"

namespace npc::sink {
namespace {

using std::chrono::steady_clock;

// Age deletes no faster than twice what comes, so that a clock that is wrong for an hour costs an
// hour of history, not all of it; and this many each time, so that it catches up after a pause.
constexpr std::size_t kLeastExpired = 100;
// Where nobody else can read what was delivered, so many records stay to know one that comes twice.
constexpr std::int64_t kKeptInMemory = 500;
// A time server that only corrects a clock moves it by less.
constexpr std::chrono::milliseconds kLeastJump{60000};

// Since the machine was started, with the time that it slept.
std::chrono::milliseconds since_boot() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::milliseconds(std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000);
}

std::string in_words(std::chrono::milliseconds span) {
  const std::int64_t seconds = std::abs(span.count() / 1000);
  for (const auto &[length, unit] :
       {std::pair(86400, " days"), std::pair(3600, " hours"), std::pair(60, " minutes")}) {
    if (seconds >= 2 * length)
      return std::to_string(seconds / length) + unit;
  }
  return std::to_string(seconds) + " seconds";
}

}  // namespace

Writer::Writer(StoreState &state)
    : state_(state),
      options_(state.options),
      retry_(options_.retry_first),
      next_tidy_(steady_clock::now() + options_.tidy) {
  try {
    Lock file(state_.file_mutex);
    open_file();
  } catch (const DatabaseError &error) {
    if (error.kind() == DatabaseError::Kind::kRefused)
      throw;
    failed(error, {});
  }
  watch_clock();
  if (!options_.path.empty())
    open_journal();
  thread_ = start_thread("npc-store", [this](std::stop_token stop) { run(stop); });
}

Writer::~Writer() = default;

// What an earlier run has left comes first. The store works without a crash journal.
void Writer::open_journal() {
  expire_journals();
  std::unique_ptr<CrashJournal> journal;
  try {
    std::error_code error;
    // However its path is written.
    const auto real = std::filesystem::weakly_canonical(options_.path, error);
    journal =
        std::make_unique<CrashJournal>(options_.journals, error ? options_.path : real.string());
  } catch (const std::runtime_error &error) {
    add_event(StoreEvent::State::kUnguarded, error.what());
    return;
  }
  Lock lock(state_.mutex);
  journal->recover([this](std::string line) NPC_REQUIRES(state_.mutex) {
    Record record;
    record.json = std::move(line);
    if (!options_.complete || !options_.complete(record))
      return false;
    state_.backlog.recover(std::make_shared<const Record>(std::move(record)));
    return true;
  });
  state_.journal = std::move(journal);
}

// Of stores that are gone: nobody else would ever give back that memory.
void Writer::expire_journals() {
  for (const std::string &sentence :
       CrashJournal::expire(options_.journals, options_.journal_age, since_boot()))
    add_event(StoreEvent::State::kLosing, sentence);
}

void Writer::run(std::stop_token stop) {
  post_events();  // What opening it has met.
  for (bool ending = false, ended = false; !ended;) {
    {
      Lock lock(state_.mutex);
      const auto until = state_.backlog.is_open() ? next_tidy_ : next_attempt_;
      state_.work.wait_until(lock, stop, until,
                             [this]() NPC_REQUIRES(state_.mutex) { return has_work(); });
    }
    // One last attempt.
    if (!ending && stop.stop_requested()) {
      ending = true;
      next_attempt_ = steady_clock::now();
    }
    step();
    if (ending) {
      Lock lock(state_.mutex);
      ended = !has_work();
    }
  }
}

bool Writer::has_work() const {
  return state_.read_error || state_.backlog.has_work();
}

void Writer::step() {
  Backlog::Batch batch;
  {
    Lock lock(state_.mutex);
    state_.busy_since = steady_clock::now();
  }
  try {
    {
      Lock file(state_.file_mutex);
      ensure_open();
    }
    // Who reads the bus up to the end of the stream must learn what became of the file.
    post_events();
    Lock file(state_.file_mutex);
    batch = begin_write();
    if (state_.file.is_open()) {
      if (!batch.empty())
        write(batch);
      if (steady_clock::now() >= next_tidy_)
        tidy();
    }
  } catch (const DatabaseError &error) {
    failed(error, std::move(batch));
  } catch (const std::exception &error) {
    failed({DatabaseError::Kind::kFailing, "The store failed: " + std::string(error.what()) + "."},
           std::move(batch));
  }
  bool answers;
  {
    Lock lock(state_.mutex);
    state_.busy_since.reset();
    answers = std::exchange(state_.stalled, false) && state_.backlog.is_storing();
  }
  if (answers)
    add_event(StoreEvent::State::kWriting, {});
  post_events();
}

// Opens the file if that is due, and closes one that no reader should use any more.
void Writer::ensure_open() {
  std::optional<DatabaseError> error;
  {
    Lock lock(state_.mutex);
    error.swap(state_.read_error);
  }
  if (error)
    throw DatabaseError(*error);
  state_.file.check_moved();
  if (!state_.file.is_open() && steady_clock::now() >= next_attempt_)
    open_file();
}

void Writer::open_file() {
  if (const std::string sentence = state_.file.prepare(); !sentence.empty())
    add_event(StoreEvent::State::kReplaced, sentence);
  state_.file.open();
  Database &database = state_.file.database();
  const Backlog::FileState found{database.first(), database.last(), database.cursors(),
                                 database.renumbered()};
  {
    Lock lock(state_.mutex);
    state_.backlog.open(found);
  }
  state_.changed.notify_all();
}

Backlog::Batch Writer::begin_write() {
  Backlog::Batch batch;
  {
    Lock lock(state_.mutex);
    batch = state_.backlog.begin_write(steady_clock::now());
    if (state_.backlog.is_open())
      return batch;
  }
  // What came can be had from memory.
  state_.changed.notify_all();
  return batch;
}

void Writer::write(const Backlog::Batch &batch) {
  std::int64_t next, passed;
  {
    Lock lock(state_.mutex);
    next = state_.backlog.next_id();
    passed = state_.backlog.passed();
  }
  const std::vector<std::int64_t> ids = commit(batch, next, passed);
  written_since_tidy_ += batch.fresh.size() + batch.unstored.size();
  if (options_.stored) {
    for (const Backlog::Entry &entry : batch.unstored)
      stored_.push_back(entry.record);
    stored_.insert(stored_.end(), batch.fresh.begin(), batch.fresh.end());
  }
  const std::int64_t first = state_.file.database().first();
  bool storing;
  {
    Lock lock(state_.mutex);
    state_.backlog.set_first(first);
    state_.forget(state_.backlog.stored(batch, ids, steady_clock::now()));
    storing = state_.backlog.is_storing();
  }
  state_.changed.notify_all();
  if (!storing || failure_.empty())
    return;
  retry_ = options_.retry_first;
  failure_.clear();
  add_event(StoreEvent::State::kWriting, {});
}

// Returns the ids of fresh records, from `next` on; 0 for one that is there already.
std::vector<std::int64_t> Writer::commit(const Backlog::Batch &batch, std::int64_t next,
                                         std::int64_t passed) {
  Database &database = state_.file.database();
  std::vector<std::int64_t> ids;
  // A cursor that a power cut takes back only means that records are sent twice: it is not worth a
  // sync of its own, and rides along with the next record.
  database.begin(batch.has_records() || !batch.refusals.empty());
  try {
    if (batch.bytes > 0 || !batch.refusals.empty())
      database.make_room(batch.bytes);
    for (const Backlog::Entry &entry : batch.unstored)
      database.insert(entry.id, *entry.record);
    for (const auto &record : batch.fresh)
      ids.push_back(database.insert(next, *record) ? next++ : 0);
    for (const auto &[updater, last] : batch.cursors)
      database.set_cursor(updater, last);
    if (options_.path.empty())
      database.remove_delivered(passed, kKeptInMemory);
    for (const Backlog::Refusal &refusal : batch.refusals)
      database.refuse(refusal.updater, *refusal.record, refusal.error);
    database.commit();
  } catch (...) {
    database.rollback();
    throw;
  }
  return ids;
}

void Writer::failed(const DatabaseError &error, Backlog::Batch batch) {
  const bool damaged = error.kind() == DatabaseError::Kind::kDamaged;
  {
    Lock file(state_.file_mutex);
    state_.file.close();
    if (damaged)
      state_.file.set_damaged();
  }
  // Damage is met at once, but not again and again.
  next_attempt_ = steady_clock::now();
  if (!damaged || !failure_.empty()) {
    next_attempt_ += retry_;
    retry_ = std::min(retry_ * 2, options_.retry_last);
  }
  {
    Lock lock(state_.mutex);
    state_.last_error = error.what();
    state_.forget(state_.backlog.failed(std::move(batch), steady_clock::now()));
  }
  state_.changed.notify_all();
  if (failure_ != error.what()) {
    failure_ = error.what();
    add_event(StoreEvent::State::kFailing, failure_);
  }
}

void Writer::watch_clock() {
  const std::chrono::milliseconds boot_time =
      std::chrono::milliseconds(state_.now()) - since_boot();
  const auto jump = boot_time - std::exchange(boot_time_, boot_time).value_or(boot_time);
  if (std::chrono::abs(jump) < kLeastJump)
    return;
  add_event(StoreEvent::State::kClockJumped, "The system's clock jumped " + in_words(jump) +
                                                 (jump.count() > 0 ? " ahead" : " back") +
                                                 ": from now on records get old by its new time.");
}

void Writer::tidy() {
  next_tidy_ = steady_clock::now() + options_.tidy;
  watch_clock();
  std::map<std::string, std::int64_t> active;
  std::int64_t delivered;
  {
    Lock lock(state_.mutex);
    delivered = state_.backlog.delivered();
    active = state_.backlog.positions();
  }
  Database &database = state_.file.database();
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention);
  std::size_t left = std::max(kLeastExpired, 2 * std::exchange(written_since_tidy_, 0));
  for (bool more = true; more;) {
    const std::size_t most = age.count() > 0 ? std::min(left, Backlog::kBatchRecords) : 0;
    database.begin(false);
    try {
      const std::size_t expired = database.expire(state_.now() - age.count(), delivered, most);
      database.forget_cursors(active);
      database.commit();
      left -= expired;
      more = expired == Backlog::kBatchRecords && left > 0;
    } catch (...) {
      database.rollback();
      throw;
    }
  }
  if (!options_.path.empty())
    expire_journals();
  const std::int64_t first = database.first();
  Lock lock(state_.mutex);
  state_.backlog.set_first(first);
}

void Writer::watch_disk() {
  {
    Lock lock(state_.mutex);
    if (state_.stalled || !state_.busy_since ||
        steady_clock::now() - *state_.busy_since < options_.disk_timeout)
      return;
    state_.stalled = true;
  }
  state_.listener({StoreEvent::State::kFailing, state_.stats(),
                   "The disk of the store \"" + options_.path + "\" does not answer."});
}

void Writer::add_event(StoreEvent::State state, const std::string &reason) {
  events_.push_back({state, {}, reason});
}

void Writer::post_events() {
  const StoreStats now = state_.stats();
  if (now.lost > 0 && now.lost >= 2 * lost_said_) {
    lost_said_ = now.lost;
    add_event(StoreEvent::State::kLosing,
              "Records were given up: too many came while the store could not be written.");
  }
  for (StoreEvent &event : events_) {
    event.stats = now;
    state_.listener(event);
  }
  events_.clear();
  if (!stored_.empty())
    options_.stored(stored_);
  stored_.clear();
}

}  // namespace npc::sink
