// SPDX-License-Identifier: LGPL-2.1-or-later
// Coverage against a set of all records.
#include "npcsrc/core/coverage.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "npcsrc/core/coveragefile.h"

namespace npc::source {
namespace {

namespace fs = std::filesystem;

const Series kDoor{"home", "door", "5f0c"};

Series series(int number) {
  return {"home", "camera" + std::to_string(number / 2), "boot" + std::to_string(number % 2)};
}

// What a coverage should say, kept one by one.
struct Model {
  std::set<RecordId> stored, given_up;

  std::uint64_t add(const Series &of, Range range) {
    std::uint64_t fresh = 0;
    for (std::uint64_t seq = range.from; seq <= range.to; seq++) {
      fresh += stored.insert({of, seq}).second ? 1 : 0;
      given_up.erase({of, seq});
    }
    return fresh;
  }

  void give_up(const Gap &gap) {
    for (std::uint64_t seq = gap.range.from; seq <= gap.range.to; seq++)
      given_up.insert({gap.series, seq});
  }

  // The missing records of a series, the highest first.
  std::vector<std::uint64_t> missing(const Series &of) const {
    std::vector<std::uint64_t> seqs, known;
    for (const RecordId &id : stored)
      if (id.series == of)
        known.push_back(id.seq);
    for (std::uint64_t seq = known.empty() ? 0 : known.back();
         !known.empty() && seq > known.front(); seq--)
      if (!stored.contains({of, seq}) && !given_up.contains({of, seq}))
        seqs.push_back(seq);
    return seqs;
  }
};

void expect_same(const Coverage &coverage, const Model &model) {
  std::uint64_t total = 0;
  const auto gaps = coverage.gaps(SIZE_MAX);
  for (int number = 0; number < 6; number++) {
    for (std::uint64_t seq = 0; seq < 70; seq++) {
      const RecordId id{series(number), seq};
      RC_ASSERT(coverage.contains(id) == model.stored.contains(id));
    }
    std::vector<std::uint64_t> missing;
    for (const Gap &gap : gaps)
      for (std::uint64_t seq = gap.range.to + 1;
           gap.series == series(number) && seq > gap.range.from;)
        missing.push_back(--seq);
    RC_ASSERT(missing == model.missing(series(number)));
    total += missing.size();
  }
  RC_ASSERT(coverage.missing().records == total);
  RC_ASSERT(coverage.missing().gaps == gaps.size());

  const Gap any{series(*rc::gen::inRange(0, 6)), {*rc::gen::inRange<std::uint64_t>(0, 40), 50}};
  std::vector<std::uint64_t> named;
  for (const Gap &gap : coverage.missing_of(any))
    for (std::uint64_t seq = gap.range.from; seq <= gap.range.to; seq++)
      named.insert(named.begin(), seq);
  std::vector<std::uint64_t> expected = model.missing(any.series);
  std::erase_if(expected, [&](std::uint64_t seq) { return seq < any.range.from || seq > 50; });
  RC_ASSERT(named == expected);
}

RC_GTEST_PROP(Coverage, IsWhatASetOfAllRecordsWouldSay, ()) {
  Coverage coverage;
  Model model;
  const int steps = *rc::gen::inRange(0, 60);
  for (int step = 0; step < steps; step++) {
    const Series of = series(*rc::gen::inRange(0, 6));
    const auto from = *rc::gen::inRange<std::uint64_t>(0, 60);
    const Range range{from, from + *rc::gen::inRange<std::uint64_t>(0, 8)};
    const auto gaps = coverage.gaps(SIZE_MAX);
    if (!gaps.empty() && *rc::gen::inRange(0, 4) == 0) {
      const Gap &gap = gaps[*rc::gen::inRange<std::size_t>(0, gaps.size())];
      coverage.give_up(gap);
      model.give_up(gap);
    } else {
      RC_ASSERT(coverage.add(of, range) == model.add(of, range));
    }
  }
  expect_same(coverage, model);
  // And so does what is read again.
  const auto read = read_coverage(write_coverage(coverage));
  RC_ASSERT(read.has_value());
  expect_same(*read, model);
  RC_ASSERT(write_coverage(*read) == write_coverage(coverage));
}

RC_GTEST_PROP(Coverage, DamageIsFoundOrChangesNothing, ()) {
  Coverage coverage;
  for (int i = 0; i < 5; i++)
    coverage.add(series(i), {static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(9 * i)});
  const std::string text = write_coverage(coverage);
  const std::string cut = text.substr(0, *rc::gen::inRange<std::size_t>(0, text.size()));
  RC_ASSERT(!read_coverage(cut));
  std::string changed = text;
  changed[*rc::gen::inRange<std::size_t>(0, text.size())] = *rc::gen::arbitrary<char>();
  // A digit or a letter that became another one cannot be seen; that nothing crashes can.
  if (const auto read = read_coverage(changed))
    RC_ASSERT(read->series().size() <= 5u);
}

TEST(Coverage, ListsTheNewestGapsFirst) {
  Coverage coverage;
  const Series later{"home", "door", "6000"};
  for (const std::uint64_t seq : {0, 2, 5})
    coverage.add(kDoor, {seq, seq});
  for (const std::uint64_t seq : {10, 12})
    coverage.add(later, {seq, seq});
  const std::vector<Gap> gaps{{later, {11, 11}}, {kDoor, {3, 4}}, {kDoor, {1, 1}}};
  EXPECT_EQ(coverage.gaps(10), gaps);
  EXPECT_EQ(coverage.gaps(2).size(), 2u);
  EXPECT_EQ(coverage.missing().gaps, 3u);
  EXPECT_EQ(coverage.missing().records, 4u);
}

TEST(Coverage, WhatWasGivenUpIsNewWhenItComesAfterAll) {
  Coverage coverage;
  coverage.add(kDoor, {0, 0});
  coverage.add(kDoor, {5, 5});
  coverage.give_up({kDoor, {1, 4}});
  EXPECT_TRUE(coverage.gaps(10).empty());
  EXPECT_FALSE(coverage.contains({kDoor, 3}));
  EXPECT_EQ(coverage.add(kDoor, {3, 3}), 1u);
  EXPECT_TRUE(coverage.contains({kDoor, 3}));
  EXPECT_TRUE(coverage.gaps(10).empty());
}

TEST(Coverage, TakesTheLargestNumber) {
  Coverage coverage;
  constexpr std::uint64_t kLast = INT64_MAX;
  EXPECT_EQ(coverage.add(kDoor, {kLast, kLast}), 1u);
  EXPECT_EQ(coverage.add(kDoor, {0, 0}), 1u);
  EXPECT_EQ(coverage.missing().records, kLast - 1);
  EXPECT_TRUE(read_coverage(write_coverage(coverage)));
}

// A hostile sender may make all of this up. What is forgotten is never taken for stored.
TEST(Coverage, IsBounded) {
  Coverage coverage(Coverage::Limits{.senders = 10, .boots = 3, .ranges = 4});
  for (int camera = 0; camera < 100; camera++)
    for (int boot = 0; boot < 10; boot++)
      for (std::uint64_t seq = 0; seq < 100; seq += 2)
        coverage.add({"home", std::to_string(camera), std::to_string(boot)}, {seq, seq});
  EXPECT_EQ(coverage.series().size(), 30u);
  for (const Coverage::Entry &entry : coverage.series())
    EXPECT_EQ(entry.stored.list().size(), 4u);
  EXPECT_TRUE(coverage.contains({{"home", "99", "9"}, 98}));
  EXPECT_FALSE(coverage.contains({{"home", "99", "9"}, 90}));
  EXPECT_FALSE(coverage.contains({{"home", "0", "9"}, 98}));
  coverage.add({"home", "90", "9"}, {100, 100});
  coverage.add({"home", "new", "0"}, {0, 0});
  EXPECT_TRUE(coverage.contains({{"home", "90", "9"}, 100})) << "it was not silent for longest";
}

class CoverageFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "npc-coverage-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "coverage";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string read(const fs::path &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  Coverage load() {
    Coverage coverage;
    coverage.add(kDoor, {100, 101});
    const Status loaded = load_coverage(path_, coverage);
    error_ = loaded.error();
    return coverage;
  }
  bool save(const fs::path &path, const Coverage &coverage) {
    const Status saved = save_coverage(path, coverage);
    error_ = saved.error();
    return saved.is_ok();
  }

  fs::path folder_, path_;
  std::string error_;
};

TEST_F(CoverageFile, KeepsACoverage) {
  EXPECT_TRUE(load().series().empty());
  EXPECT_EQ(error_, "");
  Coverage coverage;
  coverage.add(kDoor, {0, 2});
  coverage.add(kDoor, {5, 9});
  coverage.add(kDoor, {12, 12});
  coverage.give_up({kDoor, {3, 4}});
  ASSERT_TRUE(save(path_, coverage)) << error_;
  EXPECT_EQ(read(path_), "npc-coverage 1\nhome door 5f0c 0-2 5-9 12-12 !3-4\nend 1\n");
  EXPECT_EQ(load().gaps(5), coverage.gaps(5));
  EXPECT_EQ(error_, "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(CoverageFile, WhatIsNoneIsSetAsideWithASentence) {
  const std::string good = "npc-coverage 1\nhome door 5f0c 0-2\nend 1\n";
  EXPECT_TRUE(read_coverage(good));
  const std::string texts[] = {"",
                               "x",
                               "npc-coverage 1\n",
                               "npc-coverage 2\nend 0\n",
                               good.substr(0, good.size() - 1),
                               good + "x",
                               "npc-coverage 1\nend 1\n",
                               "npc-coverage 1\nhome door 0-2\nend 1\n",
                               "npc-coverage 1\nhome front door 5f0c 0-2\nend 1\n",
                               "npc-coverage 1\nhome door 5f0c 2-0\nend 1\n",
                               "npc-coverage 1\nhome door 5f0c 0-9223372036854775808\nend 1\n",
                               "npc-coverage 1\nhome door 5f0c -1-2\nend 1\n",
                               std::string("\xff\xfe\0x", 4)};
  for (const std::string &text : texts) {
    std::ofstream(path_) << text;
    EXPECT_TRUE(load().series().empty()) << text;
    EXPECT_EQ(error_, "The state file " + path_.string() +
                          " is broken, or not a file of npcsrc's. Records that come twice are "
                          "handed on twice until they are known again; the file was renamed to " +
                          path_.string() + ".bad.");
    EXPECT_EQ(read(path_.string() + ".bad"), text) << "nothing of it is lost";
  }
}

TEST_F(CoverageFile, WhereNothingCanBeWrittenIsASentence) {
  EXPECT_FALSE(save(folder_ / "none" / "coverage", {}));
  EXPECT_EQ(error_, "The state file " + folder_.string() +
                        "/none/coverage cannot be written: No such file or directory. Records that "
                        "come twice are handed on twice after a restart. Set state-file to a path "
                        "that can be written to.");
  fs::create_directory(path_);
  EXPECT_FALSE(save(path_, {}));
  EXPECT_TRUE(load().series().empty());
  EXPECT_NE(error_.find("is a folder or a device"), std::string::npos) << error_;
}

}  // namespace
}  // namespace npc::source
