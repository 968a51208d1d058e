// SPDX-License-Identifier: LGPL-2.1-or-later
// The SQLite file behind the store: records, cursors, refused records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/recordrange.h"
#include "npcsink/record.h"

struct sqlite3;
struct sqlite3_stmt;

namespace npc::sink {

/// Fills in what a record's JSON says. Returns false if it is no record.
using Completer = std::function<bool(Record &record)>;

/// Why the file cannot be used: a sentence for the user.
class DatabaseError : public std::runtime_error {
 public:
  enum class Kind {
    kFailing,  ///< not now: a full disk, a missing directory; may pass by itself
    kDamaged,  ///< never again: the content is broken
    kRefused,  ///< not by us: of a newer version or another program, or in use
  };
  DatabaseError(Kind kind, const std::string &sentence)
      : std::runtime_error(sentence), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// That `other`, which the store at `path` needs, is no plain file.
DatabaseError in_the_way(const std::string &path, const std::string &other);

/// Only one npcsink may write to a store. This holds its name, whatever file has it. Held until
/// destruction.
class StoreLock {
 public:
  /// Locks `<path>-lock`. Throws DatabaseError.
  explicit StoreLock(const std::string &path);

 private:
  Descriptor descriptor_;
};

/// And this holds its file, under whatever name: a link, or a mount of the file alone. Held until
/// destruction, which must come after SQLite has closed the file.
class FileLock {
 public:
  using Id = std::pair<std::uint64_t, std::uint64_t>;  // of device and inode

  FileLock() = default;
  ~FileLock();
  FileLock(const FileLock &) = delete;
  FileLock &operator=(const FileLock &) = delete;

  /// Locks the file, if it is there and not locked yet. Throws DatabaseError.
  void lock(const std::string &path);

 private:
  Descriptor descriptor_;
  Id id_;
};

/// Throws DatabaseError (kRefused) if `path` is something that no store ever was, which must not be
/// touched, however damaged a store would be that looked like it.
void refuse_foreign(const std::string &path);

/// One prepared statement.
class Statement {
 public:
  Statement(sqlite3 *connection, const char *sql);
  ~Statement();
  Statement(const Statement &) = delete;
  Statement &operator=(const Statement &) = delete;

  /// A text must live until the next reset().
  Statement &bind(int index, std::string_view text);
  Statement &bind(int index, std::int64_t number);
  /// Whether there is a row. Throws std::runtime_error with SQLite's words if it failed.
  bool step();
  void reset();
  std::int64_t number(int column) const;
  std::string text(int column) const;

 private:
  sqlite3_stmt *statement_ = nullptr;
};

/// An open database. Used by one thread at a time. All methods throw DatabaseError, after which it
/// is to be closed.
class Database {
 public:
  /// A record and its place in the order of arrival.
  struct Row {
    std::int64_t id;
    Record record;  ///< without line protocol
  };

  /// Opens or creates `path`; empty: in memory. `size` bounds file and journal, in bytes.
  Database(const std::string &path, std::uint64_t size);
  ~Database();
  Database(const Database &) = delete;
  Database &operator=(const Database &) = delete;

  std::int64_t first();  ///< the lowest id; one more than last() if there is no record
  std::int64_t last();   ///< the highest id that ever was
  /// Whether ids were damaged, and all are new.
  bool renumbered() const { return renumbered_; }
  std::map<std::string, std::int64_t> cursors();
  std::vector<Row> read(std::int64_t after, std::size_t most);
  /// Of the records asked for up to `most`, those with the highest numbers first.
  std::vector<Row> find(const RecordRange &wanted, std::size_t most);
  /// The lowest number that is there of their run of the camera; -1 if there is none.
  std::int64_t first_number(const RecordRange &wanted);

  /// What follows until commit() happens as a whole or not at all. `lasting`: commit() returns when
  /// a power cut cannot undo it any more.
  void begin(bool lasting);
  /// Returns whether it was new: a record that is there already is dropped.
  bool insert(std::int64_t id, const Record &record);
  void set_cursor(const std::string &updater, std::int64_t last);
  /// Forgets cursors before the first record, but for `kept`.
  void forget_cursors(const std::map<std::string, std::int64_t> &kept);
  void refuse(const std::string &updater, const Record &record, const std::string &error);
  /// Deletes the oldest records until `bytes` more of them fit.
  void make_room(std::size_t bytes);
  /// Deletes records up to that id that all cursors have passed, but for the newest `kept`.
  void remove_delivered(std::int64_t up_to, std::int64_t kept);
  /// Deletes at most `most` records up to that id that are from before `time`. Returns how many.
  std::size_t expire(std::int64_t time, std::int64_t up_to, std::size_t most);
  void commit();
  void rollback() noexcept;

  /// Whether the file was removed or replaced since it was opened.
  bool moved() const;

 private:
  void execute(const char *sql);
  std::int64_t number(const char *sql);
  void identify();
  void check();
  void renumber();
  bool renumbered_ = false;
  void prepare();
  template <typename Work>
  auto guarded(Work work);
  [[noreturn]] void fail();

  const std::string path_;
  const std::int64_t most_pages_;
  std::uint64_t device_ = 0, inode_ = 0;
  sqlite3 *connection_ = nullptr;
  bool lasting_ = true;
  std::unique_ptr<Statement> insert_, read_, cursor_;
};

/// Puts a new file in the place of a damaged one, with the records that could still be read and
/// completed, and keeps the damaged one under another name. Returns a sentence about it. Throws
/// DatabaseError.
std::string replace_damaged(const std::string &path, std::uint64_t size, const Completer &complete);

/// Does what a replace_damaged() that was killed has left to do. To be called before a store is
/// opened.
void finish_replacement(const std::string &path);

}  // namespace npc::sink
