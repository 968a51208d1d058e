// SPDX-License-Identifier: LGPL-2.1-or-later
// What happens to the file of a store around its database: whose it is, the locks, and the way out
// of damage.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/mutex.h"
#include "base/openfile.h"
#include "npcsink/store/database.h"

namespace npc::sink {
namespace {

namespace fs = std::filesystem;

// A disk that damages file after file must not be filled with them.
constexpr int kMostDamaged = 9;
constexpr int kRowsAtOnce = 500;
constexpr char kFresh[] = ".new";
constexpr char kLock[] = "-lock";

// Where SQLite locks nothing.
constexpr off_t kLockedByte = 1 << 29;
// Of the header of an SQLite file: how it begins, its pages (big endian) and whose it is.
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kPagesAt = 28, kOwnerAt = 68;
constexpr std::string_view kOurs = "npcs", kNobodys("\0\0\0\0", 4), kOnePage("\0\0\0\1", 4);

DatabaseError in_use(const std::string &path) {
  return {DatabaseError::Kind::kRefused,
          "The store \"" + path + "\" is in use by another npcsink. Give each a store of its own."};
}

DatabaseError foreign(const std::string &path, const char *what) {
  return {DatabaseError::Kind::kRefused,
          "The store \"" + path + "\" is refused: it is " + what + ". Choose another path."};
}

// Whether it was a store, as far as its first bytes say. They may be all that is left of it.
bool was_store(std::string_view head) {
  if (!kMagic.starts_with(head.substr(0, kMagic.size())))
    return false;
  if (head.size() < kOwnerAt + kOurs.size())
    return true;
  // An empty database is nobody's yet.
  const std::string_view owner = head.substr(kOwnerAt, kOurs.size());
  const std::string_view pages = head.substr(kPagesAt, kNobodys.size());
  const bool empty = pages == kNobodys || pages == kOnePage;
  return owner == kOurs || (owner == kNobodys && empty);
}

// The files of stores that this process has open. If it closed any descriptor of one, SQLite's own
// locks on it would end: so it is known by its id before it is opened.
struct OpenFiles {
  Mutex mutex;
  std::set<FileLock::Id> ids NPC_GUARDED_BY(mutex);
};

OpenFiles &open_files() {
  static OpenFiles all;
  return all;
}

// The file of that name, which no store here has open; nothing if there is none.
FileLock::Id id_of(const std::string &path, const OpenFiles &open) NPC_REQUIRES(open.mutex) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0)
    return {};
  const FileLock::Id id(status.st_dev, status.st_ino);
  if (open.ids.contains(id))
    throw in_use(path);
  return id;
}

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

StoreLock::StoreLock(const std::string &path) {
  Opened opened = open_file(path + kLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  if (opened.is_other)
    throw in_the_way(path, path + kLock);
  descriptor_ = std::move(opened.file);
  if (!descriptor_.is_open()) {
    std::string error = message_of(opened.error) + ".";
    if (opened.error == ENOENT)
      error = "its directory does not exist. Create the directory, or choose another path.";
    throw DatabaseError(DatabaseError::Kind::kFailing,
                        "The store \"" + path + "\" cannot be written: " + error);
  }
  if (flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0)
    throw in_use(path);
}

void FileLock::lock(const std::string &path) {
  if (descriptor_.is_open())
    return;
  OpenFiles &open = open_files();
  Lock lock(open.mutex);
  id_ = id_of(path, open);
  Descriptor file = std::move(open_file(path, O_RDWR).file);
  if (!file.is_open())
    return;  // Not made yet, or SQLite says why.
  struct flock byte = {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = kLockedByte;
  byte.l_len = 1;
  // Where a file system has no such locks, the descriptor is kept all the same: to close it would
  // end those that SQLite has.
  if (fcntl(file.get(), F_OFD_SETLK, &byte) != 0 && (errno == EAGAIN || errno == EACCES))
    throw in_use(path);
  descriptor_ = std::move(file);
  open.ids.insert(id_);
}

FileLock::~FileLock() {
  if (!descriptor_.is_open())
    return;
  OpenFiles &open = open_files();
  Lock lock(open.mutex);
  open.ids.erase(id_);
  descriptor_ = Descriptor();
}

void refuse_foreign(const std::string &path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    return;  // Made, or refused, with the database.
  // What npcsink has used is a store, also if its head is gone.
  if (fs::exists(path + kLock, error))
    return;
  OpenFiles &open = open_files();
  Lock lock(open.mutex);
  id_of(path, open);  // Throws if a store here has it open.
  std::string head(kOwnerAt + kOurs.size(), '\0');
  const Descriptor file = std::move(open_file(path, O_RDONLY).file);
  const ssize_t size = file.is_open() ? pread(file.get(), head.data(), head.size(), 0) : 0;
  head.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (was_store(head))
    return;
  throw foreign(path, head.starts_with(kMagic) ? "a database of another program"
                                               : "a file of another program");
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
  // Only the file itself takes the place: its journal must be in it.
  if (const auto left = fs::file_size(fresh + "-wal", error); !error && left > 0)
    throw DatabaseError(DatabaseError::Kind::kFailing,
                        "The store \"" + path + "\" is damaged, and its disk takes no new one.");
  for (const char *suffix : {"-wal", "-shm"})
    fs::remove(fresh + suffix, error);
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

}  // namespace npc::sink
