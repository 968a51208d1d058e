// SPDX-License-Identifier: LGPL-2.1-or-later
// What happens to the file of a store around its database: the lock, and the way out of damage.
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

#include "../../openfile.h"
#include "database.h"

namespace npc {
namespace {

namespace fs = std::filesystem;

// A disk that damages file after file must not be filled with them.
constexpr int kMostDamaged = 9;
constexpr int kRowsAtOnce = 500;
constexpr char kFresh[] = ".new";

// A free name; the last one is used again and again.
std::string aside(const std::string &path) {
  std::string name;
  for (int i = 1; i <= kMostDamaged; i++) {
    name = path + ".damaged-" + std::to_string(i);
    std::error_code error;
    if (!fs::exists(name, error) && !fs::exists(name + "-wal", error))
      break;
  }
  return name;
}

void rename(const std::string &from, const std::string &to) {
  std::error_code error;
  if (!fs::exists(from, error))
    return;
  fs::rename(from, to, error);
  if (error)
    throw DatabaseError(DatabaseError::Kind::kFailing, "The store \"" + from +
                                                           "\" is damaged and cannot be set "
                                                           "aside: " +
                                                           error.message() + ".");
}

// Copies from a database that breaks off anywhere.
class Salvage {
 public:
  Salvage(const std::string &damaged, Database &whole, const Completer &complete)
      : whole_(whole), complete_(complete) {
    // Read-write, because the journal beside it may have to be read first.
    if (sqlite3_open_v2(damaged.c_str(), &connection_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK)
      return;
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    // Lets SQLite read a file that is shorter than it should be.
    sqlite3_exec(connection_, "PRAGMA writable_schema=ON; PRAGMA cell_size_check=ON", nullptr,
                 nullptr, nullptr);
  }
  ~Salvage() { sqlite3_close_v2(connection_); }
  Salvage(const Salvage &) = delete;
  Salvage &operator=(const Salvage &) = delete;

  // Each part may fail alone.
  std::uint64_t run() {
    whole_.begin(true);
    std::int64_t before = 0;
    // Ids that do not rise come from a page that is not where it belongs.
    copy("SELECT id, site, camera, boot, seq, time, record FROM records NOT INDEXED ORDER BY id",
         [&](Statement &row) {
           const std::int64_t id = row.number(0);
           return id > std::exchange(before, std::max(before, id)) && add(row);
         });
    // From the other end, as far as the gap.
    const std::int64_t reached = before;
    before = std::numeric_limits<std::int64_t>::max();
    copy(
        "SELECT id, site, camera, boot, seq, time, record FROM records NOT INDEXED ORDER BY id "
        "DESC",
        [&](Statement &row) {
          const std::int64_t id = row.number(0);
          return id > reached && id < std::exchange(before, id) && add(row);
        });
    copy("SELECT updater, last FROM cursors", [this](Statement &row) {
      whole_.set_cursor(row.text(0), row.number(1));
      return true;
    });
    whole_.commit();
    return copied_;
  }

 private:
  template <typename Take>
  void copy(const char *sql, Take take) {
    try {
      Statement rows(connection_, sql);
      while (rows.step() && take(rows)) {
      }
    } catch (const DatabaseError &) {
      throw;  // The new one.
    } catch (const std::runtime_error &) {
      // Here it breaks off.
    }
  }

  bool add(Statement &row) {
    const std::int64_t id = row.number(0);
    Record record{row.text(1), row.text(2),   row.text(6),  {},
                  row.text(3), row.number(4), row.number(5)};
    // Zeros where a page was.
    if (id <= 0 || record.json.empty())
      return false;
    if (complete_ && !complete_(record))
      return true;
    copied_ += whole_.insert(id, record);
    if (copied_ % kRowsAtOnce == 0) {
      whole_.commit();
      whole_.begin(true);
    }
    return true;
  }

  Database &whole_;
  const Completer &complete_;
  sqlite3 *connection_ = nullptr;
  std::uint64_t copied_ = 0;
};

}  // namespace

// Not on the file itself: closing any descriptor of it would end SQLite's own locks on it.
StoreLock::StoreLock(const std::string &path) {
  Opened opened = open_file(path + "-lock", O_RDWR | O_CREAT, 0644);
  if (opened.is_other)
    throw in_the_way(path, path + "-lock");
  descriptor_ = opened.file.release();
  if (descriptor_ < 0) {
    const int error = opened.error;
    std::string why = message_of(error) + ".";
    if (error == ENOENT)
      why = "its directory does not exist. Create the directory, or choose another path.";
    throw DatabaseError(DatabaseError::Kind::kFailing,
                        "The store \"" + path + "\" cannot be written: " + why);
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor_);
    throw DatabaseError(
        DatabaseError::Kind::kRefused,
        "The store \"" + path + "\" is in use by another npcsink. Give each a store of its own.");
  }
}

StoreLock::~StoreLock() {
  close(descriptor_);
}

std::string replace_damaged(const std::string &path, std::uint64_t size,
                            const Completer &complete) {
  // Made in whole before anything is moved, so that a kill or a power cut loses nothing more.
  const std::string fresh = path + kFresh;
  std::error_code error;
  for (const char *suffix : {"", "-wal", "-shm"})
    fs::remove(fresh + suffix, error);
  std::uint64_t copied = 0;
  {
    Database whole(fresh, size);
    copied = Salvage(path, whole, complete).run();
  }
  const std::string kept = aside(path);
  rename(path, kept);
  rename(path + "-wal", kept + "-wal");
  finish_replacement(path);
  return "The store \"" + path + "\" was damaged. It is kept as \"" + kept + "\"; " +
         std::to_string(copied) + " records of it are in the new one.";
}

void finish_replacement(const std::string &path) {
  std::error_code error;
  if (fs::exists(path, error) || !fs::exists(path + kFresh, error))
    return;
  // They belong to the damaged one, and were read.
  fs::remove(path + "-wal", error);
  fs::remove(path + "-shm", error);
  rename(path + kFresh, path);
}

}  // namespace npc
