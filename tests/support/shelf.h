// SPDX-License-Identifier: LGPL-2.1-or-later
// A store in a directory of its own, for tests.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "npcsink/store/cursor.h"
#include "npcsink/store/store.h"
#include "support/database.h"
#include "support/numbered.h"
#include "support/waiting.h"

namespace npc::test {

using sink::Cursor;
using sink::DatabaseError;
using sink::Record;
using sink::Store;
using sink::StoreEvent;
using sink::StoreOptions;

using Numbers = std::vector<std::int64_t>;

inline Numbers numbers(std::int64_t from, std::int64_t to) {
  Numbers all;
  for (std::int64_t number = from; number < to; number++)
    all.push_back(number);
  return all;
}

class Shelf : public testing::Test {
 protected:
  using State = StoreEvent::State;

  Shelf() {
    // In memory if there is such a place: hundreds of syncs wait for a disk that others use.
    std::error_code error;
    std::filesystem::path place = "/dev/shm";
    if (!std::filesystem::is_directory(place, error))
      place = std::filesystem::temp_directory_path();
    std::string name = (place / "npcstore-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    options_.path = path("counts.db");
    options_.journals = directory_;
    options_.complete = complete;
    options_.retry_first = std::chrono::milliseconds(1);
    options_.retry_last = std::chrono::milliseconds(5);
    options_.clock = [this] { return clock_.load(); };
  }

  ~Shelf() override {
    close();
    std::filesystem::remove_all(directory_);
  }

  std::string path(const std::string &name) const { return directory_ + "/" + name; }

  void open() {
    store_ = std::make_shared<Store>(options_, [this](const StoreEvent &event) {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
    });
  }
  void close() {
    cursors_.clear();
    store_.reset();
  }
  /// As after a restart.
  void reopen() {
    close();
    open();
  }

  /// Why the store is refused.
  std::string refusal() {
    try {
      open();
    } catch (const DatabaseError &error) {
      EXPECT_EQ(error.kind(), DatabaseError::Kind::kRefused);
      return error.what();
    }
    return {};
  }

  void push(std::int64_t from, std::int64_t to) {
    for (std::int64_t number = from; number < to; number++)
      store_->push(numbered(static_cast<int>(number)));
    EXPECT_TRUE(store_->flush(std::chrono::seconds(60)));
  }

  Cursor &cursor(const std::string &updater = "a", bool live_only = false) {
    auto &cursor = cursors_[updater];
    if (!cursor)
      cursor = std::make_unique<Cursor>(store_, updater, live_only);
    return *cursor;
  }

  static Numbers numbers_of(const std::vector<Record> &records) {
    Numbers all;
    for (const Record &record : records) {
      EXPECT_EQ(record.json, numbered(static_cast<int>(record.seq)).json);
      all.push_back(record.seq);
    }
    return all;
  }

  /// Takes up to `most` records at once and confirms `confirmed` of them.
  Numbers deliver(std::size_t most, std::size_t confirmed, const std::string &updater = "a") {
    Cursor &cursor = this->cursor(updater);
    Numbers taken = numbers_of(cursor.take(most, std::chrono::milliseconds(0), {}));
    taken.resize(std::min(taken.size(), confirmed));
    cursor.acknowledge(taken.size(), {});
    return taken;
  }

  /// Delivers until nothing waits.
  Numbers deliver_all(const std::string &updater = "a") {
    Numbers all;
    EXPECT_TRUE(eventually([&] {
      for (const std::int64_t number : deliver(100, 100, updater))
        all.push_back(number);
      return cursor(updater).pending() == 0;
    }));
    return all;
  }

  bool writing() {
    return eventually([this] { return store_->stats().writing; });
  }

  std::vector<StoreEvent> events() {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<State> states() {
    std::vector<State> all;
    for (const StoreEvent &event : events())
      all.push_back(event.state);
    return all;
  }
  bool said(State state) {
    return eventually([&] {
      const auto all = states();
      return std::find(all.begin(), all.end(), state) != all.end();
    });
  }

  /// The last sentence that goes with a state, once that was said.
  std::string reason(State state) {
    EXPECT_TRUE(said(state));
    std::string reason;
    for (const StoreEvent &event : events()) {
      if (event.state == state)
        reason = event.reason;
    }
    return reason;
  }

  std::uint64_t bytes() const {
    std::error_code error;
    const auto journal = std::filesystem::file_size(options_.path + "-wal", error);
    return std::filesystem::file_size(options_.path) + (error ? 0 : journal);
  }

  std::string directory_;
  StoreOptions options_;
  std::atomic<std::int64_t> clock_ = 1767225600000;
  std::mutex mutex_;
  std::vector<StoreEvent> events_;
  std::shared_ptr<Store> store_;
  std::map<std::string, std::unique_ptr<Cursor>> cursors_;
};

}  // namespace npc::test
