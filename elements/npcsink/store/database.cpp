// SPDX-License-Identifier: LGPL-2.1-or-later
// SQLite behind sentences: opens, checks, writes and trims the file of the store.
#include "npcsink/store/database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/openfile.h"

namespace npc::sink {
namespace {

constexpr std::int64_t kApplication = 0x6e706373;  // "npcs", shown by file(1)
constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kPageBytes = 4096;
// The journal is copied into the file after so many pages (2 MiB), and cut to that size then.
constexpr std::int64_t kJournalPages = 512;
constexpr std::int64_t kJournalReserve = 2 * kJournalPages;
// A reader that never ends keeps the journal from being copied.
constexpr std::uintmax_t kMostJournal = 64 << 20;
// What a slow SD card reads in half a second: larger files are only looked at.
constexpr std::int64_t kMostChecked = 16 << 20;
constexpr int kBusyMilliseconds = 2000;
constexpr std::int64_t kMostRefused = 1000;

// Three thousand years of all that a fast disk takes.
constexpr std::int64_t kMostId = std::int64_t{1} << 53;

constexpr char kRecords[] =
    "CREATE TABLE records (id INTEGER PRIMARY KEY, site TEXT NOT NULL, camera TEXT NOT NULL,"
    " boot TEXT NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, record TEXT NOT NULL,"
    " UNIQUE (site, camera, boot, seq));";
constexpr char kIndex[] = "CREATE INDEX records_time ON records (time);";
constexpr char kOthers[] =
    "CREATE TABLE cursors (updater TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE refused (id INTEGER PRIMARY KEY, updater TEXT NOT NULL, why TEXT NOT NULL,"
    " record TEXT NOT NULL);";

// SYNCHRONOUS=FULL syncs the journal at each commit, so what was committed survives a power cut;
// with NORMAL a cut takes back all commits since the journal was last copied, hours of a quiet
// camera. The price, one sync a commit, is bounded because one commit takes all records that came
// in the meantime.
constexpr char kSettings[] =
    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
    "PRAGMA cache_size=-1024; PRAGMA wal_autocheckpoint=512; PRAGMA journal_size_limit=2097152;"
    "PRAGMA synchronous=FULL;";

DatabaseError failing(const std::string &sentence) {
  return {DatabaseError::Kind::kFailing, sentence};
}

std::string quoted(const std::string &path) {
  return "\"" + path + "\"";
}

// Why a file cannot be opened, as far as the file system knows.
std::string open_hint(const std::string &path) {
  std::error_code error;
  const auto directory = std::filesystem::path(path).parent_path();
  if (!std::filesystem::exists(directory, error))
    return "its directory does not exist. Create the directory, or choose another path.";
  return "it or its directory may not be written. Change its permissions, or choose another path.";
}

std::string sentence_of(int code, int system_error, const std::string &path, const char *words) {
  if (code == SQLITE_FULL || system_error == ENOSPC || system_error == EDQUOT)
    return "The store " + quoted(path) + " cannot grow: its disk is full. Free some space.";
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
    return "The store " + quoted(path) + " is locked by another program that writes to it.";
  if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
    return "The store " + quoted(path) + " cannot be written: " + open_hint(path);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    return "The store " + quoted(path) + " is damaged.";
  return "The store " + quoted(path) + " cannot be used: " + words + ".";
}

// Of a statement that selects id, site, camera, boot, seq, time and record.
Database::Row row_of(const Statement &found) {
  return {found.number(0),
          {found.text(1),
           found.text(2),
           found.text(6),
           {},
           found.text(3),
           found.number(4),
           found.number(5)}};
}

// SQLite opens these by itself, some so that a pipe makes it wait.
void check_files(const std::string &path) {
  for (const char *suffix : {"", "-wal", "-shm", "-journal"}) {
    if (is_other_than_a_file(path + suffix))
      throw in_the_way(path, path + suffix);
  }
}

}  // namespace

DatabaseError in_the_way(const std::string &path, const std::string &other) {
  return failing("The store " + quoted(path) + " cannot be written: " + quoted(other) +
                 " is no plain file. Remove it, or choose another path.");
}

Statement::Statement(sqlite3 *connection, const char *sql) {
  if (sqlite3_prepare_v2(connection, sql, -1, &statement_, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(connection));
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement &Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

Statement &Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    throw std::runtime_error(sqlite3_errmsg(sqlite3_db_handle(statement_)));
  return code == SQLITE_ROW;
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::text(int column) const {
  const auto *text = reinterpret_cast<const char *>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return text != nullptr ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

template <typename Work>
auto Database::guarded(Work work) {
  try {
    return work();
  } catch (const DatabaseError &) {
    throw;
  } catch (const std::runtime_error &) {
    fail();
  }
}

Database::Database(const std::string &path, std::uint64_t size)
    : path_(path),
      most_pages_(static_cast<std::int64_t>(size) / kPageBytes -
                  (path.empty() ? 0 : kJournalReserve)) {
  std::error_code error;
  if (!path.empty())
    check_files(path);
  // SQLite would delete a journal without its file, and begin anew without a word.
  const auto journal = std::filesystem::file_size(path + "-wal", error);
  if (!path.empty() && !error && journal > 0) {
    const auto bytes = std::filesystem::file_size(path, error);
    if (error || bytes == 0)
      throw DatabaseError(DatabaseError::Kind::kDamaged, "The store " + quoted(path) +
                                                             " is damaged: it is empty, but its "
                                                             "journal is not.");
  }
  try {
    guarded([&] {
      const char *name = path.empty() ? ":memory:" : path.c_str();
      const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
      if (sqlite3_open_v2(name, &connection_, flags, nullptr) != SQLITE_OK)
        throw std::runtime_error("not opened");
      sqlite3_extended_result_codes(connection_, 0);
      sqlite3_busy_timeout(connection_, kBusyMilliseconds);
      sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
      // Who may only read needs the journal, even if it is empty, also when nobody writes.
      int persist = 1;
      sqlite3_file_control(connection_, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
      identify();
      check();
      renumber();
      prepare();
    });
  } catch (...) {
    sqlite3_close_v2(connection_);
    throw;
  }
  struct stat status = {};
  if (!path.empty() && stat(path.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
}

Database::~Database() {
  insert_.reset();
  read_.reset();
  cursor_.reset();
  sqlite3_close_v2(connection_);
}

// Whose file it is; makes the tables in an empty one.
void Database::identify() {
  execute("PRAGMA auto_vacuum=INCREMENTAL");  // Only before there is anything.
  const std::int64_t application = number("PRAGMA application_id");
  const std::int64_t version = number("PRAGMA user_version");
  const bool empty = number("SELECT count(*) FROM sqlite_schema") == 0;
  if (application != kApplication && (application != 0 || version != 0 || !empty))
    throw DatabaseError(DatabaseError::Kind::kRefused,
                        "The store " + quoted(path_) +
                            " is refused: it is a database of another program. Choose another "
                            "path.");
  if (version > kVersion)
    throw DatabaseError(DatabaseError::Kind::kRefused,
                        "The store " + quoted(path_) + " is refused: it is of version " +
                            std::to_string(version) + ", and this npcsink knows version " +
                            std::to_string(kVersion) +
                            ". Install a newer one, or choose another path.");
  if (!path_.empty())
    execute("PRAGMA journal_mode=WAL");
  execute(kSettings);
  if (!empty)
    return;
  // All or nothing: a power cut leaves no half of a store.
  const std::string identity = "PRAGMA application_id=" + std::to_string(kApplication) +
                               "; PRAGMA user_version=" + std::to_string(kVersion) + ";";
  execute(("BEGIN IMMEDIATE;" + std::string(kRecords) + kIndex + kOthers + identity + "COMMIT")
              .c_str());
}

void Database::check() {
  const auto damaged = [this] {
    return DatabaseError(DatabaseError::Kind::kDamaged,
                         "The store " + quoted(path_) + " is damaged.");
  };
  const std::int64_t pages = number("PRAGMA page_count");
  if (!path_.empty() && pages * kPageBytes <= kMostChecked) {
    Statement quick(connection_, "PRAGMA quick_check(1)");
    if (!quick.step() || quick.text(0) != "ok")
      throw damaged();
    return;
  }
  // The ends are where a file that was cut, or not written to its end, shows it.
  for (const char *sql : {"SELECT sum(length(record)) FROM (SELECT record FROM records NOT INDEXED "
                          "ORDER BY id LIMIT 100)",
                          "SELECT sum(length(record)) FROM (SELECT record FROM records NOT INDEXED "
                          "ORDER BY id DESC LIMIT 100)",
                          "SELECT count(*) FROM cursors"})
    number(sql);
}

// An id far from all others, as one wrong bit makes it, would leave no number for the next record,
// and pass for as many that were given up. Then all are counted anew, and each cursor stays between
// the same two records.
void Database::renumber() {
  const std::int64_t wrong = number("SELECT count(*) FROM records WHERE id < 1") +
                             number("SELECT count(*) FROM cursors WHERE last < 0");
  if (wrong == 0 && last() <= kMostId)
    return;
  execute(("BEGIN IMMEDIATE;"
           "UPDATE cursors SET last = (SELECT count(*) FROM records WHERE id <= last);"
           "ALTER TABLE records RENAME TO misnumbered;" +
           std::string(kRecords) +
           "INSERT INTO records (site, camera, boot, seq, time, record) SELECT site, camera, boot,"
           " seq, time, record FROM misnumbered ORDER BY id;"
           "DROP TABLE misnumbered;" +
           kIndex + "COMMIT")
              .c_str());
  renumbered_ = true;
}

void Database::prepare() {
  insert_ = std::make_unique<Statement>(
      connection_,
      "INSERT INTO records (id, site, camera, boot, seq, time, record) VALUES (?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (site, camera, boot, seq) DO NOTHING");
  read_ = std::make_unique<Statement>(
      connection_,
      "SELECT id, site, camera, boot, seq, time, record FROM records NOT INDEXED"
      " WHERE id > ? ORDER BY id LIMIT ?");
  cursor_ =
      std::make_unique<Statement>(connection_,
                                  "INSERT INTO cursors (updater, last) VALUES (?, ?)"
                                  " ON CONFLICT (updater) DO UPDATE SET last = excluded.last");
}

std::int64_t Database::first() {
  return guarded([this] {
    Statement least(connection_, "SELECT min(id) FROM records");
    least.step();
    const std::int64_t id = least.number(0);
    return id > 0 ? id : last() + 1;
  });
}

std::int64_t Database::last() {
  // A cursor may be the only one that remembers records which are gone.
  return guarded([this] {
    return std::max(number("SELECT max(id) FROM records"), number("SELECT max(last) FROM cursors"));
  });
}

std::map<std::string, std::int64_t> Database::cursors() {
  return guarded([this] {
    std::map<std::string, std::int64_t> all;
    Statement rows(connection_, "SELECT updater, last FROM cursors");
    while (rows.step())
      all.emplace(rows.text(0), rows.number(1));
    return all;
  });
}

std::vector<Database::Row> Database::read(std::int64_t after, std::size_t most) {
  return guarded([&] {
    std::vector<Row> rows;
    Statement &read = *read_;
    read.reset();
    read.bind(1, after).bind(2, static_cast<std::int64_t>(most));
    while (read.step())
      rows.push_back(row_of(read));
    read.reset();
    return rows;
  });
}

std::vector<Database::Row> Database::find(const RecordRange &wanted, std::size_t most) {
  return guarded([&] {
    std::vector<Row> rows;
    Statement find(
        connection_,
        "SELECT id, site, camera, boot, seq, time, record FROM records WHERE site = ? AND"
        " camera = ? AND boot = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?");
    find.bind(1, wanted.site).bind(2, wanted.camera).bind(3, wanted.boot);
    find.bind(4, static_cast<std::int64_t>(wanted.range.from));
    find.bind(5, static_cast<std::int64_t>(wanted.range.to));
    find.bind(6, static_cast<std::int64_t>(most));
    while (find.step())
      rows.push_back(row_of(find));
    return rows;
  });
}

std::int64_t Database::first_number(const RecordRange &wanted) {
  return guarded([&] {
    Statement first(connection_,
                    "SELECT seq FROM records WHERE site = ? AND camera = ? AND boot = ?"
                    " ORDER BY seq LIMIT 1");
    first.bind(1, wanted.site).bind(2, wanted.camera).bind(3, wanted.boot);
    return first.step() ? first.number(0) : -1;
  });
}

void Database::begin(bool lasting) {
  guarded([&] {
    std::error_code error;
    const auto journal = std::filesystem::file_size(path_ + "-wal", error);
    if (!path_.empty() && !error && journal > kMostJournal)
      throw failing("The store " + quoted(path_) +
                    " cannot grow: another program reads it without an end. End that program.");
    if (lasting != lasting_)
      execute(lasting ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    lasting_ = lasting;
    execute("BEGIN IMMEDIATE");
  });
}

bool Database::insert(std::int64_t id, const Record &record) {
  return guarded([&] {
    insert_->reset();
    insert_->bind(1, id).bind(2, record.site).bind(3, record.camera).bind(4, record.boot);
    insert_->bind(5, record.seq).bind(6, record.time).bind(7, record.json);
    insert_->step();
    insert_->reset();
    return sqlite3_changes(connection_) > 0;
  });
}

void Database::set_cursor(const std::string &updater, std::int64_t last) {
  guarded([&] {
    cursor_->reset();
    cursor_->bind(1, updater).bind(2, last).step();
    cursor_->reset();
  });
}

void Database::forget_cursors(const std::map<std::string, std::int64_t> &kept) {
  const std::int64_t before = first() - 1;
  const auto all = cursors();
  guarded([&] {
    Statement forget(connection_, "DELETE FROM cursors WHERE updater = ?");
    for (const auto &[updater, last] : all) {
      if (last >= before || kept.contains(updater))
        continue;
      forget.reset();
      forget.bind(1, updater).step();
    }
  });
}

void Database::refuse(const std::string &updater, const Record &record, const std::string &error) {
  guarded([&] {
    Statement insert(connection_, "INSERT INTO refused (updater, why, record) VALUES (?, ?, ?)");
    insert.bind(1, updater).bind(2, error).bind(3, record.json).step();
    Statement trim(connection_,
                   "DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?");
    trim.bind(1, kMostRefused).step();
  });
}

void Database::make_room(std::size_t bytes) {
  guarded([&] {
    // Half as much again for the indices, and some pages for the trees above.
    const std::int64_t needed = static_cast<std::int64_t>(bytes) * 3 / 2 / kPageBytes + 16;
    const auto used = [this] {
      return number("PRAGMA page_count") - number("PRAGMA freelist_count");
    };
    Statement cut(connection_,
                  "SELECT max(id) FROM (SELECT id FROM records NOT INDEXED ORDER BY id LIMIT 256)");
    Statement remove(connection_, "DELETE FROM records WHERE id <= ?");
    while (used() + needed > most_pages_) {
      cut.step();
      const std::int64_t id = cut.number(0);
      cut.reset();
      if (id == 0)
        break;
      remove.bind(1, id).step();
      remove.reset();
    }
    // Only after `size` was made smaller: otherwise free pages are used again.
    if (number("PRAGMA page_count") > most_pages_)
      execute("PRAGMA incremental_vacuum(256)");
  });
}

void Database::remove_delivered(std::int64_t up_to, std::int64_t kept) {
  guarded([&] {
    Statement remove(connection_,
                     "DELETE FROM records WHERE id <= ? AND id <= (SELECT max(id) FROM records) - ?"
                     " AND id <= ifnull((SELECT min(last) FROM cursors), id)");
    remove.bind(1, up_to).bind(2, kept).step();
  });
}

std::size_t Database::expire(std::int64_t time, std::int64_t up_to, std::size_t most) {
  return guarded([&] {
    Statement remove(connection_,
                     "DELETE FROM records WHERE id IN (SELECT id FROM records INDEXED BY "
                     "records_time WHERE time < ? AND id <= ? LIMIT ?)");
    remove.bind(1, time).bind(2, up_to).bind(3, static_cast<std::int64_t>(most)).step();
    return static_cast<std::size_t>(sqlite3_changes(connection_));
  });
}

void Database::commit() {
  guarded([this] { execute("COMMIT"); });
}

void Database::rollback() noexcept {
  for (const auto &statement : {&insert_, &read_, &cursor_}) {
    if (*statement)
      (*statement)->reset();
  }
  sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Database::moved() const {
  struct stat status = {};
  return !path_.empty() &&
         (stat(path_.c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_);
}

void Database::execute(const char *sql) {
  if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(connection_));
}

std::int64_t Database::number(const char *sql) {
  Statement statement(connection_, sql);
  return statement.step() ? statement.number(0) : 0;
}

void Database::fail() {
  const int code = sqlite3_errcode(connection_) & 0xff;
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  throw DatabaseError(
      damaged ? DatabaseError::Kind::kDamaged : DatabaseError::Kind::kFailing,
      sentence_of(code, sqlite3_system_errno(connection_), path_, sqlite3_errmsg(connection_)));
}

}  // namespace npc::sink
