// SPDX-License-Identifier: LGPL-2.1-or-later
// What the store keeps, for whom, and for how long.
#include <rapidcheck.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "support/shelf.h"

namespace {

using npc::sink::Record;
using npc::test::eventually;
using npc::test::numbered;
using npc::test::numbers;
using npc::test::Numbers;
using npc::test::query;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kDay = 24 * 3600 * 1000;

class Store : public npc::test::Shelf {};

TEST_F(Store, KeepsRecordsAndCursors) {
  open();
  cursor();
  push(0, 500);
  EXPECT_EQ(deliver(200, 150), numbers(0, 150));
  EXPECT_EQ(cursor().pending(), 350u);
  reopen();
  EXPECT_EQ(cursor().pending(), 350u);
  EXPECT_EQ(deliver_all(), numbers(150, 500));
  reopen();
  EXPECT_EQ(cursor().pending(), 0u);
  push(500, 510);
  EXPECT_EQ(deliver_all(), numbers(500, 510));
  EXPECT_EQ(cursor().dropped(), 0u);
  EXPECT_EQ(store_->stats().records, 510u);
  EXPECT_TRUE(events().empty());
}

TEST_F(Store, WorksTheSameInMemory) {
  options_.path.clear();
  open();
  cursor();
  push(0, 3000);
  EXPECT_EQ(deliver(2000, 1000), numbers(0, 1000));
  cursors_.clear();
  EXPECT_EQ(cursor().pending(), 2000u);
  EXPECT_EQ(deliver_all(), numbers(1000, 3000));
  reopen();
  EXPECT_EQ(store_->stats().records, 0u);
}

TEST_F(Store, KeepsInMemoryWhatIsNotDelivered) {
  options_.path.clear();
  open();
  cursor("quick");
  cursor("slow");
  for (int i = 0; i < 5000; i += 100) {
    push(i, i + 100);
    deliver_all("quick");
  }
  EXPECT_EQ(store_->stats().records, 5000u);
  EXPECT_EQ(deliver_all("slow"), numbers(0, 5000));
  push(4990, 5010);
  EXPECT_EQ(store_->stats().repeated, 10u);
  EXPECT_EQ(store_->stats().records, 500u);
  EXPECT_EQ(deliver_all("slow"), numbers(5000, 5010));
  EXPECT_EQ(cursor("quick").dropped() + cursor("slow").dropped(), 0u);

  reopen();
  cursor("lamp", true);
  push(0, 6000);
  EXPECT_EQ(deliver_all("lamp"), numbers(0, 6000));
}

TEST_F(Store, BeginsWithTheNewestForANewUpdater) {
  open();
  push(0, 10);
  EXPECT_EQ(cursor("new").pending(), 0u);
  // It is remembered even if it never delivered anything.
  push(10, 20);
  reopen();
  EXPECT_EQ(deliver_all("new"), numbers(10, 20));
}

TEST_F(Store, KeepsNoBacklogForTheLive) {
  open();
  push(0, 10);
  EXPECT_EQ(cursor("lamp", true).pending(), 0u);
  push(10, 20);
  EXPECT_EQ(deliver(5, 5, "lamp"), numbers(10, 15));
  reopen();
  EXPECT_EQ(cursor("lamp", true).pending(), 0u);
  EXPECT_EQ(query(options_.path, "SELECT * FROM cursors"), std::vector<std::string>{});
}

TEST_F(Store, DropsARecordSeenTwice) {
  open();
  cursor();
  push(0, 10);
  push(5, 15);
  EXPECT_EQ(store_->stats().repeated, 5u);
  EXPECT_EQ(cursor().pending(), 5u + 10u);
  reopen();
  EXPECT_EQ(cursor().pending(), 15u);
  push(0, 16);
  Record other = numbered(3);
  other.boot = "another";
  store_->push(other);
  ASSERT_TRUE(store_->flush(seconds(60)));
  EXPECT_EQ(store_->stats().repeated, 15u);
  auto expected = numbers(0, 16);
  expected.push_back(3);
  EXPECT_EQ(deliver_all(), expected);
  // A drain waits for no record that will never be.
  push(0, 3);
  EXPECT_EQ(store_->drain(seconds(60)), npc::sink::Drained::kAll);
}

TEST_F(Store, HoldsUpWhoIsFasterThanTheDisk) {
  options_.memory = 64 << 10;
  open();
  cursor();
  std::vector<Record> records;
  for (int number = 0; number < 20000; number++)
    records.push_back(numbered(number));
  for (Record &record : records)
    store_->push(std::move(record));
  ASSERT_TRUE(store_->flush(seconds(60)));
  EXPECT_EQ(store_->stats().lost, 0u);
  EXPECT_EQ(deliver_all(), numbers(0, 20000));
}

TEST_F(Store, MakesLineProtocolOfWhatItReads) {
  options_.cache = 0;
  options_.complete = [](Record &record) {
    record.line_protocol = "line of " + record.json;
    return true;
  };
  open();
  cursor();
  push(0, 6);
  const auto records = cursor().take(10, milliseconds(0), {});
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[3].line_protocol, "line of " + numbered(3).json);
  EXPECT_EQ(records[3].json, numbered(3).json);
  EXPECT_EQ(records[3].boot, "5f0c");
  EXPECT_EQ(records[3].seq, 3);
  EXPECT_EQ(records[3].time, numbered(3).time);
}

TEST_F(Store, IsReadByOthersMeanwhile) {
  open();
  cursor();
  push(0, 100);
  EXPECT_EQ(query(options_.path, "SELECT count(*), sum(seq) FROM records"),
            std::vector<std::string>{"100|4950"});
  EXPECT_EQ(query(options_.path, "SELECT record FROM records WHERE id = 8"),
            std::vector<std::string>{numbered(7).json});
  deliver(10, 10);
  push(100, 200);
  EXPECT_EQ(query(options_.path, "SELECT updater, last FROM cursors"),
            std::vector<std::string>{"a|10"});
  EXPECT_TRUE(store_->stats().writing);
}

// SQLite cannot make the journal for somebody who may not write.
TEST_F(Store, IsReadWhenItIsStoppedByWhoMayNotWrite) {
  open();
  push(0, 100);
  close();
  ASSERT_EQ(chmod(directory_.c_str(), 0555), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0)
      _exit(2);
    const auto rows = query(options_.path, "SELECT count(*), sum(seq) FROM records");
    _exit(rows == std::vector<std::string>{"100|4950"} ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  open();
  push(100, 110);
  EXPECT_EQ(store_->stats().records, 110u);
}

TEST_F(Store, SetsRefusedRecordsAside) {
  open();
  cursor();
  push(0, 1200);
  auto taken = cursor().take(1200, milliseconds(0), {});
  std::vector<npc::sink::RefusedRecord> refused;
  for (std::size_t i = 0; i < 1200; i += 2)
    refused.push_back({i, "Number " + std::to_string(i) + " is even."});
  cursor().acknowledge(1200, refused);
  close();
  EXPECT_EQ(query(options_.path, "SELECT updater, why, record FROM refused WHERE id = 2"),
            std::vector<std::string>{"a|Number 2 is even.|" + numbered(2).json});
  EXPECT_EQ(query(options_.path, "SELECT count(*) FROM refused"), std::vector<std::string>{"600"});
  open();
  for (int round = 0; round < 2; round++) {
    push(1200 + round * 600, 1800 + round * 600);
    taken = cursor().take(1200, milliseconds(0), {});
    cursor().acknowledge(600, refused);
    cursors_.clear();
    ASSERT_TRUE(store_->flush(seconds(60)));
  }
  close();
  EXPECT_EQ(query(options_.path, "SELECT count(*) <= 1000 FROM refused"),
            std::vector<std::string>{"1"});
}

TEST_F(Store, NeverTakesBackThatItGaveRecordsUp) {
  options_.size = (1024 + 64) * 4096;  // The journal has the greater part.
  options_.cache = 0;
  open();
  cursor();
  push(0, 2000);
  std::uint64_t dropped = cursor().dropped();
  ASSERT_GT(dropped, 100u);
  const auto does_not_fall = [&] {
    const auto now = cursor().dropped();
    EXPECT_GE(now, std::exchange(dropped, now));
  };
  std::size_t delivered = 0;
  for (const std::size_t confirmed : {0u, 1u, 7u, 7u}) {
    ASSERT_EQ(cursor().take(7, milliseconds(0), {}).size(), 7u);
    does_not_fall();
    // What the store deletes while it is on its way is not given up.
    if (delivered == 8)
      push(2000, 4000);
    does_not_fall();
    cursor().acknowledge(confirmed, {});
    does_not_fall();
    delivered += confirmed;
  }
  delivered += deliver_all().size();
  does_not_fall();
  EXPECT_EQ(delivered + dropped, 4000u);
}

TEST_F(Store, StaysWithinItsSize) {
  options_.size = 8 << 20;
  options_.cache = 2 << 20;
  open();
  cursor();
  std::uint64_t most = 0;
  std::string padding(1000, 'x');
  for (int i = 0; i < 24000; i++) {
    Record record = numbered(i);
    record.json += padding;
    store_->push(std::move(record));
    if (i % 1000 == 0) {
      ASSERT_TRUE(store_->flush(seconds(60)));
      most = std::max(most, bytes());
    }
  }
  ASSERT_TRUE(store_->flush(seconds(60)));
  EXPECT_LE(std::max(most, bytes()), options_.size);
  const auto kept = store_->stats().records;
  EXPECT_GT(kept, 2000u);
  EXPECT_EQ(kept + cursor().dropped(), 24000u);
  EXPECT_EQ(cursor().pending(), kept);

  // The same records in a smaller house.
  close();
  const auto before = std::filesystem::file_size(options_.path);
  options_.size = 6 << 20;
  open();
  for (int i = 0; i < 30; i++)
    push(24000 + i, 24001 + i);
  close();
  EXPECT_LT(std::filesystem::file_size(options_.path), before);
  EXPECT_LE(std::filesystem::file_size(options_.path), options_.size);
}

class Age : public Store {
 protected:
  Age() {
    options_.retention = hours(24 * 10);
    options_.tidy = milliseconds(1);
  }

  void push_at(std::int64_t time, int from, int to) {
    for (int i = from; i < to; i++) {
      Record record = numbered(i);
      record.time = time;
      store_->push(std::move(record));
    }
    EXPECT_TRUE(store_->flush(seconds(60)));
  }
  std::int64_t count() {
    return std::stoll(query(options_.path, "SELECT count(*) FROM records").at(0));
  }
};

TEST_F(Age, DeletesWhatIsDeliveredOnly) {
  open();
  cursor("quick");
  cursor("slow");
  push_at(clock_, 0, 50);
  clock_ += 9 * kDay;
  push_at(clock_, 50, 60);
  EXPECT_EQ(deliver_all("quick").size(), 60u);
  EXPECT_EQ(deliver(20, 20, "slow").size(), 20u);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(count(), 60);
  clock_ += 2 * kDay;
  EXPECT_TRUE(eventually([this] { return count() == 40; }));
  EXPECT_EQ(cursor("slow").pending(), 40u);
  EXPECT_EQ(deliver_all("slow").size(), 40u);
  EXPECT_TRUE(eventually([this] { return count() == 10; }));
  EXPECT_EQ(cursor("quick").dropped() + cursor("slow").dropped(), 0u);
}

TEST_F(Age, IsNotForEver) {
  options_.retention = hours(0);
  open();
  push_at(1, 0, 50);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(count(), 50);
}

TEST_F(Age, OutlivesAClockThatJumps) {
  options_.tidy = hours(1);
  open();
  push_at(clock_, 0, 5000);
  close();
  options_.tidy = milliseconds(200);
  const std::int64_t before = clock_;
  clock_ = 2145916800000;  // 2038
  open();
  ASSERT_TRUE(eventually([this] { return count() < 5000; }));
  EXPECT_EQ(count() % 100, 0) << "it goes by hundreds";
  EXPECT_EQ(states(), std::vector<State>{}) << "it was so from the start";
  clock_ = before;
  EXPECT_EQ(reason(State::kClockJumped),
            "The system's clock jumped 4383 days back: from now on records get old by its new "
            "time.");
  clock_ = before + 5430000;
  EXPECT_TRUE(eventually([this] {
    return reason(State::kClockJumped).starts_with("The system's clock jumped 90 minutes ahead:");
  }));
  EXPECT_EQ(states().size(), 2u);
  push_at(clock_, 5000, 5001);
  EXPECT_GT(count(), 1000);

  // One that is back in 1970 takes nothing away.
  close();
  options_.tidy = milliseconds(1);
  clock_ = 0;
  open();
  const auto kept = count();
  push_at(0, 5001, 5010);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(count(), kept + 9);
}

TEST_F(Age, ForgetsAnUpdaterThatLeft) {
  open();
  cursor("gone");
  push_at(clock_, 0, 20);
  cursors_.clear();
  cursor("here");
  push_at(clock_, 20, 30);
  // For as long as records last it may come back.
  reopen();
  EXPECT_EQ(cursor("gone").pending(), 30u);
  cursors_.clear();
  cursor("here");
  clock_ += 11 * kDay;
  push_at(clock_, 30, 40);
  deliver_all("here");
  EXPECT_TRUE(eventually([this] { return count() == 10; }));
  EXPECT_TRUE(eventually([this] {
    return query(options_.path, "SELECT updater FROM cursors") == std::vector<std::string>{"here"};
  }));
}

// What an updater gets has no gap and no repetition, whatever happens around it.
TEST_F(Store, LosesNothingWhateverHappens) {
  const std::filesystem::path home = path("home");
  options_.path = (home / "counts.db").string();
  EXPECT_TRUE(rc::check([&] {
    close();
    std::filesystem::remove_all(home);
    std::filesystem::remove_all(path("away"));
    std::filesystem::create_directory(home);
    options_.cache = *rc::gen::element<std::uint64_t>(0, 2000, 1 << 20);
    open();
    cursor("a");
    cursor("b");
    std::int64_t pushed = 0;
    std::map<std::string, Numbers> delivered;
    bool here = true, was_away = false, may_repeat = false;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 12));
    for (const int step : steps) {
      const std::string updater = step % 2 == 0 ? "a" : "b";
      const auto some = *rc::gen::inRange<std::size_t>(0, 30);
      if (step < 4) {
        push(pushed, pushed + static_cast<std::int64_t>(some));
        pushed += static_cast<std::int64_t>(some);
      } else if (step < 8) {
        for (const auto number : deliver(some, *rc::gen::inRange<std::size_t>(0, 30), updater))
          delivered[updater].push_back(number);
      } else if (step < 10) {
        may_repeat = may_repeat || was_away;
        reopen();
        cursor("a");
        cursor("b");
      } else if (step == 10 && here) {
        std::filesystem::rename(home, path("away"));
        here = false;
        was_away = true;
        push(pushed, pushed + 1);
        pushed++;
      } else if (step == 11 && !here) {
        std::filesystem::rename(path("away"), home);
        here = true;
      }
    }
    if (!here)
      std::filesystem::rename(path("away"), home);
    RC_ASSERT(writing());
    for (const std::string updater : {"a", "b"}) {
      for (const auto number : deliver_all(updater))
        delivered[updater].push_back(number);
      // While the file was away newer ones may have gone first; that is forgotten at a restart.
      Numbers &all = delivered[updater];
      if (was_away)
        std::sort(all.begin(), all.end());
      if (may_repeat)
        all.erase(std::unique(all.begin(), all.end()), all.end());
      RC_ASSERT(all == numbers(0, pushed));
      RC_ASSERT(cursor(updater).dropped() == 0u);
    }
  }));
}

}  // namespace
