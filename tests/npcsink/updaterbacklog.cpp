// SPDX-License-Identifier: LGPL-2.1-or-later
// Updaters of npcsink that are behind: what is kept, dropped and said of it.
#include "support/delivering.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/waiting.h"

namespace {

using npc::Status;
using npc::sink::DeliveryResult;
using npc::sink::Drained;
using npc::test::eventually;
using npc::test::numbered;
using State = npc::sink::UpdaterEvent::State;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Room for less than 1000 records.
constexpr std::uint64_t kSmall = 64 * 4096;

class UpdaterBacklog : public npc::test::Updaters {
 protected:
  /// Whether there has been news of that kind.
  bool said(State state) {
    const auto events = this->events();
    return std::any_of(events.begin(), events.end(),
                       [&](const npc::sink::UpdaterEvent &event) { return event.state == state; });
  }
};

TEST_F(UpdaterBacklog, DropTheOldestAndCountThem) {
  store_options_.size = kSmall;
  store_options_.cache = 0;
  options_.retry_first = options_.retry_last = hours(1);
  one_.connect_failures = {"No way."};
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return stats().failed == 1; }));
  push(1, 5000);
  ASSERT_TRUE(store_->flush(seconds(30)));
  const auto stats = this->stats();
  EXPECT_GT(stats.dropped, 3000u);
  EXPECT_GT(stats.pending, 300u);
  EXPECT_EQ(stats.pending + stats.dropped, 5000u);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(one_.seen(), numbers(static_cast<int>(stats.dropped), 5000));
  EXPECT_EQ(this->stats().delivered, stats.pending);
  EXPECT_EQ(this->stats().dropped, stats.dropped);

  const auto events = this->events();
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const npc::sink::UpdaterEvent &event) {
    return event.state == State::kDropped && event.stats.dropped > 0;
  }));
}

TEST_F(UpdaterBacklog, DoNotDropWhatIsOnItsWay) {
  store_options_.size = kSmall;
  store_options_.cache = 0;
  one_.batch = 5;
  one_.stuck = true;
  make("one:a");
  push(0, 10);
  ASSERT_TRUE(store_->flush(seconds(30)));
  delivery_->start();
  ASSERT_TRUE(eventually([&] { return stats().connected; }));
  push(10, 5000);
  ASSERT_TRUE(store_->flush(seconds(30)));
  const auto dropped = stats().dropped;
  {
    std::lock_guard lock(one_.mutex);
    one_.stuck = false;
  }
  one_.changed.notify_all();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  auto expected = numbers(0, 5);
  for (const std::string &text : numbers(static_cast<int>(5 + dropped), 5000))
    expected.push_back(text);
  EXPECT_EQ(one_.seen(), expected);
  EXPECT_EQ(stats().dropped, dropped);
  EXPECT_EQ(stats().delivered, 5000 - dropped);
}

TEST_F(UpdaterBacklog, SayHowFarTheyAreBehind) {
  options_.backlog = 100;
  one_.connect_failures.assign(100000, "No way.");
  one_.batch = 7;
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return stats().failed > 2; }));
  push(1, 1000);
  const auto backlogs = [this] {
    std::vector<std::uint64_t> pending;
    for (const npc::sink::UpdaterEvent &event : events()) {
      if (event.state == State::kBacklog)
        pending.push_back(event.stats.pending);
    }
    return pending;
  };
  ASSERT_TRUE(eventually([&] { return !backlogs().empty() && backlogs().back() > 500; }));
  {
    std::lock_guard lock(one_.mutex);
    one_.connect_failures.clear();
  }
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  ASSERT_TRUE(eventually([&] { return events().back().state == State::kCaughtUp; }));
  const auto said = backlogs();
  EXPECT_GE(said.front(), 100u);
  EXPECT_LE(said.size(), 4u);
  for (std::size_t i = 1; i < said.size(); i++)
    EXPECT_GE(said[i], 2 * said[i - 1]);
}

// To one that is slow by nature, many records that wait are no news.
TEST_F(UpdaterBacklog, MayBeLongerWhereThatIsTheRule) {
  options_.backlog = 10;
  one_.backlog_age = hours(1);
  one_.outcomes.assign(1000000, DeliveryResult{0, {}});
  one_.outcomes.front().notices = {"Slow."};
  make("one:a");
  delivery_->start();
  push(0, 1000);
  ASSERT_TRUE(eventually([&] { return stats().pending == 1000 && said(State::kNotice); }));
  const auto events = this->events();
  const auto notice = std::find_if(
      events.begin(), events.end(),
      [](const npc::sink::UpdaterEvent &event) { return event.state == State::kNotice; });
  EXPECT_EQ(notice->reason, "Slow.");
  EXPECT_FALSE(said(State::kBacklog));
  one_.backlog_age = milliseconds(1);
  EXPECT_TRUE(eventually([&] { return said(State::kBacklog); }));
}

TEST_F(UpdaterBacklog, AreToldWhatWaitsBehind) {
  one_.batch = 4;
  make("one:a");
  push(0, 10);
  ASSERT_TRUE(store_->flush(seconds(30)));
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  delivery_->stop();
  ASSERT_GE(one_.backlogs.size(), 3u);
  one_.backlogs.resize(3);
  EXPECT_EQ(one_.backlogs, (std::vector<std::uint64_t>{6, 2, 0}));
}

TEST_F(UpdaterBacklog, SayHowLongTheyAreBehind) {
  options_.backlog_age = milliseconds(1);
  store_options_.clock = [] { return numbered(0).time + 5000; };
  one_.connect_failures.assign(100000, "No way.");
  make("one:a");
  delivery_->start();
  push(0, 1);
  npc::sink::UpdaterStats said;
  ASSERT_TRUE(eventually([&] {
    for (const npc::sink::UpdaterEvent &event : events()) {
      if (event.state == State::kBacklog)
        said = event.stats;
    }
    return said.pending == 1;
  }));
  EXPECT_EQ(said.oldest, seconds(5));
}

TEST_F(UpdaterBacklog, SayThatTheyAreBehindWhileADeliveryLasts) {
  options_.backlog = 100;
  one_.stuck = true;
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return stats().connected; }));
  push(1, 500);
  EXPECT_TRUE(eventually([&] { return said(State::kBacklog); }));
  EXPECT_EQ(stats().delivered, 0u);
  {
    std::lock_guard lock(one_.mutex);
    one_.stuck = false;
  }
  one_.changed.notify_all();
  EXPECT_TRUE(eventually([&] { return said(State::kCaughtUp); }));
}

TEST_F(UpdaterBacklog, SayThatADeliveryLastsForLong) {
  options_.backlog_age = milliseconds(1);
  one_.stuck = true;
  make("one:a");
  delivery_->start();
  push(0, 1);
  EXPECT_TRUE(eventually([&] { return said(State::kBacklog); }));
}

TEST_F(UpdaterBacklog, ThatOnlyShowNowGetNoBacklog) {
  make("one:a");
  push(0, 10);
  ASSERT_TRUE(store_->flush(seconds(30)));
  two_.live_only = true;
  make("two:b one:a");
  push(10, 12);
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(two_.seen(), numbers(10, 12));
  EXPECT_EQ(one_.seen(), numbers(0, 12));
}

TEST_F(UpdaterBacklog, AccountForEachRecord) {
  store_options_.size = kSmall;
  store_options_.cache = 0;
  one_.batch = 7;
  for (int i = 0; i < 2000; i++)
    one_.outcomes.push_back(
        i % 3 == 0 ? DeliveryResult{1, {}}
                   : DeliveryResult{0, i % 3 == 1 ? Status() : Status::failed("Lost.")});
  make("one:a");
  delivery_->start();
  std::atomic<bool> done = false;
  std::thread watcher([&] {
    std::uint64_t dropped = 0;
    while (!done) {
      const auto now = stats();
      EXPECT_LE(now.pending, 20000u);
      EXPECT_GE(now.dropped, dropped);
      dropped = now.dropped;
    }
  });
  push(0, 20000);
  EXPECT_EQ(delivery_->drain(seconds(60)), Drained::kAll);
  done = true;
  watcher.join();
  delivery_->stop();
  EXPECT_EQ(stats().delivered + stats().dropped, 20000u);
  EXPECT_EQ(one_.seen().size(), stats().delivered);
  auto sorted = one_.seen();
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
}

}  // namespace
