// SPDX-License-Identifier: LGPL-2.1-or-later
// The store among kills, cuts, damage and files that are not its own.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <random>
#include <set>
#include <utility>

#include "support/shelf.h"

namespace {

namespace fs = std::filesystem;
using npc::sink::Record;
using npc::test::change;
using npc::test::eventually;
using npc::test::numbered;
using npc::test::numbers;
using npc::test::Numbers;
using npc::test::query;
using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreFaults : public npc::test::Shelf {
 protected:
  static void damage(const std::string &path, std::uintmax_t offset, const std::string &text) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << text;
  }
};

TEST_F(StoreFaults, RefusesASecondWriter) {
  open();
  const std::string sentence = "The store \"" + options_.path +
                               "\" is in use by another npcsink. Give each a store of its own.";
  EXPECT_EQ(refusal(), sentence);
  push(0, 10);
  EXPECT_EQ(refusal(), sentence);
  push(10, 20);
  close();
  open();
  EXPECT_EQ(store_->stats().records, 20u);
}

TEST_F(StoreFaults, RefusesASecondWriterUnderAnotherName) {
  open();
  push(0, 10);
  const auto first = std::exchange(store_, nullptr);
  const std::string file = options_.path;
  options_.path = path("link.db");
  fs::create_symlink(file, options_.path);
  EXPECT_NE(refusal().find("is in use by another npcsink"), std::string::npos);
  options_.path = path("name.db");
  fs::create_hard_link(file, options_.path);
  EXPECT_NE(refusal().find("is in use by another npcsink"), std::string::npos);
  first->push(numbered(10));
  EXPECT_TRUE(first->flush(seconds(60)));
  EXPECT_TRUE(first->stats().writing);
}

TEST_F(StoreFaults, RefusesTheStoreOfAnotherProcessUnderAnotherName) {
  int ready[2], end[2];
  ASSERT_EQ(pipe(ready) + pipe(end), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    open();
    char c = static_cast<char>(store_->stats().writing);
    c = write(ready[1], &c, 1) == 1 && read(end[0], &c, 1) == 1;
    _exit(c);
  }
  char works = 0;
  ASSERT_EQ(read(ready[0], &works, 1), 1);
  EXPECT_EQ(works, 1);
  options_.path = path("name.db");
  fs::create_hard_link(path("counts.db"), options_.path);
  EXPECT_NE(refusal().find("is in use by another npcsink"), std::string::npos);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (const int each : {ready[0], ready[1], end[0], end[1]})
    ::close(each);
  open();
  EXPECT_TRUE(writing());
}

// All that belongs to a store is beside the file, wherever a link to it is.
TEST_F(StoreFaults, IsReplacedBehindALink) {
  fs::create_directory(path("disk"));
  fs::create_symlink("disk/counts.db", options_.path);
  std::ofstream(path("disk/counts.db")).flush();
  open();
  push(0, 10);
  close();
  damage(path("disk/counts.db"), 0, "This is not a database at all.");
  open();
  EXPECT_TRUE(said(State::kReplaced));
  EXPECT_TRUE(fs::is_symlink(options_.path));
  EXPECT_TRUE(fs::exists(path("disk/counts.db.damaged-1")));
  push(10, 20);
  EXPECT_EQ(query(options_.path, "SELECT count(*) FROM records"), std::vector<std::string>{"10"});
}

TEST_F(StoreFaults, RefusesWhatNeverWasAStore) {
  const std::string text = "What people wrote down.\n";
  const auto content = [this] {
    std::ifstream file(options_.path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  options_.path = path("notes.txt");
  for (const std::string &notes : {text, std::string("{}"), std::string(10000, '\0')}) {
    std::ofstream(options_.path) << notes;
    EXPECT_EQ(refusal(), "The store \"" + options_.path +
                             "\" is refused: it is a file of another program. Choose another "
                             "path.");
    EXPECT_EQ(content(), notes);
  }

  // Nor what another program's database is, damaged or not.
  options_.path = path("music.db");
  change(options_.path, "CREATE TABLE songs (name); INSERT INTO songs VALUES ('a')");
  damage(options_.path, 100, std::string(3000, 'x'));
  const std::string music = content();
  EXPECT_NE(refusal().find("it is a database of another program"), std::string::npos);
  EXPECT_EQ(content(), music);

  const auto is_left = [](const fs::directory_entry &entry) {
    const std::string name = entry.path().filename();
    return name.find("-lock") != std::string::npos || name.find(".damaged") != std::string::npos;
  };
  EXPECT_EQ(std::count_if(fs::directory_iterator(directory_), fs::directory_iterator(), is_left),
            0);
  // What is empty is nobody's.
  options_.path = path("new.db");
  std::ofstream(options_.path).flush();
  open();
  push(0, 10);
  EXPECT_TRUE(writing());
}

// What one bit of an id, or a hand, can do.
TEST_F(StoreFaults, DeliversWhateverItsIdsAre) {
  const struct {
    const char *sql;
    std::int64_t quick;  // from where on it gets records; what is behind its cursor comes again
  } changes[] = {
      {"UPDATE records SET id = id + 9223372036854775797;"
       "UPDATE cursors SET last = last + 9223372036854775797",
       10},
      {"UPDATE records SET id = 9223372036854775807 WHERE id = 10", 9},
      {"UPDATE records SET id = id + (1 << 61) WHERE id > 4", 4},
      {"UPDATE records SET id = id - 1000; UPDATE cursors SET last = last - 1000", 10},
      {"UPDATE records SET id = id - 9223372036854775807 WHERE id < 3", 10},
      {"UPDATE records SET id = id + 1000; UPDATE cursors SET last = 9223372036854775807"
       " WHERE updater = 'quick'; UPDATE cursors SET last = last + 1000 WHERE updater = 'slow'",
       10},
  };
  int number = 0;
  for (const auto &[sql, quick] : changes) {
    SCOPED_TRACE(sql);
    options_.path = path("counts" + std::to_string(number++) + ".db");
    open();
    cursor("slow");
    cursor("quick");
    push(0, 10);
    EXPECT_EQ(deliver_all("quick"), numbers(0, 10));
    EXPECT_EQ(deliver(4, 4, "slow"), numbers(0, 4));
    close();
    change(options_.path, sql);
    open();
    cursor("slow");
    cursor("quick");
    push(10, 20);
    EXPECT_EQ(deliver_all("slow"), numbers(4, 20));
    EXPECT_EQ(deliver_all("quick"), numbers(quick, 20));
    EXPECT_EQ(cursor("slow").dropped() + cursor("quick").dropped(), 0u);
    EXPECT_EQ(store_->stats().records, 20u);
    EXPECT_EQ(query(options_.path, "SELECT count(*), max(id) <= 1 << 53 FROM records"),
              std::vector<std::string>{"20|1"});
    close();
  }
}

TEST_F(StoreFaults, RefusesWhatIsNotItsOwn) {
  open();
  close();
  change(options_.path, "PRAGMA user_version = 2");
  EXPECT_EQ(refusal(), "The store \"" + options_.path +
                           "\" is refused: it is of version 2, and this npcsink knows version 1. "
                           "Install a newer one, or choose another path.");
  EXPECT_EQ(query(options_.path, "PRAGMA user_version"), std::vector<std::string>{"2"});

  options_.path = path("music.db");
  change(options_.path, "CREATE TABLE songs (name)");
  EXPECT_EQ(refusal(), "The store \"" + options_.path +
                           "\" is refused: it is a database of another program. Choose another "
                           "path.");
  EXPECT_EQ(query(options_.path, "SELECT name FROM sqlite_schema"),
            std::vector<std::string>{"songs"});
}

TEST_F(StoreFaults, SetsADamagedFileAside) {
  open();
  cursor();
  push(0, 100);
  close();
  damage(options_.path, 0, "This is not a database at all.");
  open();
  EXPECT_EQ(reason(State::kReplaced), "The store \"" + options_.path +
                                          "\" was damaged. It is kept as \"" + options_.path +
                                          ".damaged-1\"; 0 records of it are in the new one.");
  EXPECT_TRUE(fs::exists(options_.path + ".damaged-1"));
  cursor();
  push(100, 110);
  EXPECT_EQ(deliver_all(), numbers(100, 110));
  EXPECT_EQ(query(options_.path, "SELECT count(*) FROM records"), std::vector<std::string>{"10"});

  // Again and again, but not without a limit.
  for (int i = 2; i < 12; i++) {
    close();
    damage(options_.path, 0, "Again.");
    open();
    EXPECT_TRUE(writing());
  }
  EXPECT_TRUE(fs::exists(options_.path + ".damaged-9"));
  EXPECT_FALSE(fs::exists(options_.path + ".damaged-10"));
}

TEST_F(StoreFaults, ReadsOnWhenAPageBreaksInMidRun) {
  options_.cache = 0;
  open();
  cursor("slow");
  cursor("quick");
  push(0, 2000);
  EXPECT_EQ(deliver_all("quick"), numbers(0, 2000));
  EXPECT_EQ(deliver(100, 100, "slow"), numbers(0, 100));
  reopen();  // So that nothing of it is in the journal.
  cursor("slow");
  cursor("quick");
  const auto pages = fs::file_size(options_.path) / 4096;
  damage(options_.path, pages / 2 * 4096, std::string(4096, '\0'));
  damage(options_.path, (pages / 2 + 3) * 4096, std::string(4096, '\xff'));
  const Numbers rest = deliver_all("slow");
  EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end()));
  EXPECT_EQ(std::set<std::int64_t>(rest.begin(), rest.end()).size(), rest.size());
  EXPECT_GT(rest.size(), 900u);
  EXPECT_EQ(rest.front(), 100);
  EXPECT_EQ(rest.back(), 1999);
  EXPECT_EQ(rest.size() + cursor("slow").dropped(), 1900u);
  push(2000, 2010);
  EXPECT_EQ(deliver_all("slow"), numbers(2000, 2010));
  EXPECT_EQ(deliver_all("quick"), numbers(2000, 2010));
  EXPECT_EQ(cursor("quick").dropped(), 0u);
}

TEST_F(StoreFaults, TellsOfAReplacementBeforeItStoresWhatCame) {
  open();
  close();
  damage(options_.path, 0, "This is not a database at all.");
  std::promise<void> pushed;
  std::promise<std::uint64_t> unstored;
  store_ = std::make_shared<npc::sink::Store>(options_, [&](const npc::sink::StoreEvent &event) {
    if (event.state == State::kFailing)
      pushed.get_future().wait();
    else if (event.state == State::kReplaced)
      unstored.set_value(event.stats.unstored);
  });
  store_->push(numbered(0));
  pushed.set_value();
  EXPECT_EQ(unstored.get_future().get(), 1u);
  EXPECT_TRUE(store_->flush(seconds(60)));
}

// SQLite has no checksums: a text whose end was lost with the file's is whole to it.
TEST_F(StoreFaults, SetsAFileWithABrokenRecordAside) {
  options_.cache = 0;
  open();
  cursor("slow");
  cursor("quick");
  push(0, 1000);
  EXPECT_EQ(deliver_all("quick"), numbers(0, 1000));
  reopen();
  cursor("slow");
  cursor("quick");
  const std::string text = numbered(700).json;
  change(options_.path,
         "UPDATE records SET record = CAST(zeroblob(14) AS TEXT) WHERE record = '" + text + "'");
  Numbers whole = numbers(0, 1000);
  whole.erase(whole.begin() + 700);
  EXPECT_EQ(deliver_all("slow"), whole);
  EXPECT_EQ(reason(State::kFailing),
            "The store \"" + options_.path + "\" is damaged: record 701 in it cannot be read.");
  EXPECT_EQ(reason(State::kReplaced), "The store \"" + options_.path +
                                          "\" was damaged. It is kept as \"" + options_.path +
                                          ".damaged-1\"; 999 records of it are in the new one.");
  EXPECT_EQ(cursor("slow").dropped(), 1u);
  EXPECT_EQ(cursor("quick").dropped(), 0u);
  push(1000, 1010);
  EXPECT_EQ(deliver_all("slow"), numbers(1000, 1010));
  EXPECT_EQ(deliver_all("quick"), numbers(1000, 1010));
  EXPECT_TRUE(writing());
}

// Each cut of the file or its journal leaves the records before it, in order, and a store that
// works.
TEST_F(StoreFaults, SurvivesACutAnywhere) {
  open();
  cursor();
  push(0, 3000);
  deliver(500, 500);
  close();
  open();
  cursor();
  for (int i = 0; i < 60; i++)
    push(3000 + i * 5, 3005 + i * 5);
  ASSERT_TRUE(eventually([this] {
    return query(options_.path, "SELECT last FROM cursors") == std::vector<std::string>{"500"};
  }));
  const std::string whole = path("whole.db");
  for (const char *suffix : {"", "-wal"})
    fs::copy_file(options_.path + suffix, whole + suffix);
  close();

  std::mt19937 random(1);
  std::size_t least = 3000, kept = 0;
  for (int i = 0; i < 50; i++) {
    const std::string suffix = i % 2 == 0 ? "" : "-wal";
    options_.path = path("cut" + std::to_string(i) + ".db");
    for (const char *each : {"", "-wal"})
      fs::copy_file(whole + each, options_.path + each);
    const auto size = fs::file_size(options_.path + suffix);
    const auto offset = std::uniform_int_distribution<std::uintmax_t>(0, size - 1)(random);
    fs::resize_file(options_.path + suffix, offset);
    SCOPED_TRACE("cut" + suffix + " at " + std::to_string(offset) + " of " + std::to_string(size));
    open();
    ASSERT_TRUE(writing());
    cursor();
    const Numbers rest = deliver_all();
    EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end()));
    EXPECT_EQ(std::set<std::int64_t>(rest.begin(), rest.end()).size(), rest.size());
    if (!suffix.empty()) {
      EXPECT_EQ(rest, numbers(500, 500 + static_cast<std::int64_t>(rest.size())));
      least = std::min(least, rest.size());
    }
    kept += rest.size();
    push(5000, 5001);
    EXPECT_EQ(deliver_all(), numbers(5000, 5001));
    close();
  }
  EXPECT_GE(least, 2500u) << "a cut of the journal costs what is in the journal";
  EXPECT_GT(kept, 50u * 1500u);
}

// A record of that run.
Record made(int run, int number) {
  Record record = numbered(number);
  record.boot = std::to_string(run);
  record.json = "{\"run\":" + record.boot + ",\"seq\":" + std::to_string(number) + "}";
  return record;
}

bool complete_made(Record &record) {
  int run, number;
  if (std::sscanf(record.json.c_str(), "{\"run\":%d,\"seq\":%d}", &run, &number) != 2)
    return false;
  record = made(run, number);
  return true;
}

// Pushes and delivers until it is killed. What was pushed is said on `pushed`, what was delivered
// is in the file `delivered`.
[[noreturn]] void live(npc::sink::StoreOptions options, int run, int pushed,
                       const std::string &delivered) {
  auto store = std::make_shared<npc::sink::Store>(options, [](const npc::sink::StoreEvent &) {});
  npc::sink::Cursor cursor(store, "a", false);
  std::thread([&] {
    std::ofstream file(delivered, std::ios::app);
    for (;;) {
      const auto records = cursor.take(10, milliseconds(1), {});
      for (const Record &record : records)
        file << record.boot << ' ' << record.seq << '\n';
      file.flush();
      cursor.acknowledge(records.size(), {});
    }
  }).detach();
  for (int i = 0;; i++) {
    store->push(made(run, i));
    if (write(pushed, &i, sizeof(i)) != sizeof(i))
      _exit(1);
    if (i % 3 == 0)
      store->flush(seconds(60));
  }
}

TEST_F(StoreFaults, LosesNothingToAKill) {
  constexpr int kRuns = 20;
  const std::string delivered = path("delivered");
  options_.complete = complete_made;
  std::mt19937 random(std::random_device{}());
  std::vector<int> pushed(kRuns, -1);
  for (int run = 0; run < kRuns; run++) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      live(options_, run, ends[1], delivered);
    ::close(ends[1]);
    // Half of them come to life; the others may die at any moment.
    if (run % 2 == 0) {
      int number;
      ASSERT_EQ(read(ends[0], &number, sizeof(number)), ssize_t{sizeof(number)});
      pushed[static_cast<std::size_t>(run)] = number;
    }
    std::this_thread::sleep_for(milliseconds(std::uniform_int_distribution<int>(0, 60)(random)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    for (int number; read(ends[0], &number, sizeof(number)) == sizeof(number);)
      pushed[static_cast<std::size_t>(run)] = number;
    ::close(ends[0]);
  }
  open();
  EXPECT_TRUE(writing());
  EXPECT_TRUE(events().empty());
  std::map<int, std::set<std::int64_t>> arrived;
  std::size_t count = 0, different = 0;
  std::ifstream file(delivered);
  const auto arrive = [&](int run, std::int64_t seq) {
    count++;
    different += arrived[run].insert(seq).second;
  };
  for (std::int64_t run, seq; file >> run >> seq;)
    arrive(static_cast<int>(run), seq);
  while (cursor().pending() > 0) {
    const auto records = cursor().take(100, milliseconds(0), {});
    for (const Record &record : records)
      arrive(std::stoi(record.boot), record.seq);
    cursor().acknowledge(records.size(), {});
  }
  EXPECT_EQ(cursor().dropped(), 0u);
  for (int run = 0; run < kRuns; run++) {
    const auto &set = arrived[run];
    if (set.empty()) {
      EXPECT_EQ(pushed[static_cast<std::size_t>(run)], -1);
      continue;
    }
    EXPECT_EQ(set.size(), static_cast<std::size_t>(*set.rbegin() + 1)) << "a gap in run " << run;
    EXPECT_GE(*set.rbegin(), pushed[static_cast<std::size_t>(run)]) << "in run " << run;
  }
  EXPECT_GE(different, kRuns / 2u);
  // At most what was on its way at each kill, and what was not yet written of the cursor.
  EXPECT_LE(count - different, kRuns * 40u);
  RecordProperty("repeated", static_cast<int>(count - different));
}

}  // namespace
