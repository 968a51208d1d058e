// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread of the store: writes what came, and gets over what fails.
#include "npcsink/store/store.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/threads.h"

namespace npc {
namespace {

using std::chrono::steady_clock;

// What one transaction takes or deletes; bounds the journal and the wait for a cursor.
constexpr std::size_t kMostRecords = 1000;
constexpr std::size_t kMostBytes = 1 << 20;
// Age deletes no faster than twice what comes, so that a clock that is wrong for an hour costs an
// hour of history, not all of it; and this many each time, so that it catches up after a pause.
constexpr std::size_t kLeastExpired = 100;
// Where nobody else can read what was delivered, so many records stay to know one that comes twice.
constexpr std::int64_t kKeptInMemory = 500;
// A time server that only corrects a clock moves it by less.
constexpr std::chrono::milliseconds kLeastJump{60000};
// More records at once than the disk takes, as from a file of them, wait here for so long each.
constexpr std::chrono::milliseconds kMostHeld{100};

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
    : options_(absolute(std::move(options))),
      listener_(std::move(listener)),
      retry_(options_.retry_first),
      next_tidy_(steady_clock::now() + options_.tidy) {
  try {
    open_database();
  } catch (const DatabaseError &error) {
    if (error.kind() == DatabaseError::Kind::kRefused)
      throw;
    Work nothing;
    failed(error, nothing);
  }
  watch_clock();
  if (!options_.path.empty())
    open_journal();
  thread_ = start_thread("npc-store", [this](std::stop_token stop) { run(stop); });
}

Store::~Store() = default;

// What an earlier run has left comes first. The store works without a crash journal.
void Store::open_journal() {
  expire_journals();
  try {
    std::error_code error;
    // However its path is written.
    const auto real = std::filesystem::weakly_canonical(options_.path, error);
    journal_ =
        std::make_unique<CrashJournal>(options_.journals, error ? options_.path : real.string());
  } catch (const std::runtime_error &error) {
    tell(StoreEvent::State::kUnguarded, error.what());
    return;
  }
  journal_->recover([this](std::string line) {
    Record record;
    record.json = std::move(line);
    if (!options_.complete || !options_.complete(record))
      return false;
    inbox_.push_back(std::make_shared<const Record>(std::move(record)));
    waiting_bytes_ += inbox_.back()->bytes();
    recovered_++;
    return true;
  });
}

// Of stores that are gone: nobody else would ever give back that memory.
void Store::expire_journals() {
  for (const std::string &sentence :
       CrashJournal::expire(options_.journals, options_.journal_age, since_boot()))
    tell(StoreEvent::State::kLosing, sentence);
}

void Store::push(Record record) {
  const std::uint64_t bytes = record.bytes();
  auto shared = std::make_shared<const Record>(std::move(record));
  {
    std::unique_lock lock(mutex_);
    // Else a disk that is only slow would lose records. One that fails or hangs holds up nobody.
    changed_.wait_for(lock, kMostHeld, [this] {
      return waiting_bytes_ <= options_.memory / 2 || !open_ || stalled_ || interrupted_;
    });
    if (journal_)
      journal_->add(shared->json);
    inbox_.push_back(std::move(shared));
    waiting_bytes_ += bytes;
    pushed_ = true;
    bound_memory();
  }
  work_.notify_one();
}

void Store::run(std::stop_token stop) {
  post_events();  // What opening it has met.
  for (bool ending = false, ended = false; !ended;) {
    {
      std::unique_lock lock(mutex_);
      const auto until = open_ ? next_tidy_ : next_attempt_;
      work_.wait_until(lock, stop, until, [this] { return has_work(); });
    }
    // One last attempt.
    if (!ending && stop.stop_requested()) {
      ending = true;
      next_attempt_ = steady_clock::now();
    }
    step();
    if (ending) {
      std::lock_guard lock(mutex_);
      ended = !has_work();
    }
  }
}

bool Store::has_work() const {
  if (error_ || !inbox_.empty())
    return true;
  return open_ && (unstored_ > 0 || !leaving_.empty() || !refusals_.empty() ||
                   std::any_of(cursors_.begin(), cursors_.end(),
                               [](const Cursor *cursor) { return cursor->dirty_; }));
}

void Store::step() {
  Work work;
  {
    std::lock_guard lock(mutex_);
    busy_since_ = steady_clock::now();
  }
  try {
    {
      std::lock_guard database(database_mutex_);
      ensure_open();
    }
    // Who reads the bus up to the end of the stream must learn what became of the file.
    post_events();
    std::lock_guard database(database_mutex_);
    work = collect();
    if (database_) {
      if (!work.empty())
        write(work);
      if (steady_clock::now() >= next_tidy_)
        tidy();
    }
  } catch (const DatabaseError &error) {
    failed(error, work);
  } catch (const std::exception &error) {
    failed({DatabaseError::Kind::kFailing, "The store failed: " + std::string(error.what()) + "."},
           work);
  }
  bool stalled;
  {
    std::lock_guard lock(mutex_);
    busy_since_.reset();
    stalled = std::exchange(stalled_, false) && open_ && unstored_ == 0;
  }
  if (stalled)
    tell(StoreEvent::State::kWriting, {});
  post_events();
}

// Opens the database if that is due, and closes one that no reader should use any more.
void Store::ensure_open() {
  std::optional<DatabaseError> error;
  {
    std::lock_guard lock(mutex_);
    error.swap(error_);
  }
  if (error)
    throw DatabaseError(*error);
  if (database_ && database_->moved()) {
    database_.reset();
    throw DatabaseError(DatabaseError::Kind::kFailing,
                        "The store \"" + options_.path + "\" was removed or replaced.");
  }
  if (!database_ && steady_clock::now() >= next_attempt_)
    open_database();
}

void Store::open_database() {
  const std::string &path = options_.path;
  if (!path.empty()) {
    if (!lock_) {
      refuse_foreign(path);
      lock_ = std::make_unique<StoreLock>(path);
    }
    finish_replacement(path);
    if (damaged_) {
      const std::string sentence = replace_damaged(path, options_.size, options_.complete);
      damaged_ = false;
      tell(StoreEvent::State::kReplaced, sentence);
    }
    file_lock_ = std::make_unique<FileLock>();
    file_lock_->lock(path);
  }
  auto database = std::make_unique<Database>(path, options_.size);
  if (file_lock_)
    file_lock_->lock(path);  // one that was just made
  const std::int64_t first = database->first(), last = database->last();
  auto saved = database->cursors();
  database_ = std::move(database);
  {
    std::lock_guard lock(mutex_);
    first_ = first;
    install(last, std::move(saved), database_->renumbered());
  }
  changed_.notify_all();
}

Store::Work Store::collect() {
  std::lock_guard lock(mutex_);
  Work work;
  while (!inbox_.empty() && (!open_ || unstored_ > 0)) {
    waiting_bytes_ -= inbox_.front()->bytes();
    append_unstored(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  if (!open_) {
    changed_.notify_all();
    return work;
  }
  const auto full = [&work] {
    return work.bytes >= kMostBytes || work.fresh.size() + work.unstored.size() >= kMostRecords;
  };
  for (std::size_t i = window_.size() - unstored_; i < window_.size() && !full(); i++) {
    work.bytes += window_[i].record->bytes();
    work.unstored.push_back(window_[i]);
  }
  while (!inbox_.empty() && !full()) {
    work.bytes += inbox_.front()->bytes();
    work.fresh.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  writing_ = work.fresh.size();
  writing_since_ = work.fresh.empty() ? 0 : work.fresh.front()->time;
  // A cursor in the file must not point behind what is in the file.
  std::int64_t most = last_;
  if (unstored_ > 0)
    most = work.unstored.back().id;
  for (const auto &[updater, position] : leaving_)
    work.cursors[updater] = std::min(position, most);
  std::erase_if(leaving_, [most](const auto &each) { return each.second <= most; });
  for (Cursor *cursor : cursors_) {
    if (!cursor->dirty_)
      continue;
    work.cursors[cursor->updater_] = std::min(cursor->position_.position, most);
    cursor->dirty_ = cursor->position_.position > most;
  }
  work.refusals.swap(refusals_);
  return work;
}

void Store::write(const Work &work) {
  std::int64_t next, done;
  {
    std::lock_guard lock(mutex_);
    next = last_ + 1;
    done = passed();
  }
  std::vector<std::int64_t> ids;
  // A cursor that a power cut takes back only means that records are sent twice: it is not worth a
  // sync of its own, and rides along with the next record.
  database_->begin(!work.fresh.empty() || !work.unstored.empty() || !work.refusals.empty());
  try {
    if (work.bytes > 0 || !work.refusals.empty())
      database_->make_room(work.bytes);
    for (const Kept &kept : work.unstored)
      database_->insert(kept.id, *kept.record);
    for (const auto &record : work.fresh)
      ids.push_back(database_->insert(next, *record) ? next++ : 0);
    for (const auto &[updater, last] : work.cursors)
      database_->set_cursor(updater, last);
    if (options_.path.empty())
      database_->remove_delivered(done, kKeptInMemory);
    for (const Refusal &refusal : work.refusals)
      database_->refuse(refusal.updater, refusal.record, refusal.error);
    database_->commit();
  } catch (...) {
    database_->rollback();
    throw;
  }
  written_since_tidy_ += work.fresh.size() + work.unstored.size();
  const std::int64_t first = database_->first();
  {
    std::lock_guard lock(mutex_);
    first_ = first;
    stored(work, ids);
    if (unstored_ > 0 || said_.empty())
      return;
  }
  retry_ = options_.retry_first;
  said_.clear();
  tell(StoreEvent::State::kWriting, {});
}

void Store::stored(const Work &work, const std::vector<std::int64_t> &ids) {
  std::size_t done = ids.size();
  // Some of them may have been given up while they were written.
  while (!work.unstored.empty() && unstored_ > 0) {
    const Kept &kept = window_[window_.size() - unstored_];
    if (kept.id > work.unstored.back().id)
      break;
    unstored_bytes_ -= kept.record->bytes();
    unstored_--;
    done++;
  }
  if (journal_ && done > 0)
    journal_->remove(done);
  for (std::size_t i = 0; i < ids.size(); i++) {
    const auto &record = work.fresh[i];
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
  mark_behind();
  bound_cache();
  changed_.notify_all();
}

void Store::failed(const DatabaseError &error, Work &work) {
  {
    std::lock_guard database(database_mutex_);
    database_.reset();
  }
  damaged_ = damaged_ || error.kind() == DatabaseError::Kind::kDamaged;
  // Damage is met at once, but not again and again.
  next_attempt_ = steady_clock::now();
  if (error.kind() != DatabaseError::Kind::kDamaged || !said_.empty()) {
    next_attempt_ += retry_;
    retry_ = std::min(retry_ * 2, options_.retry_last);
  }
  {
    std::lock_guard lock(mutex_);
    open_ = false;
    last_error_ = error.what();
    for (auto &record : work.fresh) {
      waiting_bytes_ -= record->bytes();
      append_unstored(std::move(record));
    }
    writing_ = 0;
    // What is to be written since then is newer.
    leaving_.merge(work.cursors);
    for (Refusal &refusal : work.refusals)
      refusals_.push_back(std::move(refusal));
    bound_memory();
  }
  changed_.notify_all();
  if (said_ != error.what()) {
    said_ = error.what();
    tell(StoreEvent::State::kFailing, said_);
  }
}

void Store::watch_clock() {
  const std::chrono::milliseconds boot_time = std::chrono::milliseconds(now()) - since_boot();
  const auto jump = boot_time - std::exchange(boot_time_, boot_time).value_or(boot_time);
  if (std::chrono::abs(jump) < kLeastJump)
    return;
  tell(StoreEvent::State::kClockJumped, "The system's clock jumped " + in_words(jump) +
                                            (jump.count() > 0 ? " ahead" : " back") +
                                            ": from now on records get old by its new time.");
}

void Store::tidy() {
  next_tidy_ = steady_clock::now() + options_.tidy;
  watch_clock();
  std::map<std::string, std::int64_t> active;
  std::int64_t up_to;
  {
    std::lock_guard lock(mutex_);
    up_to = delivered();
    for (const Cursor *cursor : cursors_)
      active.emplace(cursor->updater_, cursor->position_.position);
  }
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention);
  std::size_t left = std::max(kLeastExpired, 2 * std::exchange(written_since_tidy_, 0));
  for (bool more = true; more;) {
    const std::size_t most = age.count() > 0 ? std::min(left, kMostRecords) : 0;
    database_->begin(false);
    try {
      const std::size_t expired = database_->expire(now() - age.count(), up_to, most);
      database_->forget_cursors(active);
      database_->commit();
      left -= expired;
      more = expired == kMostRecords && left > 0;
    } catch (...) {
      database_->rollback();
      throw;
    }
  }
  if (!options_.path.empty())
    expire_journals();
  const std::int64_t first = database_->first();
  std::lock_guard lock(mutex_);
  first_ = first;
}

void Store::tell(StoreEvent::State state, const std::string &reason) {
  events_.push_back({state, {}, reason});
}

void Store::post_events() {
  const StoreStats now = stats();
  if (now.lost > 0 && now.lost >= 2 * lost_said_) {
    lost_said_ = now.lost;
    tell(StoreEvent::State::kLosing,
         "Records were given up: too many came while the store could not be written.");
  }
  for (StoreEvent &event : events_) {
    event.stats = now;
    listener_(event);
  }
  events_.clear();
}

std::int64_t Store::now() const {
  if (options_.clock)
    return options_.clock();
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

StoreStats Store::stats() const {
  std::lock_guard lock(mutex_);
  StoreStats stats;
  stats.path = options_.path;
  stats.writing = open_ && unstored_ == 0 && !stalled_;
  stats.guarded = journal_ && journal_->whole();
  stats.unstored = unstored_ + inbox_.size() + writing_;
  const std::int64_t kept = last_ + 1 - first_ - static_cast<std::int64_t>(unstored_);
  stats.records = static_cast<std::uint64_t>(std::max<std::int64_t>(kept, 0));
  stats.lost = lost_;
  stats.repeated = repeated_;
  stats.last_error = last_error_;
  return stats;
}

bool Store::flush(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock,
                           std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24)),
                           [this] { return inbox_.empty() && writing_ == 0; });
}

}  // namespace npc
