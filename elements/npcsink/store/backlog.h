// SPDX-License-Identifier: LGPL-2.1-or-later
// Which records wait, for which updater, and which were lost.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "npcsink/record.h"
#include "npcsink/refusedrecord.h"
#include "npcsink/store/cursorposition.h"
#include "npcsink/store/lostids.h"

namespace npc::sink {

/// The books of the store: the ids of all records, those that are in memory, and how far each
/// updater is.
///
/// A record takes this way: push() puts it into the inbox; begin_write() puts it into a batch;
/// stored() gives it the next id, with which it is in the file and, for quick updaters, in the
/// window. While the file is closed, begin_write() puts it into the window at once, from which a
/// later batch takes it. The window has records without a gap in their ids, first those that are
/// stored, then those that are not.
///
/// There is no lock, no clock and no file in here: not for several threads at once.
class Backlog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class CursorId : std::uint64_t {};

  /// The most records of one transaction. Bounds the journal of the file, and the wait for a
  /// cursor.
  static constexpr std::size_t kBatchRecords = 1000;

  struct Limits {
    std::uint64_t memory;               ///< of all records in memory, in bytes
    std::uint64_t cache;                ///< of those that are stored, in bytes
    std::size_t batch = kBatchRecords;  ///< records in a batch
  };

  /// A record and its place in the order of arrival.
  struct Entry {
    std::int64_t id;
    std::shared_ptr<const Record> record;
  };

  struct Refusal {
    std::string updater;
    std::shared_ptr<const Record> record;
    std::string error;  ///< as a sentence
  };

  /// What one transaction writes.
  struct Batch {
    std::vector<std::shared_ptr<const Record>> fresh;  ///< without an id
    std::vector<Entry> unstored;                       ///< with one, because writing failed
    std::map<std::string, std::int64_t> cursors;       ///< those that moved
    std::vector<Refusal> refusals;
    std::size_t bytes = 0;  ///< of the records
    bool has_records() const { return !fresh.empty() || !unstored.empty(); }
    bool empty() const { return !has_records() && cursors.empty() && refusals.empty(); }
  };

  /// What has left the row of records that are not stored, for a journal of them: its oldest
  /// `front` records and then, behind `kept` that stay, the `behind` next ones.
  struct Removed {
    std::size_t front = 0;
    std::size_t kept = 0;
    std::size_t behind = 0;
  };

  /// What was found in the file.
  struct FileState {
    std::int64_t first;  ///< the lowest id
    std::int64_t last;   ///< the highest that ever was
    std::map<std::string, std::int64_t> cursors;
    bool renumbered;  ///< ids are not those that the file had before
  };

  /// Where a cursor goes on in the file: behind `after`, up to `end`.
  struct FileRange {
    std::int64_t after;
    std::int64_t end;
    std::uint64_t generation;  ///< of ids
  };

  struct Counts {
    std::uint64_t records = 0;   ///< in the file
    std::uint64_t unstored = 0;  ///< in memory only
    std::uint64_t lost = 0;      ///< given up before they were stored: memory was full
    std::uint64_t repeated = 0;  ///< dropped because they were in the file already
  };

  /// What an acknowledgement did.
  struct Acknowledged {
    bool moved;      ///< the cursor
    bool caught_up;  ///< nothing waits for it any more
  };

  explicit Backlog(const Limits &limits) : limits_(limits) {}

  /// Adds a record that an earlier run has left. To be called before push().
  void recover(std::shared_ptr<const Record> record);
  /// Adds a record, and gives up the oldest ones that memory has no room for.
  [[nodiscard]] Removed push(std::shared_ptr<const Record> record);
  /// Whether half of the memory is full of records that were not written yet.
  bool is_inbox_full() const { return waiting_bytes_ > limits_.memory / 2; }
  /// Whether all that was pushed is stored, or in the window because it cannot be.
  bool is_inbox_empty() const { return inbox_.empty() && writing_ == 0; }

  /// The file can be read and written. If it has records that were not known, all others come after
  /// them, under new ids.
  void open(const FileState &file);
  /// It cannot be any more.
  void close() { open_ = false; }
  bool is_open() const { return open_; }
  /// Whether what comes is stored.
  bool is_storing() const { return open_ && unstored_ == 0; }

  /// Whether begin_write() has something to do.
  bool has_work() const;
  /// What is to be written. Nothing if the file is closed: what came is in the window then. Ends
  /// with stored() or failed().
  Batch begin_write(Time now);
  /// The batch was written. `ids` has the id of each fresh record, or 0 if it was there already;
  /// the first one must be next_id().
  [[nodiscard]] Removed stored(const Batch &batch, const std::vector<std::int64_t> &ids, Time now);
  /// The batch was not written. Closes the file.
  [[nodiscard]] Removed failed(Batch batch, Time now);
  std::int64_t next_id() const { return last_ + 1; }
  /// Older records were deleted in the file.
  void set_first(std::int64_t id) { first_ = std::max(first_, id); }

  /// See Cursor about where it begins.
  CursorId add_cursor(const std::string &updater, bool live_only, Time now);
  void remove_cursor(CursorId id);
  /// What all of them have delivered, and all but those that are only for the newest.
  std::int64_t passed() const { return passed(true); }
  std::int64_t delivered() const { return passed(false); }
  /// By updater.
  std::map<std::string, std::int64_t> positions() const;

  /// Whether take() or the file has records for it.
  bool available(CursorId id) const;
  /// Takes the next records, up to `most`. None: what is next is in the file, at file_range().
  std::vector<Entry> take(CursorId id, std::size_t most);
  FileRange file_range(CursorId id) const;
  /// Takes these, which were read in the file. They may be deleted there before finish_read().
  void begin_read(CursorId id, const std::vector<std::int64_t> &ids);
  /// Takes what could be made of them; none: there is nothing up to `seen` any more. Returns false
  /// if ids have changed since file_range(), so that it must be read again.
  bool finish_read(CursorId id, const FileRange &range, const std::vector<Entry> &read,
                   std::int64_t seen);
  /// Ends the way of what was taken: all of it waits again.
  void give_back(CursorId id) { cursors_.at(id).taken.clear(); }
  /// Ends it for the first `confirmed` of them, which are delivered; the rest waits again.
  Acknowledged acknowledge(CursorId id, std::size_t confirmed,
                           const std::vector<RefusedRecord> &refused, Time now);

  std::uint64_t pending(CursorId id) const { return pending(cursors_.at(id)); }
  /// Records that were given up before they were delivered.
  std::uint64_t dropped(CursorId id) const;
  /// When the oldest record that waits was made, by the system's clock; nothing if none waits.
  std::optional<std::int64_t> oldest(CursorId id) const;
  /// Since when a record has been waiting, at least; nothing if none waits.
  std::optional<Time> behind_since(CursorId id) const { return cursors_.at(id).behind_since; }
  /// Whether nothing waits for any cursor.
  bool is_drained() const;
  Counts counts() const;
  /// Of all records in memory.
  std::uint64_t bytes() const { return window_bytes_ + waiting_bytes_; }

 private:
  struct CursorState {
    std::string updater;
    bool live_only = false;
    CursorPosition position{};
    std::vector<Entry> taken{};
    bool dirty = false;       // to be written
    std::int64_t oldest = 0;  // time of the oldest record that was seen waiting
    std::optional<Time> behind_since{};
    std::int64_t behind_mark = 0;  // the last record then
  };

  void rebase(const FileState &file);
  void append_unstored(std::shared_ptr<const Record> record, Time now);
  void mark_behind(Time now);
  Removed bound_memory();
  void bound_cache();
  bool pop_window();
  void pop_inbox();
  void pass_recovered();
  std::int64_t passed(bool by_live) const;
  std::int64_t stored_last() const;
  std::int64_t window_begin() const;
  std::deque<Entry>::const_iterator in_window(std::int64_t after) const;
  std::int64_t missing(std::int64_t after, std::int64_t last) const;
  std::uint64_t gone(const CursorState &cursor) const;
  std::uint64_t pending(const CursorState &cursor) const;
  std::optional<std::int64_t> next_in_memory(const CursorPosition &position) const;

  const Limits limits_;
  bool open_ = false;             // the file
  bool based_ = false;            // ids are those of the file
  std::uint64_t generation_ = 0;  // how often ids changed
  std::deque<std::shared_ptr<const Record>> inbox_;
  std::size_t writing_ = 0;          // records on their way from inbox_ to window_
  std::int64_t writing_since_ = 0;   // when the first of them was made
  std::uint64_t waiting_bytes_ = 0;  // of inbox_ and those
  std::deque<Entry> window_;
  std::size_t unstored_ = 0;  // the newest ones in it
  std::uint64_t window_bytes_ = 0, unstored_bytes_ = 0;
  std::int64_t first_ = 1;  // of what is stored
  std::int64_t last_ = 0;
  std::int64_t begin_ = 0;     // what is behind it was not in the file at the start
  std::size_t recovered_ = 0;  // records of an earlier run that have no id yet
  bool pushed_ = false;        // a record of this run
  LostIds lost_ids_;           // given up before they were stored, and not passed by all
  std::uint64_t lost_ = 0, repeated_ = 0;
  std::map<std::string, std::int64_t> saved_;    // cursors in the file
  std::map<std::string, std::int64_t> leaving_;  // of cursors that are gone, to be written
  std::map<CursorId, CursorState> cursors_;
  std::uint64_t cursors_added_ = 0;
  std::vector<Refusal> refusals_;
};

}  // namespace npc::sink
