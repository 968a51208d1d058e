// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that keeps totals, and what may be wrong with it.
#include "npccount/core/totalsfile.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/walk.h"

using namespace npc::count;

namespace npc::count {
namespace {

namespace fs = std::filesystem;

class StateFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "npc-totals-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "state.json";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string &text) const { std::ofstream(path_) << text; }
  static std::string read(const fs::path &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  bool save(const fs::path &path, const Totals &totals) {
    const Status saved = save_totals(path, totals);
    fault_ = saved.error();
    return saved.is_ok();
  }
  Totals load(const fs::path &path) {
    Totals totals = {{"old", {1, 1}}};
    const Status loaded = load_totals(path, totals);
    fault_ = loaded.error();
    return totals;
  }
  std::optional<Totals> load(TotalsFile &file) {
    std::optional<Totals> totals;
    const Status loaded = file.load(path_, totals);
    EXPECT_TRUE(loaded.is_ok()) << loaded.error();
    return totals;
  }

  fs::path folder_, path_;
  std::string fault_;
};

TEST_F(StateFile, KeepsTotals) {
  const Totals totals = {{"door", {12, 5}}, {"exit-2", {0, INT64_MAX}}};
  EXPECT_TRUE(save(path_, totals)) << fault_;
  EXPECT_EQ(load(path_), totals);
  EXPECT_EQ(fault_, "");
  const Totals later = {{"door", {13, 5}}};
  EXPECT_TRUE(save(path_, later)) << fault_;
  EXPECT_EQ(load(path_), later);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1)
      << "nothing else stays behind";
}

TEST_F(StateFile, IsNotNeeded) {
  EXPECT_TRUE(load(path_).empty());
  EXPECT_EQ(fault_, "");
}

TEST_F(StateFile, WhatIsNoneIsSetAside) {
  const std::string good =
      R"({"format":"npc-totals","version":1,"lines":{"door":{"in":1,"out":2}}})";
  write(good);
  EXPECT_EQ(load(path_).size(), 1u) << fault_;
  std::string texts[] = {
      "",
      "{",
      "null",
      "[1,2]",
      std::string(200000, '['),
      good.substr(0, 40),
      good + "x",
      R"({"format":"other","version":1,"lines":{}})",
      R"({"format":"npc-totals","version":2,"lines":{}})",
      R"({"format":"npc-totals","version":1,"lines":[]})",
      R"({"format":"npc-totals","version":1})",
      R"({"format":"npc-totals","version":1,"lines":{"door":{"in":-1,"out":2}}})",
      R"({"format":"npc-totals","version":1,"lines":{"door":{"in":1.5,"out":2}}})",
      R"({"format":"npc-totals","version":1,"lines":{"door":{"in":9223372036854775808,"out":2}}})",
      R"({"format":"npc-totals","version":1,"lines":{"door":{"in":1}}})",
      R"({"format":"npc-totals","version":1,"lines":{"front door":{"in":1,"out":2}}})",
      std::string("\xff\xfe\0x", 4)};
  for (const std::string &text : texts) {
    write(text);
    EXPECT_TRUE(load(path_).empty()) << text.substr(0, 80);
    EXPECT_EQ(fault_, "The state file " + path_.string() +
                          " is broken, or not a file of npccount's. Totals begin at 0; the file "
                          "was renamed to " +
                          path_.string() + ".bad.");
    EXPECT_FALSE(fs::exists(path_));
    EXPECT_EQ(read(path_.string() + ".bad"), text) << "nothing of it is lost";
  }
  write(std::string(300000, ' ') + good);
  EXPECT_TRUE(load(path_).empty());
  EXPECT_NE(fault_.find("is too large to be one"), std::string::npos) << fault_;
}

TEST_F(StateFile, WhatIsNoPlainFileIsLeftAlone) {
  fs::create_directory(path_);
  EXPECT_TRUE(load(path_).empty());
  EXPECT_NE(fault_.find("is a folder or a device"), std::string::npos) << fault_;
  EXPECT_TRUE(fs::is_directory(path_));
  EXPECT_FALSE(save(path_, {}));
  EXPECT_NE(fault_.find("cannot be written: "), std::string::npos) << fault_;
  fs::remove(path_);
  // Opening it must not wait for a writer.
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_TRUE(load(path_).empty());
  EXPECT_NE(fault_.find("is a folder or a device"), std::string::npos) << fault_;
}

// To replace a pipe, or as root /dev/null, by a file would break it for all who use it.
TEST_F(StateFile, WhatIsNoPlainFileIsNotReplaced) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(save(path_, {{"door", {1, 2}}}));
  EXPECT_NE(fault_.find("state-file"), std::string::npos) << fault_;
  EXPECT_TRUE(fs::is_fifo(path_));
  EXPECT_FALSE(fs::exists(path_.string() + ".new"));
}

// The totals are written by the thread that counts: a pipe without a reader must not hold it up.
TEST_F(StateFile, IsNotHeldUpByWhatIsInItsWay) {
  const std::string fresh = path_.string() + ".new";
  const std::string sentence = "The state file " + path_.string() + " cannot be written: " + fresh +
                               " is in the way: it is no plain file. Counting goes on; the totals "
                               "are lost when the process ends. "
                               "Remove it, or set state-file to another path.";
  ASSERT_EQ(mkfifo(fresh.c_str(), 0600), 0);
  alarm(20);
  EXPECT_FALSE(save(path_, {{"door", {1, 2}}}));
  alarm(0);
  EXPECT_EQ(fault_, sentence);
  EXPECT_TRUE(fs::is_fifo(fresh));
  fs::remove(fresh);
  // What a link leads to is not ours to overwrite.
  write("mine");
  fs::rename(path_, folder_ / "other");
  fs::create_symlink(folder_ / "other", fresh);
  EXPECT_FALSE(save(path_, {{"door", {1, 2}}}));
  EXPECT_EQ(fault_, sentence);
  EXPECT_EQ(read(folder_ / "other"), "mine");
  fs::remove(fresh);
  // One that a power cut left is.
  std::ofstream(fresh) << std::string(1000, 'x');
  EXPECT_TRUE(save(path_, {{"door", {1, 2}}})) << fault_;
  EXPECT_EQ(load(path_).size(), 1u) << fault_;
}

TEST_F(StateFile, WhereNothingCanBeWrittenIsASentence) {
  EXPECT_FALSE(save(folder_ / "none" / "state.json", {}));
  EXPECT_EQ(fault_, "The state file " + folder_.string() +
                        "/none/state.json cannot be written: No such file or directory. Counting "
                        "goes on; the totals are lost when the process ends. Set state-file to a "
                        "path that can be written to.");
}

TEST_F(StateFile, IsReadOnceAndWrittenWhenTotalsChanged) {
  TotalsFile file;
  EXPECT_EQ(load(file), Totals());
  EXPECT_FALSE(file.save(path_, {{"door", {1, 0}}}));
  EXPECT_FALSE(fs::exists(path_)) << "nothing has changed";
  file.note_change();
  EXPECT_FALSE(file.save(path_, {{"door", {1, 0}}}));
  EXPECT_EQ(load(path_), (Totals{{"door", {1, 0}}}));
  EXPECT_FALSE(load(file)) << "what was counted since is newer";
  TotalsFile next;
  EXPECT_EQ(load(next), (Totals{{"door", {1, 0}}}));
}

TEST_F(StateFile, IsTriedAgainAndComplainedOfOnce) {
  TotalsFile file;
  const fs::path nowhere = folder_ / "nowhere" / "state.json";
  file.note_change();
  auto failure = file.save(nowhere, {{"door", {1, 0}}});
  ASSERT_TRUE(failure);
  EXPECT_TRUE(failure->warn);
  EXPECT_NE(failure->error, "");
  file.note_change();
  failure = file.save(nowhere, {{"door", {2, 0}}});
  ASSERT_TRUE(failure);
  EXPECT_FALSE(failure->warn);
  fs::create_directory(nowhere.parent_path());
  EXPECT_FALSE(file.save(nowhere, {{"door", {2, 0}}}));
  EXPECT_EQ(load(nowhere), (Totals{{"door", {2, 0}}}));
  // One that comes and goes is no news within a minute.
  fs::remove_all(nowhere.parent_path());
  file.note_change();
  failure = file.save(nowhere, {{"door", {3, 0}}});
  ASSERT_TRUE(failure);
  EXPECT_FALSE(failure->warn);
}

TEST(RuleTotals, OutliveTheirLines) {
  Rules rules;
  LineDefinition other = middle();
  other.name = "other";
  rules.define({{middle()}, {}});
  for (const Step &step : straight({220, 300}, {420, 300}, 80, 100ms)) {
    const Track track = track_at(1, step);
    rules.update(step.time, {&track, 1}, kPicture);
  }
  EXPECT_EQ(rules.totals().at("line"), (LineTotals{1, 0}));
  // Moved: it keeps its name, so its totals and its window.
  LineDefinition moved = middle();
  moved.x1 = moved.x2 = 0.4;
  rules.define({{other, moved}, {}});
  const RuleCounts counts = rules.close();
  ASSERT_EQ(counts.lines.size(), 2u);
  EXPECT_EQ(counts.lines[0].name, "other");
  EXPECT_EQ(counts.lines[1].in, 1u);
  EXPECT_EQ(counts.lines[1].totals, (LineTotals{1, 0}));
  // Gone for a while.
  rules.define({{other}, {}});
  rules.define({{other, middle()}, {}});
  EXPECT_EQ(rules.close().lines[1].totals, (LineTotals{1, 0}));
  rules.reset_totals("other");
  EXPECT_EQ(rules.totals().at("line"), (LineTotals{1, 0}));
  rules.reset_totals("");
  EXPECT_EQ(rules.totals().at("line"), (LineTotals{0, 0}));
}

TEST(RuleTotals, AreBounded) {
  Rules rules;
  for (int i = 0; i < 2000; i++) {
    LineDefinition one = middle();
    one.name = "line" + std::to_string(i);
    rules.define({{one}, {}});
    EXPECT_TRUE(rules.totals().contains(one.name));
  }
  EXPECT_LE(rules.totals().size(), kMostTotals);
}

}  // namespace
}  // namespace npc::count
