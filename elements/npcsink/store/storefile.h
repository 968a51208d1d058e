// SPDX-License-Identifier: LGPL-2.1-or-later
// The file of a store from its opening to its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "npcsink/store/database.h"

namespace npc::sink {

/// Holds the locks on a file and its database, and replaces it if it is damaged. It may be closed
/// and opened again. Not for several threads at once.
class StoreFile {
 public:
  /// An empty path: in memory.
  StoreFile(std::string path, std::uint64_t size, Completer complete);

  /// To be called before open(): takes the name of the file, and replaces a damaged one. Returns a
  /// sentence if it did. Throws DatabaseError.
  std::string prepare();
  /// Opens the database, or makes it. Throws DatabaseError.
  void open();
  void close() { database_.reset(); }
  /// It is replaced before it is opened again.
  void set_damaged() { damaged_ = true; }
  bool is_open() const { return database_ != nullptr; }
  /// If it is open.
  Database &database() { return *database_; }
  /// Closes the database and throws DatabaseError if the file was removed or replaced.
  void check_moved();
  /// The next records behind `after` up to `end`. Throws DatabaseError, also if the first of them
  /// cannot be completed.
  std::vector<Database::Row> read(std::int64_t after, std::int64_t end, std::size_t most);

 private:
  const std::string path_;
  const std::uint64_t size_;
  const Completer complete_;
  bool damaged_ = false;
  std::unique_ptr<StoreLock> lock_;
  std::unique_ptr<FileLock> file_lock_;
  std::unique_ptr<Database> database_;
};

}  // namespace npc::sink
