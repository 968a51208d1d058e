// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps records until every updater has delivered them, over power cuts and full disks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "npcsink/record.h"
#include "npcsink/store/crashjournal.h"
#include "npcsink/store/database.h"
#include "npcsink/store/place.h"
#include "npcsink/updaters/updater.h"

namespace npc {

class Cursor;

/// How a drain ended.
enum class Drained {
  kAll,          ///< nothing waits any more
  kTimeout,      ///< records still wait
  kInterrupted,  ///< interrupt() was called
};

struct StoreOptions {
  std::string path;  ///< of the file; empty: in memory
  /// Delivered records that are older go; 0: none goes for its age.
  std::chrono::nanoseconds retention = std::chrono::hours(30 * 24);
  std::uint64_t size = 256 << 20;   ///< bounds the file with its journal, in bytes
  std::uint64_t memory = 16 << 20;  ///< bounds records in memory, with and without a file
  std::uint64_t cache = 8 << 20;    ///< bounds stored records that are kept for quick updaters
  /// Between attempts to write again, doubling from the first to the last.
  std::chrono::milliseconds retry_first{1000};
  std::chrono::milliseconds retry_last{30000};
  std::chrono::milliseconds tidy{60000};          ///< between looks for records that are too old
  std::chrono::milliseconds disk_timeout{10000};  ///< with a disk that does not answer
  Completer complete;                             ///< none: records are taken as the file has them
  /// In memory, for what a kill of the process must not take before it is stored.
  std::string journals = "/dev/shm";
  /// A crash journal that nobody has used for so long goes if its store is not there any more.
  std::chrono::seconds journal_age = std::chrono::hours(7 * 24);
  /// UTC in ms since 1970; the system's clock if not set.
  std::function<std::int64_t()> clock;
};

struct StoreStats {
  std::string path;
  bool writing = false;        ///< what comes is stored
  std::uint64_t records = 0;   ///< records that are kept
  std::uint64_t unstored = 0;  ///< records in memory only
  bool guarded = false;        ///< all of those outlive the process, but not the machine
  std::uint64_t lost = 0;      ///< records given up before they were stored: memory was full
  std::uint64_t repeated = 0;  ///< records dropped because they were there already
  std::string last_error;      ///< the last failure, as a sentence; stays after success
};

/// The store changed its state.
struct StoreEvent {
  enum class State {
    kWriting,      ///< it writes again
    kFailing,      ///< it cannot write, or for a new reason
    kReplaced,     ///< a damaged file was replaced
    kLosing,       ///< records are given up: memory is full (said at the first and each doubling),
                   ///< or they waited in memory for a store that is gone
    kClockJumped,  ///< the system's clock, by which records get old
    kUnguarded,    ///< what is not stored yet would not outlive the process
  };
  State state;
  StoreStats stats;
  std::string reason;  ///< a sentence, or empty
};

/// Records in the order of arrival, in an SQLite file or in memory, with a cursor for each updater.
///
/// What push() takes is written by a thread of the store, many records in one transaction, and
/// updaters get it after that. While the file cannot be written they get it from memory, which is
/// bounded, and the store tries again for ever. All methods may be called from any thread.
class Store {
 public:
  using Listener = std::function<void(const StoreEvent &event)>;

  /// Opens the store. One that fails for now is no error: `listener` is told, on the thread of the
  /// store or of an updater, without a lock. Throws DatabaseError (kRefused) if it must not be
  /// used, std::system_error if there can be no more threads.
  Store(StoreOptions options, Listener listener);
  /// Writes what waits. No cursor may be left.
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  /// Takes a record. Waits only while half of the memory is full of records that a working disk
  /// has not taken yet, and no longer than 100 ms.
  void push(Record record);

  /// Waits until all that was pushed before is stored, or known not to be storable.
  bool flush(std::chrono::nanoseconds timeout);

  /// Waits until all cursors are at the end. A timeout longer than a day counts as a day.
  Drained drain(std::chrono::nanoseconds timeout);
  /// Ends drain(), now and from now on until `on` is false.
  void interrupt(bool on);

  StoreStats stats() const;
  std::chrono::nanoseconds retention() const { return options_.retention; }

 private:
  friend class Cursor;

  struct Kept {
    std::int64_t id;
    std::shared_ptr<const Record> record;
  };
  // Ids from `begin` up to, without, `end`.
  struct Lost {
    std::int64_t begin;
    std::int64_t end;
  };
  struct Refusal {
    std::string updater;
    Record record;
    std::string error;
  };
  // What one transaction writes.
  struct Work {
    std::vector<std::shared_ptr<const Record>> fresh;  // without an id
    std::vector<Kept> unstored;                        // with one, because writing failed
    std::map<std::string, std::int64_t> cursors;       // those that moved
    std::vector<Refusal> refusals;
    std::size_t bytes = 0;
    bool empty() const {
      return fresh.empty() && unstored.empty() && cursors.empty() && refusals.empty();
    }
  };

  // On the thread of the store.
  void run(std::stop_token stop);
  void step();
  void ensure_open();
  void open_database();
  void open_journal();
  void expire_journals();
  Work collect();
  void write(const Work &work);
  void tidy();
  void watch_clock();
  void failed(const DatabaseError &error, Work &work);
  void tell(StoreEvent::State state, const std::string &reason);
  void post_events();

  // Under mutex_.
  bool has_work() const;
  void install(std::int64_t file_last, std::map<std::string, std::int64_t> saved, bool renumbered);
  void rebase(std::int64_t file_last);
  void stored(const Work &work, const std::vector<std::int64_t> &ids);
  void append_unstored(std::shared_ptr<const Record> record);
  void mark_behind();
  void bound_memory();
  void pop_window();
  void note_lost(std::int64_t id);
  void bound_cache();
  void pass_recovered();
  std::int64_t window_begin() const;
  std::int64_t passed() const;
  std::int64_t delivered() const;
  std::int64_t missing(std::int64_t after, std::int64_t up_to) const;
  std::uint64_t gone(const Cursor &cursor) const;
  std::uint64_t pending(const Cursor &cursor) const;
  std::optional<std::int64_t> next_in_memory(const CursorPosition &position) const;
  bool available(const Cursor &cursor) const;
  bool drained() const;
  std::vector<Kept> take_kept(Cursor &cursor, std::size_t most);

  void watch_disk();
  std::vector<Kept> take_stored(Cursor &cursor, std::size_t most);
  std::vector<Kept> completed(std::vector<Database::Row> rows) const;
  std::int64_t now() const;

  const StoreOptions options_;
  const Listener listener_;

  // Thread of the store only, and its constructor.
  std::chrono::milliseconds retry_;
  std::chrono::steady_clock::time_point next_attempt_, next_tidy_;
  std::string said_;
  std::uint64_t lost_said_ = 0;
  std::size_t written_since_tidy_ = 0;
  std::optional<std::chrono::milliseconds> boot_time_;  // by the system's clock
  bool damaged_ = false;
  std::vector<StoreEvent> events_;

  // Held before mutex_, for as long as the disk takes; never by push().
  std::mutex database_mutex_;
  std::unique_ptr<StoreLock> lock_;
  std::unique_ptr<FileLock> file_lock_;
  std::unique_ptr<Database> database_;

  // Held for short: nothing waits for a disk and nothing is called under it.
  mutable std::mutex mutex_;
  std::condition_variable_any work_;     // for the thread of the store
  std::condition_variable_any changed_;  // for all others
  bool open_ = false;                    // database_ is there and works
  bool based_ = false;                   // ids are those of the file
  std::uint64_t bases_ = 0;              // how often ids changed
  std::optional<DatabaseError> error_;
  std::deque<std::shared_ptr<const Record>> inbox_;
  std::size_t writing_ = 0;          // records on their way from inbox_ to window_
  std::int64_t writing_since_ = 0;   // when the first of them was made
  std::uint64_t waiting_bytes_ = 0;  // of inbox_ and those
  std::deque<Kept> window_;          // the newest records: first stored ones, then unstored ones
  std::size_t unstored_ = 0;
  std::uint64_t window_bytes_ = 0, unstored_bytes_ = 0;
  std::int64_t first_ = 1;  // of what is stored
  std::int64_t last_ = 0;
  std::int64_t begin_ = 0;     // what is behind it was not in the file at the start
  std::size_t recovered_ = 0;  // records of an earlier run that have no id yet
  std::unique_ptr<CrashJournal>
      journal_;                 // of inbox_, of what is on its way, and of what is unstored
  std::vector<Lost> lost_ids_;  // given up before they were stored, and not passed by all
  std::uint64_t lost_ = 0, repeated_ = 0;
  bool pushed_ = false;                          // something, by now
  std::map<std::string, std::int64_t> saved_;    // cursors in the file
  std::map<std::string, std::int64_t> leaving_;  // to be written there
  std::vector<Cursor *> cursors_;
  std::vector<Refusal> refusals_;
  std::string last_error_;
  bool interrupted_ = false;
  std::optional<std::chrono::steady_clock::time_point> busy_since_;  // with the disk
  bool stalled_ = false;                                             // and that was said

  std::jthread thread_;  // Last, so that it ends before what it uses.
};

/// The place of one updater in a store: what it has delivered and what not. take() and
/// acknowledge() are called from one thread.
class Cursor {
 public:
  /// `updater` names the place in the store. If it is new there, or if `live_only`, it begins at
  /// the newest record. As long as the file was never read, no other one is known to be new: it
  /// gets all that is in memory.
  Cursor(std::shared_ptr<Store> store, std::string updater, bool live_only);
  ~Cursor();
  Cursor(const Cursor &) = delete;
  Cursor &operator=(const Cursor &) = delete;

  /// Waits up to `wait` for records and takes up to `most` of them. Until acknowledge() they are on
  /// their way.
  std::vector<Record> take(std::size_t most, std::chrono::milliseconds wait, std::stop_token stop);

  /// Ends the way of what was taken: the first `confirmed` of it are delivered, the rest waits
  /// again. Those of them that were refused are set aside.
  void acknowledge(std::size_t confirmed, const std::vector<DeliveryResult::Refused> &refused);

  std::uint64_t pending() const;
  /// Records that were given up before they could be delivered.
  std::uint64_t dropped() const;
  /// How long ago the oldest record that waits was made, by the system's clock; 0 if none waits.
  std::chrono::milliseconds oldest() const;
  /// For how long at most a record has been waiting since it was pushed or the store was opened.
  std::chrono::milliseconds behind() const;

 private:
  friend class Store;

  const std::shared_ptr<Store> store_;
  const std::string updater_;
  const bool live_only_;

  // Under the store's lock.
  CursorPosition position_;
  std::vector<Store::Kept> taken_;
  bool dirty_ = false;
  std::int64_t oldest_ = 0;  // time of the oldest record that was seen waiting
  // When the oldest one that still waits cannot have waited yet.
  std::optional<std::chrono::steady_clock::time_point> behind_since_;
  std::int64_t behind_mark_ = 0;
};

}  // namespace npc
