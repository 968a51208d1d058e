// SPDX-License-Identifier: LGPL-2.1-or-later
// What is around a backlog: a file, a journal and updaters, in random order.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "npcsink/store/backlog.h"
#include "support/numbered.h"

namespace npc::test {

using sink::Backlog;
using sink::Record;

using Numbers = std::vector<std::int64_t>;

inline std::shared_ptr<const Record> record(std::int64_t number) {
  return std::make_shared<const Record>(numbered(static_cast<int>(number)));
}

/// Room for about 20 records, of which 5 are kept for quick updaters, and 8 are written at once.
inline const std::uint64_t kRecord = numbered(0).bytes();
inline const Backlog::Limits kLimits{20 * kRecord, 5 * kRecord, 8};

/// Drives a backlog, and checks what it says after each step.
class BacklogModel {
 public:
  // An updater and what it was handed.
  struct Reader {
    std::string name;
    bool live_only;
    Backlog::CursorId id{};
    std::int64_t from = 0;  // the first record that was pushed after it began
    std::vector<Backlog::Entry> taken{};
    bool is_from_file = false;
    Numbers from_memory{}, from_file{};  // and delivered
    std::uint64_t came = 0;              // records that it should get, or be told of as dropped
    std::uint64_t dropped = 0;           // when that was last checked

    Numbers delivered() const {
      Numbers all = from_memory;
      all.insert(all.end(), from_file.begin(), from_file.end());
      std::sort(all.begin(), all.end());
      return all;
    }
  };

  // The file has `older` records of an earlier run; the journal has `recovered` ones.
  BacklogModel(std::uint32_t seed, int older, int recovered) : oldest_(-older), dice_(seed) {
    for (int i = 0; i < older; i++)
      file_.rows[i + 1] = i - older;
    if (older > 0)
      file_.cursors["a"] = roll(older + 1);
    for (; pushed_ < recovered; pushed_++) {
      backlog_.recover(record(pushed_));
      journal_.push_back(pushed_);
    }
    recovered_ = recovered;
  }

  int roll(int sides) { return static_cast<int>(dice_() % static_cast<unsigned>(sides)); }

  void begin_readers() {
    for (const auto &[name, live_only] : {std::pair("a", false), {"b", false}, {"lamp", true}})
      add(readers_.emplace_back(Reader{name, live_only}));
  }

  void push() {
    journal_.push_back(pushed_);
    for (Reader &reader : readers_)
      reader.came++;
    give_up(backlog_.push(record(pushed_++)));
    RC_ASSERT(backlog_.bytes() <= kLimits.memory + (writing_ + 1) * kRecord);
  }

  void open() {
    if (backlog_.is_open())
      return;
    const Backlog::FileState found = file_.state();
    for (Reader &reader : readers_) {
      const auto known = found.cursors.find(reader.name);
      if (!opened_ && !reader.live_only && known != found.cursors.end())
        reader.came += static_cast<std::uint64_t>(found.last - known->second);
    }
    backlog_.open(found);
    opened_ = true;
  }

  void close() {
    if (!backlog_.is_open())
      return;
    backlog_.close();
    // Now, or before anything else came.
    if (roll(2) == 0)
      give_up(backlog_.failed({}, ++now_));
  }

  // All that was in it is gone with it.
  void replace_file() {
    if (!opened_ || backlog_.is_open())
      return;
    for (const auto &[id, number] : file_.rows)
      deleted_.insert(number);
    file_ = {};
  }

  void delete_oldest() {
    for (int i = roll(4); i > 0 && file_.rows.size() > 1; i--) {
      deleted_.insert(file_.rows.begin()->second);
      file_.rows.erase(file_.rows.begin());
    }
  }

  void write() {
    const Backlog::Batch batch = backlog_.begin_write(++now_);
    if (!backlog_.is_open()) {
      RC_ASSERT(batch.empty());
      return;
    }
    writing_ = batch.fresh.size();
    disturb();
    writing_ = 0;
    if (roll(4) == 0) {
      give_up(backlog_.failed(batch, ++now_));
      RC_ASSERT(!backlog_.is_open());
    } else {
      commit(batch);
    }
    check();
  }

  // Takes records, unless some are on their way.
  void take(Reader &reader, std::size_t most) {
    backlog_.give_back(reader.id);
    reader.taken.clear();
    if (!backlog_.available(reader.id))
      return;
    reader.taken = backlog_.take(reader.id, most);
    is_ahead_ = is_ahead_ || !backlog_.is_open();
    reader.is_from_file = reader.taken.empty();
    if (reader.taken.empty() && backlog_.is_open())
      read(reader, most);
    RC_ASSERT(reader.taken.size() <= most);
  }

  void acknowledge(Reader &reader, std::size_t confirmed) {
    confirmed = std::min(confirmed, reader.taken.size());
    const auto done = backlog_.acknowledge(reader.id, confirmed, {}, ++now_);
    RC_ASSERT(done.moved == (confirmed > 0));
    RC_ASSERT(done.caught_up == (backlog_.pending(reader.id) == 0));
    RC_ASSERT((!done.caught_up || !backlog_.behind_since(reader.id)));
    for (std::size_t i = 0; i < confirmed; i++)
      (reader.is_from_file ? reader.from_file : reader.from_memory)
          .push_back(reader.taken[i].record->seq);
    reader.taken.clear();
    check();
  }

  // It leaves and comes back. What it had ahead of others is forgotten then.
  void replace(Reader &reader) {
    if (is_ahead_ || !opened_ || reader.live_only)
      return;
    reader.taken.clear();
    backlog_.give_back(reader.id);
    const auto pending = backlog_.pending(reader.id);
    backlog_.remove_cursor(reader.id);
    add(reader);
    RC_ASSERT(backlog_.pending(reader.id) == pending);
  }

  Reader &some_reader() { return readers_[static_cast<std::size_t>(roll(3))]; }

  // In the end all is stored and delivered.
  void finish() {
    // What they took from memory is known to the file later.
    close();
    write();
    for (Reader &reader : readers_) {
      take(reader, 100);
      acknowledge(reader, 100);
    }
    open();
    for (int i = 0; backlog_.has_work() || !backlog_.is_drained(); i++) {
      RC_ASSERT(i < 1000);
      commit(backlog_.begin_write(++now_));
      for (Reader &reader : readers_) {
        take(reader, 7);
        acknowledge(reader, 7);
      }
    }
    RC_ASSERT(journal_.empty());
    push();
    commit(backlog_.begin_write(++now_));
    for (Reader &reader : readers_) {
      take(reader, 1);
      acknowledge(reader, 1);
    }
    RC_ASSERT(backlog_.is_drained());
    for (const Reader &reader : readers_) {
      check_end(reader);
      backlog_.remove_cursor(reader.id);
    }
    // Where they were is known at the next start.
    RC_ASSERT(remove(backlog_.failed(backlog_.begin_write(++now_), ++now_)).empty());
    backlog_.open(file_.state());
    while (backlog_.has_work())
      commit(backlog_.begin_write(++now_));
    for (const Reader &reader : readers_) {
      RC_ASSERT(file_.cursors.contains(reader.name) != reader.live_only);
      RC_ASSERT((reader.live_only || file_.cursors[reader.name] == backlog_.next_id() - 1));
    }
  }

 private:
  // What SQLite has.
  struct File {
    std::map<std::int64_t, std::int64_t> rows;  // number by id
    std::map<std::string, std::int64_t> cursors;

    Backlog::FileState state() const {
      std::int64_t last = rows.empty() ? 0 : rows.rbegin()->first;
      for (const auto &[updater, position] : cursors)
        last = std::max(last, position);
      return {rows.empty() ? last + 1 : rows.begin()->first, last, cursors, false};
    }
  };

  void add(Reader &reader) {
    reader.id = backlog_.add_cursor(reader.name, reader.live_only, ++now_);
    if (reader.came == 0)
      reader.from = pushed_;
    reader.came =
        reader.delivered().size() + backlog_.pending(reader.id) + backlog_.dropped(reader.id);
    reader.dropped = backlog_.dropped(reader.id);
  }

  // What others do meanwhile.
  void disturb() {
    for (int i = roll(6); i > 0; i--) {
      if (Reader &reader = some_reader(); roll(3) == 0 && !reader.taken.empty())
        acknowledge(reader, static_cast<std::size_t>(roll(7)));
      else
        push();
    }
  }

  // Rows of the file.
  void read(Reader &reader, std::size_t most) {
    const Backlog::FileRange range = backlog_.file_range(reader.id);
    Numbers ids;
    std::vector<Backlog::Entry> rows;
    for (auto row = file_.rows.upper_bound(range.after);
         row != file_.rows.end() && row->first <= range.end && rows.size() < most; ++row) {
      ids.push_back(row->first);
      rows.push_back({row->first, record(row->second)});
    }
    backlog_.begin_read(reader.id, ids);
    const auto dropped = backlog_.dropped(reader.id);
    if (roll(2) == 0) {
      push();
      delete_oldest();
      backlog_.set_first(file_.state().first);
    }
    RC_ASSERT(backlog_.dropped(reader.id) >= dropped);
    if (backlog_.finish_read(reader.id, range, rows, ids.empty() ? range.end : ids.back()))
      reader.taken = rows;
  }

  void commit(const Backlog::Batch &batch) {
    for (const Backlog::Entry &entry : batch.unstored) {
      file_.rows[entry.id] = entry.record->seq;
      rescued_ += lost_.contains(entry.record->seq);
    }
    std::int64_t next = backlog_.next_id();
    Numbers ids;
    for (const auto &fresh : batch.fresh) {
      // Some are there already.
      if (roll(10) == 0) {
        ids.push_back(0);
        repeated_.insert(fresh->seq);
        for (Reader &reader : readers_)
          reader.came--;
        continue;
      }
      file_.rows[next] = fresh->seq;
      ids.push_back(next++);
    }
    for (const auto &[updater, position] : batch.cursors) {
      RC_ASSERT(position < next);
      RC_ASSERT((batch.unstored.empty() || position <= batch.unstored.back().id));
      file_.cursors[updater] = position;
    }
    const std::size_t before = journal_.size();
    std::set<std::int64_t> written;
    for (const auto &[id, number] : file_.rows)
      written.insert(number);
    delete_oldest();
    backlog_.set_first(file_.state().first);
    for (const std::int64_t number : remove(backlog_.stored(batch, ids, ++now_)))
      RC_ASSERT((written.contains(number) || repeated_.contains(number)));
    RC_ASSERT(batch.fresh.size() <= before - journal_.size());
    if (backlog_.counts().unstored == 0)
      RC_ASSERT(backlog_.bytes() <= kLimits.cache);
  }

  // Takes out of the journal what has left the backlog.
  Numbers remove(const Backlog::Removed &removed) {
    RC_ASSERT(removed.front <= journal_.size());
    const auto front = journal_.begin() + static_cast<std::ptrdiff_t>(removed.front);
    Numbers numbers(journal_.begin(), front);
    journal_.erase(journal_.begin(), front);
    for (std::size_t i = 0; i < removed.behind; i++) {
      RC_ASSERT(removed.kept < journal_.size());
      const auto each = journal_.begin() + static_cast<std::ptrdiff_t>(removed.kept);
      numbers.push_back(*each);
      journal_.erase(each);
    }
    return numbers;
  }

  void give_up(const Backlog::Removed &removed) {
    for (const std::int64_t number : remove(removed))
      lost_.insert(number);
    check();
  }

  void check() {
    const Backlog::Counts counts = backlog_.counts();
    RC_ASSERT(counts.unstored == journal_.size());
    RC_ASSERT(counts.lost == lost_.size());
    RC_ASSERT(counts.repeated == repeated_.size());
    for (Reader &reader : readers_) {
      const auto dropped = backlog_.dropped(reader.id);
      RC_ASSERT(dropped + rescued_ >= std::exchange(reader.dropped, dropped));
      // For a lamp, what an earlier run has left does not count once it has ids.
      if (!reader.live_only || recovered_ == 0)
        RC_ASSERT(reader.delivered().size() + backlog_.pending(reader.id) + dropped == reader.came);
    }
  }

  // Each record was delivered once and in order, or is gone.
  void check_end(const Reader &reader) const {
    for (const Numbers &numbers : {reader.from_memory, reader.from_file})
      RC_ASSERT(std::ranges::is_sorted(numbers, std::ranges::less_equal()));
    const Numbers delivered = reader.delivered();
    RC_ASSERT(std::ranges::adjacent_find(delivered) == delivered.end());
    RC_ASSERT((delivered.empty() || delivered.front() >= (reader.name == "a" ? oldest_ : 0)));
    RC_ASSERT((!reader.live_only || delivered.empty() || delivered.front() >= recovered_));
    for (std::int64_t number = reader.from; number < pushed_; number++) {
      if (repeated_.contains(number))
        RC_ASSERT(!std::ranges::binary_search(delivered, number));
      else if (!std::ranges::binary_search(delivered, number))
        RC_ASSERT((lost_.contains(number) || deleted_.contains(number)));
    }
  }

  const std::int64_t oldest_;
  std::mt19937 dice_;
  Backlog backlog_{kLimits};
  Backlog::Time now_{};
  File file_;
  bool opened_ = false;
  bool is_ahead_ = false;  // some reader may be: it took something while the file was closed
  std::int64_t pushed_ = 0;
  std::int64_t recovered_ = 0;
  std::size_t writing_ = 0;
  Numbers journal_;
  std::set<std::int64_t> lost_, deleted_, repeated_;
  std::uint64_t rescued_ = 0;  // given up while they were written, and stored all the same
  std::vector<Reader> readers_;
};

}  // namespace npc::test
