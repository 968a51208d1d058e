// SPDX-License-Identifier: LGPL-2.1-or-later
// The store while its file cannot be used: no directory, a lock, a full or read-only disk.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "support/shelf.h"

namespace {

namespace fs = std::filesystem;
using npc::test::eventually;
using npc::test::numbered;
using npc::test::numbers;
using npc::test::Numbers;
using npc::test::query;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Another program that writes to a store, and so keeps all others from it.
class Writer {
 public:
  explicit Writer(const std::string &path) : connection_(npc::test::open_database(path)) {
    begin();
  }
  ~Writer() { sqlite3_close(connection_); }
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  void begin() { npc::test::execute(connection_, "BEGIN IMMEDIATE"); }
  void end() { npc::test::execute(connection_, "ROLLBACK"); }

 private:
  sqlite3 *const connection_;
};

class StoreOutages : public npc::test::Shelf {};

TEST_F(StoreOutages, WaitsForItsDirectory) {
  options_.path = path("later/counts.db");
  open();
  cursor();
  EXPECT_EQ(reason(State::kFailing),
            "The store \"" + options_.path +
                "\" cannot be written: its directory does not exist. Create the directory, or "
                "choose another path.");
  push(0, 10);
  EXPECT_FALSE(store_->stats().writing);
  EXPECT_EQ(store_->stats().unstored, 10u);
  EXPECT_EQ(deliver(5, 4), numbers(0, 4));
  fs::create_directory(path("later"));
  EXPECT_TRUE(said(State::kWriting));
  EXPECT_EQ(deliver_all(), numbers(4, 10));
  EXPECT_EQ(states(), (std::vector<State>{State::kFailing, State::kWriting}));
  reopen();
  EXPECT_EQ(store_->stats().records, 10u);
  EXPECT_EQ(cursor().pending(), 0u);
}

// SQLite waits for the writer of a pipe that is there under the name of an old journal.
TEST_F(StoreOutages, WaitsForNoPipeThatIsInItsWay) {
  for (const char *suffix : {"", "-wal", "-shm", "-journal", "-lock"}) {
    options_.path = path("counts" + std::string(suffix) + ".db");
    const std::string pipe = options_.path + suffix;
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    alarm(60);
    open();
    EXPECT_EQ(reason(State::kFailing), "The store \"" + options_.path + "\" cannot be written: \"" +
                                           pipe +
                                           "\" is no plain file. Remove it, or choose another "
                                           "path.");
    push(0, 1);
    fs::remove(pipe);
    EXPECT_TRUE(said(State::kWriting)) << pipe;
    alarm(0);
    close();
    events_.clear();
  }
}

TEST_F(StoreOutages, OutlivesTheProcess) {
  options_.path = path("disk/counts.db");
  fs::create_directory(path("disk"));
  open();
  cursor("known");
  push(0, 10);
  EXPECT_EQ(deliver_all("known"), numbers(0, 10));
  close();
  fs::rename(path("disk"), path("away"));
  for (int run = 1; run <= 3; run++) {
    reopen();
    cursor("known");
    push(10 * run, 10 * run + 10);
    EXPECT_TRUE(store_->stats().guarded);
    EXPECT_EQ(store_->stats().unstored, 10u * static_cast<unsigned>(run));
  }
  EXPECT_EQ(deliver(12, 12, "known"), numbers(10, 22));
  fs::rename(path("away"), path("disk"));
  EXPECT_TRUE(writing());
  EXPECT_EQ(deliver_all("known"), numbers(22, 40));
  EXPECT_EQ(cursor("known").dropped(), 0u);
  EXPECT_EQ(query(options_.path, "SELECT count(*), max(seq) FROM records"),
            std::vector<std::string>{"40|39"});
  reopen();
  EXPECT_EQ(store_->stats().unstored + store_->stats().repeated, 0u);
}

TEST_F(StoreOutages, GivesTheFirstUpdaterWhatAKillHasLeft) {
  options_.path = path("later/counts.db");
  open();
  push(0, 10);
  reopen();
  fs::create_directory(path("later"));
  EXPECT_TRUE(writing());
  EXPECT_EQ(deliver_all("first"), numbers(0, 10));
  push(10, 20);
  EXPECT_EQ(deliver_all("first"), numbers(10, 20));
  EXPECT_EQ(cursor("second").pending(), 0u);
}

TEST_F(StoreOutages, GivesTheLiveNothingThatAnEarlierRunHasLeft) {
  for (const bool away : {false, true}) {
    options_.path = path(away ? "away/counts.db" : "later/counts.db");
    open();
    push(0, 10);
    close();
    if (!away)
      fs::create_directory(path("later"));
    open();
    cursor("lamp", true);
    push(10, 15);
    EXPECT_EQ(deliver_all("lamp"), numbers(10, 15));
  }
}

TEST_F(StoreOutages, KnowsItsJournalHoweverItsPathIsWritten) {
  options_.path = path("later/counts.db");
  open();
  push(0, 10);
  close();
  options_.path = path("later/.././later/counts.db");
  fs::create_directory(path("later"));
  open();
  EXPECT_EQ(deliver_all(), numbers(0, 10));
}

// What is given up is not what is just being written.
TEST_F(StoreOutages, GivesBackTheMemoryOfAStoreThatIsGone) {
  const std::string here = std::exchange(options_.path, path("mistyped/counts.db"));
  open();
  push(0, 10);
  close();
  const auto journals = [this] {
    return std::count_if(fs::directory_iterator(directory_), fs::directory_iterator(),
                         [](const fs::directory_entry &entry) {
                           return entry.path().filename().string().starts_with("npcsink-");
                         });
  };
  options_.path = here;
  open();
  EXPECT_EQ(journals(), 2) << "it may come back";
  close();
  options_.journal_age = seconds(0);
  open();
  EXPECT_NE(reason(State::kLosing).find("mistyped/counts.db\", which is gone, were given up"),
            std::string::npos);
  EXPECT_EQ(journals(), 1);
}

TEST_F(StoreOutages, GuardsWhatIsOnItsWayToTheDisk) {
  options_.memory = 20000;
  open();
  cursor();
  push(0, 1);
  {
    Writer other(options_.path);
    store_->interrupt(true);
    for (int number = 1; number < 100; number++)
      store_->push(numbered(number));
    ASSERT_TRUE(said(State::kFailing));
    ASSERT_TRUE(store_->flush(seconds(60)));
    ASSERT_GT(store_->stats().lost, 0u);
    ASSERT_GT(store_->stats().unstored, 0u);
    // As a kill leaves it.
    for (const auto &file : fs::directory_iterator(directory_)) {
      if (file.path().filename().string().starts_with("npcsink-"))
        fs::copy_file(file.path(), path("left"));
    }
  }
  const auto in_memory = deliver_all();
  std::string left;
  std::getline(std::ifstream(path("left")), left, '\1');
  std::size_t guarded = 0;
  for (const std::int64_t number : in_memory)
    guarded += left.find(numbered(static_cast<int>(number)).json + "\n") != std::string::npos;
  EXPECT_GE(guarded + 1, in_memory.size());
}

TEST_F(StoreOutages, WorksWithoutAJournal) {
  options_.journals = path("nowhere");
  open();
  cursor();
  EXPECT_FALSE(store_->stats().guarded);
  EXPECT_NE(reason(State::kUnguarded).find("do not outlive this process"), std::string::npos);
  push(0, 10);
  EXPECT_EQ(deliver_all(), numbers(0, 10));
}

TEST_F(StoreOutages, FindsAnOldFileLater) {
  options_.path = path("disk/counts.db");
  fs::create_directory(path("disk"));
  open();
  cursor("known");
  push(0, 50);
  EXPECT_EQ(deliver(20, 20, "known"), numbers(0, 20));
  close();
  fs::rename(path("disk"), path("away"));
  open();
  cursor("known");
  cursor("new");
  push(50, 60);
  EXPECT_EQ(deliver(7, 7, "known"), numbers(50, 57));
  EXPECT_EQ(deliver(3, 3, "new"), numbers(50, 53));
  const auto on_its_way = cursor("known").take(2, milliseconds(0), {});
  fs::rename(path("away"), path("disk"));
  EXPECT_TRUE(writing());
  EXPECT_EQ(cursor("known").pending(), 33u);
  cursor("known").acknowledge(2, {});
  EXPECT_EQ(cursor("known").pending(), 31u);
  auto rest = numbers(20, 50);
  rest.push_back(59);
  EXPECT_EQ(deliver_all("known"), rest);
  EXPECT_EQ(deliver_all("new"), numbers(53, 60));
  EXPECT_EQ(cursor("known").dropped() + cursor("new").dropped(), 0u);
  EXPECT_EQ(query(options_.path, "SELECT count(*), max(id), max(seq) FROM records"),
            std::vector<std::string>{"60|60|59"});
}

TEST_F(StoreOutages, ReadsOnInAFileThatCameBackDamaged) {
  options_.path = path("disk/counts.db");
  options_.cache = 0;
  fs::create_directory(path("disk"));
  open();
  cursor();
  push(0, 20);
  EXPECT_EQ(deliver(4, 4), numbers(0, 4));
  close();
  npc::test::change(options_.path,
                    "UPDATE records SET id = id + 1000; UPDATE cursors SET last = last + 1000");
  open();
  cursor();
  EXPECT_EQ(deliver(4, 4), numbers(4, 8));
  fs::rename(path("disk"), path("away"));
  push(20, 22);
  EXPECT_NE(reason(State::kFailing), "");
  // One bit of the last id; all are numbered anew, from 1 on.
  npc::test::change(path("away/counts.db"),
                    "UPDATE records SET id = id + (1 << 61) WHERE id = 1020");
  fs::rename(path("away"), path("disk"));
  EXPECT_TRUE(writing());
  // What was delivered since the file was last written may come again.
  auto all = deliver_all();
  std::sort(all.begin(), all.end());
  EXPECT_TRUE(std::ranges::includes(all, numbers(8, 22))) << testing::PrintToString(all);
  EXPECT_EQ(cursor().dropped(), 0u);
}

TEST_F(StoreOutages, BeginsAnewWhenTheFileIsTakenAway) {
  open();
  cursor();
  push(0, 10);
  EXPECT_EQ(deliver(4, 4), numbers(0, 4));
  for (const char *suffix : {"", "-wal", "-shm"})
    fs::remove(options_.path + suffix);
  push(10, 12);
  EXPECT_EQ(reason(State::kFailing),
            "The store \"" + options_.path + "\" was removed or replaced.");
  EXPECT_TRUE(said(State::kWriting));
  // What was in memory is delivered still.
  EXPECT_EQ(deliver_all(), numbers(4, 12));
  push(12, 14);
  EXPECT_EQ(deliver_all(), numbers(12, 14));
  EXPECT_EQ(query(options_.path, "SELECT seq FROM records ORDER BY id"),
            (std::vector<std::string>{"10", "11", "12", "13"}));
}

TEST_F(StoreOutages, GivesUpTheOldestWhenMemoryIsFull) {
  options_.path = path("never/counts.db");
  options_.memory = 100000;
  open();
  cursor();
  push(0, 2000);
  const auto stats = store_->stats();
  EXPECT_GT(stats.lost, 1000u);
  EXPECT_GT(stats.unstored, 100u);
  EXPECT_EQ(stats.lost + stats.unstored, 2000u);
  EXPECT_EQ(cursor().dropped(), stats.lost);
  EXPECT_EQ(cursor().pending(), stats.unstored);
  EXPECT_TRUE(said(State::kLosing));
  EXPECT_EQ(deliver_all(), numbers(static_cast<std::int64_t>(stats.lost), 2000));
  EXPECT_EQ(cursor().dropped(), stats.lost);
  fs::create_directory(path("never"));
  EXPECT_TRUE(writing());
  EXPECT_EQ(store_->stats().records, stats.unstored);
}

TEST_F(StoreOutages, WaitsForAWriterThatLocksIt) {
  open();
  cursor();
  push(0, 10);
  Writer other(options_.path);
  push(10, 20);
  EXPECT_EQ(reason(State::kFailing),
            "The store \"" + options_.path + "\" is locked by another program that writes to it.");
  EXPECT_EQ(deliver_all(), numbers(0, 20));
  other.end();
  EXPECT_TRUE(said(State::kWriting));
  EXPECT_EQ(query(options_.path, "SELECT count(*) FROM records"), std::vector<std::string>{"20"});
}

TEST_F(StoreOutages, RemembersEachTimeThatItGaveRecordsUp) {
  options_.memory = 100000;
  open();
  cursor();
  push(0, 10);
  std::uint64_t lost = 0;
  for (int outage = 0; outage < 3; outage++) {
    Writer other(options_.path);
    push(10 + 2000 * outage, 2010 + 2000 * outage);
    other.end();
    EXPECT_TRUE(writing());
    ASSERT_GT(store_->stats().lost, lost);
    lost = store_->stats().lost;
    EXPECT_EQ(cursor().dropped(), lost);
    EXPECT_EQ(cursor().pending(), 2010 + 2000 * static_cast<std::uint64_t>(outage) - lost);
  }
  EXPECT_EQ(deliver_all().size(), 6010 - lost);
  EXPECT_EQ(cursor().dropped(), lost);
}

TEST_F(StoreOutages, PassesOverNothingThatCouldNotBeSent) {
  options_.cache = 0;
  open();
  cursor();
  push(0, 10);
  Writer other(options_.path);
  push(10, 20);
  for (int attempt = 0; attempt < 3; attempt++) {
    EXPECT_EQ(deliver(100, 0), Numbers());
    EXPECT_EQ(cursor().pending(), 20u);
  }
  EXPECT_EQ(deliver(100, 100), numbers(10, 20));
  other.end();
  EXPECT_EQ(deliver_all(), numbers(0, 10));
  EXPECT_EQ(cursor().dropped(), 0u);
}

TEST_F(StoreOutages, PassesOverNothingInASecondOutage) {
  options_.cache = 0;
  open();
  cursor();
  push(0, 10);
  Writer other(options_.path);
  push(10, 20);
  EXPECT_EQ(deliver(100, 100), numbers(10, 20));
  other.end();
  EXPECT_TRUE(writing());
  push(20, 30);
  other.begin();
  push(30, 40);
  EXPECT_EQ(deliver(100, 100), Numbers());
  EXPECT_EQ(cursor().pending(), 30u);
  other.end();
  Numbers all = numbers(0, 10);
  for (const std::int64_t number : numbers(20, 40))
    all.push_back(number);
  EXPECT_EQ(deliver_all(), all);
  EXPECT_EQ(cursor().dropped(), 0u);
}

TEST_F(StoreOutages, SaysThatTheDiskHangs) {
  options_.disk_timeout = milliseconds(1);
  open();
  cursor();
  push(0, 10);
  Writer other(options_.path);
  store_->push(numbered(10));
  // Whoever asks for records notices; here the lock is what hangs.
  ASSERT_TRUE(eventually([this] {
    deliver(100, 100);
    const auto all = events();
    return std::any_of(all.begin(), all.end(), [this](const npc::sink::StoreEvent &event) {
      return event.state == State::kFailing &&
             event.reason == "The disk of the store \"" + options_.path + "\" does not answer.";
    });
  }));
  other.end();
  EXPECT_TRUE(said(State::kWriting));
  EXPECT_TRUE(writing());
  deliver_all();
  EXPECT_EQ(query(options_.path, "SELECT max(seq) FROM records"), std::vector<std::string>{"10"});
}

// A file system of our own; what needs one is skipped where there can be none.
class StoreDisk : public StoreOutages {
 protected:
  void SetUp() override {
    fs::create_directory(path("disk"));
    mounted_ = mount("tmpfs", path("disk").c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted_)
      GTEST_SKIP() << "only root may mount a small disk";
    options_.path = path("disk/counts.db");
  }
  void TearDown() override {
    close();
    if (mounted_)
      umount(path("disk").c_str());
  }

  bool mounted_ = false;
};

TEST_F(StoreDisk, IsFullAndIsFreed) {
  open();
  cursor();
  push(0, 100);
  std::ofstream(path("disk/ballast")) << std::string(2 << 20, 'x');
  std::int64_t pushed = 100;
  for (; pushed < 20000 && store_->stats().unstored == 0; pushed += 100)
    push(pushed, pushed + 100);
  EXPECT_EQ(reason(State::kFailing),
            "The store \"" + options_.path + "\" cannot grow: its disk is full. Free some space.");
  push(pushed, pushed + 1000);
  pushed += 1000;
  EXPECT_EQ(deliver_all(), numbers(0, pushed)) << "from memory";
  EXPECT_EQ(states(), std::vector<State>{State::kFailing});
  fs::remove(path("disk/ballast"));
  EXPECT_TRUE(said(State::kWriting));
  push(pushed, pushed + 10);
  EXPECT_EQ(deliver_all(), numbers(pushed, pushed + 10));
  EXPECT_EQ(
      query(options_.path, "SELECT count(*), max(seq) FROM records"),
      std::vector<std::string>{std::to_string(pushed + 10) + "|" + std::to_string(pushed + 9)});
  EXPECT_EQ(store_->stats().lost, 0u);
}

TEST_F(StoreDisk, IsReadOnlyForAWhile) {
  open();
  cursor();
  push(0, 100);
  deliver(50, 50);
  close();
  const std::string disk = path("disk");
  ASSERT_EQ(mount("", disk.c_str(), "", MS_REMOUNT | MS_RDONLY, ""), 0);
  open();
  cursor();
  const std::string sentence = reason(State::kFailing);
  EXPECT_NE(sentence.find("Read-only file system"), std::string::npos) << sentence;
  push(100, 110);
  EXPECT_EQ(deliver_all(), numbers(100, 110));
  ASSERT_EQ(mount("", disk.c_str(), "", MS_REMOUNT, "size=1m"), 0);
  EXPECT_TRUE(writing());
  EXPECT_EQ(deliver_all(), numbers(50, 100));
  push(110, 120);
  EXPECT_EQ(deliver_all(), numbers(110, 120));
  EXPECT_EQ(store_->stats().records, 120u);
}

}  // namespace
