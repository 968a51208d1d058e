// SPDX-License-Identifier: LGPL-2.1-or-later
// The backlog against a model of the file, the journal and the updaters around it.
#include "npcsink/store/backlog.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "support/backlogmodel.h"

namespace {

using npc::sink::Backlog;
using npc::test::BacklogModel;
using npc::test::kLimits;
using npc::test::record;

TEST(Backlog, HandsOutEachRecordOnceOrCountsItAsDropped) {
  EXPECT_TRUE(rc::check([] {
    BacklogModel model(*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::inRange(0, 30),
                       *rc::gen::inRange(0, 25));
    const bool early = *rc::gen::arbitrary<bool>();
    if (early)
      model.begin_readers();
    if (*rc::gen::arbitrary<bool>())
      model.open();
    if (!early)
      model.begin_readers();
    const auto steps =
        *rc::gen::scale(4, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 24)));
    for (const int step : steps) {
      if (step < 8)
        model.push();
      else if (step < 13)
        model.write();
      else if (step < 16)
        model.take(model.some_reader(), static_cast<std::size_t>(model.roll(9)) + 1);
      else if (step < 19)
        model.acknowledge(model.some_reader(), static_cast<std::size_t>(model.roll(9)));
      else if (step < 20)
        model.close();
      else if (step < 22)
        model.open();
      else if (step < 23)
        model.replace(model.some_reader());
      else
        model.replace_file();
    }
    model.finish();
  }));
}

// Writes all that waits.
void write(Backlog &backlog, Backlog::Time now = {}) {
  const Backlog::Batch batch = backlog.begin_write(now);
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < batch.fresh.size(); i++)
    ids.push_back(backlog.next_id() + static_cast<std::int64_t>(i));
  (void)backlog.stored(batch, ids, now);
}

TEST(Backlog, RemembersWhatWasLostBeforeTheFileWasFound) {
  Backlog backlog(kLimits);
  const auto cursor = backlog.add_cursor("a", false, {});
  for (int number = 0; number < 15; number++)
    (void)backlog.push(record(number));
  (void)backlog.begin_write({});
  for (int number = 15; number < 25; number++)
    (void)backlog.push(record(number));
  const auto lost = backlog.counts().lost;
  ASSERT_GT(lost, 0u);
  // What it takes from memory comes after a gap.
  const auto taken = backlog.take(cursor, 3);
  ASSERT_EQ(taken.size(), 3u);
  backlog.acknowledge(cursor, 3, {}, {});
  EXPECT_EQ(backlog.dropped(cursor), lost);
  backlog.open({1, 100, {{"a", 90}}, false});
  EXPECT_EQ(backlog.dropped(cursor), lost);
  EXPECT_EQ(backlog.pending(cursor), 25 - 3 - lost + 10);
}

TEST(Backlog, ReadsAgainWhatHasOtherIdsByNow) {
  Backlog backlog(kLimits);
  backlog.open({1, 5, {{"a", 0}}, false});
  const auto cursor = backlog.add_cursor("a", false, {});
  const auto range = backlog.file_range(cursor);
  EXPECT_EQ(range.after, 0);
  EXPECT_EQ(range.end, 5);
  backlog.begin_read(cursor, {1, 2});
  backlog.close();
  backlog.open({11, 15, {{"a", 10}}, true});
  EXPECT_FALSE(backlog.finish_read(cursor, range, {{1, record(0)}, {2, record(1)}}, 2));
  EXPECT_FALSE(backlog.acknowledge(cursor, 2, {}, {}).moved);
  EXPECT_EQ(backlog.file_range(cursor).after, 10);
  EXPECT_EQ(backlog.pending(cursor), 5u);
}

TEST(Backlog, SetsRefusedRecordsAsideOnce) {
  Backlog backlog(kLimits);
  backlog.open({1, 0, {}, false});
  const auto cursor = backlog.add_cursor("a", false, {});
  for (int number = 0; number < 3; number++)
    (void)backlog.push(record(number));
  write(backlog);
  backlog.take(cursor, 3);
  // The last one is not confirmed: it is sent again, and may be refused then.
  backlog.acknowledge(cursor, 2, {{1, "It is odd."}, {2, "It is even."}}, {});
  const Backlog::Batch batch = backlog.begin_write({});
  ASSERT_EQ(batch.refusals.size(), 1u);
  EXPECT_EQ(batch.refusals[0].record->seq, 1);
  EXPECT_EQ(batch.refusals[0].error, "It is odd.");
  // Until they are written they are kept.
  (void)backlog.failed(batch, {});
  backlog.open({1, 3, {}, false});
  EXPECT_EQ(backlog.begin_write({}).refusals.size(), 1u);
  EXPECT_FALSE(backlog.has_work());
}

TEST(Backlog, KnowsSinceWhenSomethingWaits) {
  const auto at = [](int seconds) { return Backlog::Time(std::chrono::seconds(seconds)); };
  Backlog backlog(kLimits);
  backlog.open({1, 0, {}, false});
  const auto cursor = backlog.add_cursor("a", false, at(1));
  EXPECT_EQ(backlog.behind_since(cursor), std::nullopt);
  EXPECT_EQ(backlog.oldest(cursor), std::nullopt);
  (void)backlog.push(record(0));
  write(backlog, at(10));
  (void)backlog.push(record(1));
  write(backlog, at(20));
  EXPECT_EQ(backlog.behind_since(cursor), at(10));
  EXPECT_EQ(backlog.oldest(cursor), record(0)->time);
  backlog.take(cursor, 1);
  backlog.acknowledge(cursor, 1, {}, at(30));
  EXPECT_EQ(backlog.behind_since(cursor), at(30));
  EXPECT_EQ(backlog.oldest(cursor), record(1)->time);
  backlog.take(cursor, 1);
  EXPECT_TRUE(backlog.acknowledge(cursor, 1, {}, at(40)).caught_up);
  EXPECT_EQ(backlog.behind_since(cursor), std::nullopt);
}

}  // namespace
