// SPDX-License-Identifier: LGPL-2.1-or-later
// What a crash journal keeps over the end of its process, and what it refuses.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "npcsink/store/crashjournal.h"

namespace {

namespace fs = std::filesystem;
using Lines = std::deque<std::string>;

class CrashJournal : public testing::Test {
 protected:
  CrashJournal() {
    std::string name = "/dev/shm/npcjournal-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~CrashJournal() override {
    journal_.reset();
    fs::remove_all(folder_);
  }

  // What the last one has left, but for lines of nonsense.
  Lines open(const std::string &store = "/counts.db") {
    journal_.reset();
    journal_ = std::make_unique<npc::sink::CrashJournal>(folder_, store);
    Lines lines;
    journal_->recover([&lines](std::string line) {
      const bool good = line.starts_with("{");
      if (good)
        lines.push_back(std::move(line));
      return good;
    });
    return lines;
  }

  std::string why_not(const std::string &store = "/counts.db") {
    try {
      npc::sink::CrashJournal journal(folder_, store);
      journal.recover([](const std::string &) { return true; });
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return {};
  }

  std::vector<fs::path> files() const {
    return {fs::directory_iterator(folder_), fs::directory_iterator()};
  }

  std::string folder_;
  std::unique_ptr<npc::sink::CrashJournal> journal_;
};

TEST_F(CrashJournal, KeepsWhatWasNotRemoved) {
  EXPECT_TRUE(rc::check([this] {
    journal_.reset();
    RC_ASSERT((open(), journal_->remove(1000), open()).empty());
    Lines expected;
    int made = 0;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 10));
    for (const int step : steps) {
      if (step < 5) {
        // Some are as long as pages are.
        expected.push_back("{" + std::to_string(made++) +
                           std::string(*rc::gen::element<std::size_t>(0, 500, 5000), 'x'));
        journal_->add(expected.back());
      } else if (step < 7) {
        const auto before = *rc::gen::inRange<std::size_t>(0, expected.size() + 1);
        journal_->remove_behind(before);
        if (before < expected.size())
          expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(before));
      } else if (step < 9) {
        const auto count = *rc::gen::inRange<std::size_t>(0, expected.size() + 1);
        journal_->remove(count);
        expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count));
      } else {
        RC_ASSERT(open() == expected);
      }
    }
    RC_ASSERT(open() == expected);
  }));
}

TEST_F(CrashJournal, IsGoneOnceAllIsStored) {
  open();
  journal_->add("{1");
  ASSERT_EQ(files().size(), 1u);
  EXPECT_EQ(fs::status(files()[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  journal_.reset();
  EXPECT_EQ(files().size(), 1u);
  EXPECT_EQ(open(), Lines{"{1"});
  journal_->remove(1);
  journal_.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(CrashJournal, TakesNoMoreMemoryThanWhatWaits) {
  open();
  const std::string line = "{" + std::string(500, 'x');
  for (int i = 0; i < 20; i++)
    journal_->add(line);
  for (int i = 0; i < 50000; i++) {
    journal_->add(line);
    journal_->remove(1);
  }
  struct stat status = {};
  ASSERT_EQ(stat(files()[0].c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 256 << 10);
  EXPECT_EQ(open(), Lines(20, line));
}

TEST_F(CrashJournal, SkipsWhatAKillHasCutShort) {
  open();
  journal_->add("{1");
  journal_->add("nonsense");
  journal_->add("{2");
  journal_.reset();
  std::ofstream(files()[0], std::ios::app) << "{3 without an end";
  EXPECT_EQ(open(), (Lines{"{1", "{2"}));
  journal_->remove(1);
  journal_->add("{4");
  EXPECT_EQ(open(), (Lines{"{2", "{4"}));
}

TEST_F(CrashJournal, IsOfOneStoreAndOneProcess) {
  open("/a.db");
  EXPECT_EQ(why_not("/b.db"), "");
  EXPECT_NE(why_not("/a.db").find("another process uses it"), std::string::npos);
  journal_->add("{1");
  const fs::path file = files()[0];
  journal_.reset();
  // Two stores of one name are as rare as a collision of its hash.
  for (const char head : {'X', '\0'}) {
    std::fstream(file, std::ios::in | std::ios::out) << head;
    EXPECT_NE(why_not("/a.db").find("of another store"), std::string::npos);
  }
  fs::resize_file(file, 0);
  EXPECT_EQ(open("/a.db"), Lines());
}

TEST_F(CrashJournal, OutlivesWhoeverClearsItsFolder) {
  open();
  journal_->add("{1");
  fs::remove(files()[0]);
  journal_->remove(1);
  journal_->add("{2");
  EXPECT_EQ(open(), Lines{"{2"});
  // Nor does one that ends take another's file away.
  fs::remove(files()[0]);
  std::ofstream(folder_ + "/elsewhere") << "x";
  journal_->remove(1);
  journal_.reset();
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(CrashJournal, ExpiresWithItsStore) {
  using std::chrono::hours;
  const auto made = [this](const std::string &name, const std::string &line) {
    open(folder_ + "/" + name);
    if (!line.empty())
      journal_->add(line);
    journal_.reset();
    const auto all = files();
    return *std::find_if(all.begin(), all.end(), [&](const fs::path &file) {
      std::ifstream head(file);
      std::string first;
      std::getline(head, first);
      return first.ends_with("/" + name);
    });
  };
  const auto age = [](const fs::path &file, time_t seconds) {
    const timespec then = {time(nullptr) - seconds, 0}, both[] = {then, then};
    ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), both, 0), 0);
  };
  const auto expire = [this](hours uptime) {
    return npc::sink::CrashJournal::expire(folder_, hours(24), uptime);
  };
  const fs::path journal = made("gone/counts.db", "{1");
  EXPECT_TRUE(expire(hours(1000)).empty());
  EXPECT_TRUE(fs::exists(journal)) << "somebody may come back";

  age(journal, 100 * 3600);
  EXPECT_TRUE(expire(hours(50)).empty()) << "the clock jumped since then";
  EXPECT_TRUE(fs::exists(journal));
  EXPECT_TRUE(expire(hours(1000)).empty()) << "and the time begins anew";
  EXPECT_TRUE(fs::exists(journal));

  age(journal, 100 * 3600);
  open(folder_ + "/gone/counts.db");
  EXPECT_TRUE(expire(hours(1000)).empty()) << "it is in use";
  journal_.reset();
  fs::create_directory(folder_ + "/gone");
  std::ofstream(folder_ + "/gone/counts.db").flush();
  EXPECT_TRUE(expire(hours(1000)).empty()) << "its store is there";
  EXPECT_TRUE(fs::exists(journal));
  fs::remove_all(folder_ + "/gone");

  const fs::path strange = folder_ + "/npcsink-strange";
  std::ofstream(strange) << "What is not yet in the store of npcsink /gone\n";
  age(strange, 100 * 3600);
  EXPECT_EQ(
      expire(hours(1000)),
      std::vector<std::string>{"Records that waited for the store \"" + folder_ +
                               "/gone/counts.db\", which is gone, were given up: \"" +
                               journal.string() + "\" had them, and nobody used it any more."});
  EXPECT_FALSE(fs::exists(journal));
  EXPECT_TRUE(fs::exists(strange)) << "it is none of ours";
}

TEST_F(CrashJournal, IsNeverWithoutAName) {
  std::atomic<bool> done = false;
  std::thread other([&] {
    while (!done)
      why_not();
  });
  for (int i = 0; i < 5000; i++) {
    try {
      npc::sink::CrashJournal mine(folder_, "/counts.db");
      mine.recover([](const std::string &) { return false; });
      ASSERT_EQ(files().size(), 1u);
    } catch (const std::runtime_error &) {
    }
  }
  done = true;
  other.join();
}

TEST_F(CrashJournal, TakesNoFileThatIsNotOfThisUser) {
  open();
  journal_->add("{1");
  const fs::path file = files()[0];
  journal_.reset();
  fs::create_hard_link(file, folder_ + "/other");
  EXPECT_NE(why_not().find("not a file of this user"), std::string::npos);
  fs::remove(file);
  fs::create_symlink(folder_ + "/other", file);
  EXPECT_NE(why_not().find("cannot be used"), std::string::npos);
  fs::remove(file);
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  EXPECT_NE(why_not().find("not a file of this user"), std::string::npos);
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_NE(why_not().find("cannot be used"), std::string::npos);
  EXPECT_NE(why_not().find(file), std::string::npos) << "it says which file";
}

TEST_F(CrashJournal, GoesOnWithoutMemory) {
  const std::string small = folder_ + "/small";
  fs::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "only root may mount a small disk";
  const std::string all = std::exchange(folder_, small);
  open();
  const std::string line = "{" + std::string(1000, 'x');
  for (int i = 0; i < 100; i++)
    journal_->add(line + std::to_string(i));
  EXPECT_FALSE(journal_->whole());
  const auto kept = open();
  EXPECT_GT(kept.size(), 20u);
  EXPECT_LT(kept.size(), 64u);
  EXPECT_EQ(kept.back(), line + std::to_string(kept.size() - 1));
  // With room again it keeps what comes.
  journal_->remove(kept.size());
  journal_->add("{last");
  EXPECT_TRUE(journal_->whole());
  EXPECT_EQ(open(), Lines{"{last"});
  journal_.reset();
  folder_ = all;
  umount(small.c_str());
}

}  // namespace
