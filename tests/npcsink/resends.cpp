// SPDX-License-Identifier: LGPL-2.1-or-later
// What is sent once more, to whom asks nicely and to whom does not.
#include "npcsink/resends.h"

#include <set>
#include <string>

#include "support/shelf.h"

namespace {

using npc::Range;
using npc::RecordRange;
using npc::sink::Record;
using npc::test::Numbers;
using npc::test::numbers;
using namespace std::chrono_literals;

class Resends : public npc::test::Shelf {
 protected:
  void SetUp() override {
    open();
    cursor();
    resends_.emplace(store_);
  }
  void TearDown() override { resends_.reset(); }

  static RecordRange door(std::uint64_t from, std::uint64_t to) {
    return {"home", "door", "5f0c", {from, to}};
  }
  // All that there is to answer, as fast as it goes.
  npc::sink::Resends::Answer take_all() {
    npc::sink::Resends::Answer all;
    for (auto part = take(); !part.empty(); part = take()) {
      std::ranges::move(part.records, std::back_inserter(all.records));
      std::ranges::move(part.gone, std::back_inserter(all.gone));
    }
    return all;
  }
  npc::sink::Resends::Answer take() { return resends_->take(now_ += 1s); }

  npc::sink::Resends::Time now_{100s};
  std::optional<npc::sink::Resends> resends_;
};

TEST_F(Resends, AnswersTheHighestNumbersFirst) {
  push(0, 600);
  deliver_all();
  resends_->ask(door(10, 409));
  Numbers sent = numbers_of(take_all().records);
  EXPECT_EQ(sent.front(), 409);
  std::ranges::reverse(sent);
  EXPECT_EQ(sent, numbers(10, 410));
  EXPECT_TRUE(take().empty()) << "once";
}

TEST_F(Resends, SendsNoMoreInASecondThanItSays) {
  push(0, 1000);
  resends_->ask(door(0, 999));
  EXPECT_EQ(take().records.size(), npc::sink::Resends::kRate);
  EXPECT_TRUE(resends_->take(now_).empty());
  EXPECT_EQ(resends_->take(now_ += 100ms).records.size(), npc::sink::Resends::kRate / 10);
}

TEST_F(Resends, SaysWhatIsGoneButNotOfWhatMayCome) {
  for (const auto &[from, to] : {std::pair(10, 20), std::pair(30, 40), std::pair(60, 70)})
    push(from, to);
  resends_->ask(door(5, 1000));
  const auto answer = take_all();
  EXPECT_EQ(answer.records.size(), 30u);
  EXPECT_EQ(answer.gone, std::vector{door(5, 9)}) << "a gateway may get the others";
  resends_->ask(door(70, 99));
  EXPECT_TRUE(take().empty());
  // Of a run that nobody remembers, all is.
  RecordRange other = door(3, 1u << 30);
  other.boot = "older";
  resends_->ask(other);
  EXPECT_EQ(take_all().gone, std::vector{other});
}

TEST_F(Resends, AHoleAtTheEndOfOneReadIsNoneOfTheNext) {
  push(0, 50);
  push(60, 250);
  resends_->ask(door(0, 249));
  const auto answer = take_all();
  EXPECT_EQ(answer.records.size(), 240u);
  EXPECT_TRUE(answer.gone.empty());
}

TEST_F(Resends, WorksTheSameInMemory) {
  resends_.reset();
  close();
  options_.path.clear();
  open();
  cursor();
  resends_.emplace(store_);
  push(0, 1000);
  deliver_all();
  push(1000, 1001);
  deliver_all();
  resends_->ask(door(0, 1000));
  const auto answer = take_all();
  EXPECT_EQ(answer.records.front().seq, 1000);
  ASSERT_EQ(answer.gone.size(), 1u);
  EXPECT_EQ(answer.gone[0].range.size() + answer.records.size(), 1001u);
}

// Each has its turn, and there are no more than fit.
TEST_F(Resends, AFloodOfRequestsIsRefusedAndSaidOnce) {
  push(0, 1000);
  for (int i = 0; i < 10000; i++) {
    RecordRange made_up = door(0, 1u << 20);
    made_up.boot = "b" + std::to_string(i);
    resends_->ask(made_up);
  }
  EXPECT_EQ(resends_->stats().refused, 10000u - npc::sink::Resends::kMostSeries);
  ASSERT_TRUE(resends_->take_complaint());
  EXPECT_FALSE(resends_->take_complaint());
  EXPECT_EQ(take_all().gone.size(), npc::sink::Resends::kMostSeries);

  for (std::uint64_t i = 0; i < 500; i++)
    resends_->ask(door(2 * i, 2 * i));
  EXPECT_EQ(resends_->stats().refused,
            10000u - npc::sink::Resends::kMostSeries + 500 - npc::sink::Resends::kMostRanges);
  RecordRange other = door(0, 9);
  other.boot = "other";
  resends_->ask(other);
  const auto first = take();
  EXPECT_EQ(first.gone, std::vector{other});
  EXPECT_EQ(first.records.size() + take_all().records.size(), npc::sink::Resends::kMostRanges);
}

// Nothing is said to be gone while it may be elsewhere.
TEST_F(Resends, WaitsForAStoreThatCannotBeRead) {
  push(0, 10);
  std::filesystem::rename(options_.path, options_.path + ".away");
  std::filesystem::create_directory(options_.path);
  store_->push(npc::test::numbered(10));
  ASSERT_TRUE(said(State::kFailing));
  resends_->ask(door(0, 10));
  EXPECT_TRUE(take().empty());
  std::filesystem::remove(options_.path);
  std::filesystem::rename(options_.path + ".away", options_.path);
  ASSERT_TRUE(writing());
  EXPECT_EQ(take_all().records.size(), 11u);
}

}  // namespace
