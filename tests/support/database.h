// SPDX-License-Identifier: LGPL-2.1-or-later
// A store's file as another program opens it, for tests.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

namespace npc::test {

/// A connection that waits while the store's own thread writes, as programs of users should.
inline sqlite3 *open_database(const std::string &path,
                              int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {
  constexpr int kBusyMilliseconds = 60000;
  sqlite3 *connection = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &connection, flags, nullptr), SQLITE_OK);
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  return connection;
}

inline void execute(sqlite3 *connection, const std::string &sql) {
  EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
}

/// The rows of a query by another program that reads `path`, their columns separated by `|`.
inline std::vector<std::string> query(const std::string &path, const std::string &sql) {
  std::vector<std::string> rows;
  sqlite3 *connection = open_database(path, SQLITE_OPEN_READONLY);
  const auto add = [](void *list, int columns, char **values, char **) {
    std::string row;
    for (int i = 0; i < columns; i++)
      row += (i > 0 ? "|" : "") + std::string(values[i] != nullptr ? values[i] : "");
    static_cast<std::vector<std::string> *>(list)->push_back(row);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), add, &rows, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
  return rows;
}

/// What some program writes into `path`.
inline void change(const std::string &path, const std::string &sql) {
  sqlite3 *connection = open_database(path);
  execute(connection, sql);
  sqlite3_close(connection);
}

}  // namespace npc::test
