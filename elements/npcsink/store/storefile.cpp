// SPDX-License-Identifier: LGPL-2.1-or-later
// Locks, database and replacement of a store's file.
#include "npcsink/store/storefile.h"

#include <utility>

namespace npc::sink {

StoreFile::StoreFile(std::string path, std::uint64_t size, Completer complete)
    : path_(std::move(path)), size_(size), complete_(std::move(complete)) {}

std::string StoreFile::prepare() {
  if (path_.empty())
    return {};
  if (!lock_) {
    refuse_foreign(path_);
    lock_ = std::make_unique<StoreLock>(path_);
  }
  finish_replacement(path_);
  if (!damaged_)
    return {};
  std::string sentence = replace_damaged(path_, size_, complete_);
  damaged_ = false;
  return sentence;
}

void StoreFile::open() {
  if (!path_.empty()) {
    file_lock_ = std::make_unique<FileLock>();
    file_lock_->lock(path_);
  }
  auto database = std::make_unique<Database>(path_, size_);
  if (file_lock_)
    file_lock_->lock(path_);  // one that was just made
  database_ = std::move(database);
}

void StoreFile::check_moved() {
  if (!database_ || !database_->moved())
    return;
  close();
  throw DatabaseError(DatabaseError::Kind::kFailing,
                      "The store \"" + path_ + "\" was removed or replaced.");
}

std::vector<Database::Row> StoreFile::read(std::int64_t after, std::int64_t end, std::size_t most) {
  std::vector<Database::Row> rows = database_->read(after, most);
  std::erase_if(rows, [end](const Database::Row &row) { return row.id > end; });
  // SQLite does not notice a text that lost its end with the file.
  if (!rows.empty() && complete_ && !complete_(rows.front().record))
    throw DatabaseError(DatabaseError::Kind::kDamaged,
                        "The store \"" + path_ + "\" is damaged: record " +
                            std::to_string(rows.front().id) + " in it cannot be read.");
  return rows;
}

}  // namespace npc::sink
