// SPDX-License-Identifier: LGPL-2.1-or-later
// Worker and delivery of npcsink on a store in memory, with an updater that fails on purpose.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../waiting.h"
#include "fakeupdater.h"
#include "npcsink/delivery.h"
#include "numbered.h"

namespace {

using npc::Delivery;
using npc::Drained;
using npc::Outcome;
using npc::Record;
using npc::Registry;
using npc::test::eventually;
using npc::test::FakeUpdater;
using npc::test::numbered;
using npc::test::Script;
using State = npc::UpdaterEvent::State;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Room for less than 1000 records.
constexpr std::uint64_t kSmall = 64 * 4096;

class Updaters : public testing::Test {
 protected:
  Updaters() {
    registry_.add("one", [this](const npc::Uri &uri) {
      return std::make_unique<FakeUpdater>(uri.path, one_);
    });
    registry_.add("two", [this](const npc::Uri &uri) {
      return std::make_unique<FakeUpdater>(uri.path, two_);
    });
    options_.retry_first = milliseconds(1);
    options_.retry_last = milliseconds(4);
    options_.idle = milliseconds(1);
  }

  void make(const std::string &updaters) {
    if (!store_)
      store_ = std::make_shared<npc::Store>(store_options_, [](const npc::StoreEvent &) {});
    delivery_ = std::make_unique<Delivery>(updaters, registry_, store_, options_,
                                           [this](const npc::UpdaterEvent &event) {
                                             std::lock_guard lock(mutex_);
                                             events_.push_back(event);
                                           });
  }

  void push(int from, int to) {
    for (int i = from; i < to; i++)
      store_->push(numbered(i));
  }

  npc::UpdaterStats stats(std::size_t index = 0) { return delivery_->stats().at(index); }

  std::vector<npc::UpdaterEvent> events() {
    std::lock_guard lock(mutex_);
    return events_;
  }

  static std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> texts;
    for (int i = from; i < to; i++)
      texts.push_back(numbered(i).json);
    return texts;
  }

  Script one_, two_;
  Registry registry_;
  npc::WorkerOptions options_;
  npc::StoreOptions store_options_;
  std::mutex mutex_;
  std::vector<npc::UpdaterEvent> events_;
  std::shared_ptr<npc::Store> store_;
  std::unique_ptr<Delivery> delivery_;
};

TEST_F(Updaters, DeliverInOrder) {
  make("one:///a");
  delivery_->start();
  push(0, 1000);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  delivery_->stop();
  EXPECT_EQ(one_.seen(), numbers(0, 1000));
  EXPECT_EQ(stats().updater, "one:///a");
  EXPECT_EQ(stats().delivered, 1000u);
  EXPECT_EQ(stats().pending, 0u);
  EXPECT_EQ(stats().dropped, 0u);
  EXPECT_EQ(stats().failed, 0u);
  EXPECT_EQ(one_.closes, 1);
  EXPECT_EQ(one_.connects, 1);
  EXPECT_EQ(one_.first, numbered(0).json);
}

TEST_F(Updaters, DoNotConnectBeforeThereIsARecord) {
  make("one:a");
  delivery_->start();
  std::this_thread::sleep_for(milliseconds(20));
  delivery_->stop();
  EXPECT_EQ(one_.connects, 0);
  EXPECT_TRUE(events().empty());
}

TEST_F(Updaters, TryAgainForEver) {
  for (int i = 0; i < 20; i++)
    one_.connect_failures.push_back(i < 10 ? "No way." : "Still no way.");
  make("one:a");
  delivery_->start();
  push(0, 10);
  ASSERT_TRUE(eventually([&] { return one_.seen() == numbers(0, 10); }));
  ASSERT_TRUE(eventually([&] { return stats().delivered == 10; }));
  EXPECT_EQ(stats().failed, 20u);
  EXPECT_TRUE(stats().connected);
  EXPECT_EQ(stats().last_error, "Still no way.");
  delivery_->stop();
  EXPECT_FALSE(stats().connected);

  // Twenty failures for two reasons are two messages.
  const auto events = this->events();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].reason, "No way.");
  EXPECT_FALSE(events[0].stats.connected);
  EXPECT_GE(events[0].stats.pending, 1u);
  EXPECT_EQ(events[1].reason, "Still no way.");
  EXPECT_TRUE(events[2].stats.connected);
  EXPECT_EQ(events[2].reason, "");
  EXPECT_FALSE(events[3].stats.connected);
  EXPECT_EQ(events[3].reason, "The sink was stopped.");
}

// As a full disk, which takes the opening of a file but no line, or a database that is overloaded.
TEST_F(Updaters, SayOnceThatAnOpenWayTakesNothing) {
  one_.outcomes.assign(10, {0, "The disk is full."});
  make("one:a");
  delivery_->start();
  push(0, 10);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  ASSERT_TRUE(eventually([&] { return stats().connected; }));
  EXPECT_EQ(stats().failed, 10u);
  EXPECT_EQ(one_.connected(), 11);
  delivery_->stop();
  std::vector<std::string> said;
  for (const npc::UpdaterEvent &event : events())
    said.push_back(event.stats.connected ? "connected" : event.reason);
  EXPECT_EQ(said, (std::vector<std::string>{"connected", "The disk is full.", "connected",
                                            "The sink was stopped."}));
}

TEST_F(Updaters, KeepWhatWasNotConfirmed) {
  one_.outcomes = {{2, "Lost."}, {0, "Lost again."}, {1, "Lost once more."}};
  make("one:a");
  push(0, 6);
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(one_.seen(), numbers(0, 6));
  EXPECT_EQ(stats().delivered, 6u);
  EXPECT_EQ(stats().failed, 3u);
  EXPECT_EQ(one_.connected(), 4);
}

TEST_F(Updaters, ReconnectWithoutWaitingForARecord) {
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return one_.seen().size() == 1; }));
  {
    std::lock_guard lock(one_.mutex);
    one_.idle_failures.push_back("Gone.");
  }
  EXPECT_TRUE(eventually([&] { return one_.connected() == 2 && stats().connected; }));
  EXPECT_EQ(stats().last_error, "Gone.");
  EXPECT_EQ(one_.first, numbered(0).json);
}

TEST_F(Updaters, AreToldThatTheStreamHasEnded) {
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return one_.seen().size() == 1; }));
  EXPECT_FALSE(one_.told_ended());
  delivery_->set_ended(true);
  EXPECT_TRUE(eventually([&] { return one_.told_ended(); }));
  delivery_->set_ended(false);
  EXPECT_TRUE(eventually([&] { return !one_.told_ended(); }));
}

TEST_F(Updaters, SurviveExceptions) {
  one_.throws = true;
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return stats().failed > 1; }));
  EXPECT_EQ(stats().last_error, "The updater failed: out of luck.");
  {
    std::lock_guard lock(one_.mutex);
    one_.throws = false;
  }
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
}

TEST_F(Updaters, DoNotHoldUpEachOther) {
  one_.stuck = true;
  make("one:a two:b");
  delivery_->start();
  push(0, 500);
  EXPECT_TRUE(eventually([&] { return two_.seen() == numbers(0, 500); }));
  EXPECT_TRUE(one_.seen().empty());
  EXPECT_EQ(stats(0).pending, 500u);
  ASSERT_TRUE(eventually([&] { return stats(1).pending == 0; }));
  delivery_->stop();  // Also ends the one that is stuck.
  EXPECT_EQ(one_.closes, 1);
}

TEST_F(Updaters, DropTheOldestAndCountThem) {
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
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const npc::UpdaterEvent &event) {
    return event.state == State::kDropped && event.stats.dropped > 0;
  }));
}

TEST_F(Updaters, DoNotDropWhatIsOnItsWay) {
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

TEST_F(Updaters, WaitAsLongAsTheFarSideAsks) {
  options_.retry_first = options_.retry_last = milliseconds(0);
  Outcome busy;
  busy.failure = "Too many requests.";
  busy.pause = hours(1);
  one_.outcomes = {busy};
  make("one:a");
  delivery_->start();
  push(0, 3);
  ASSERT_TRUE(eventually([&] { return stats().failed == 1; }));
  // Not even a drain ends it.
  EXPECT_EQ(delivery_->drain(milliseconds(30)), Drained::kTimeout);
  EXPECT_EQ(stats().failed, 1u);
  delivery_->stop();
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
}

TEST_F(Updaters, GoOnAfterAPauseWithoutAFailure) {
  Outcome slowly;
  slowly.confirmed = 1;
  slowly.pause = milliseconds(1);
  one_.outcomes = {slowly, slowly, slowly};
  make("one:a");
  push(0, 6);
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(one_.seen(), numbers(0, 6));
  EXPECT_EQ(stats().failed, 0u);
}

TEST_F(Updaters, SetAsideWhatIsRefused) {
  const auto refuses = [](std::size_t confirmed, std::vector<Outcome::Refused> refused) {
    Outcome outcome;
    outcome.confirmed = confirmed;
    outcome.refused = std::move(refused);
    return outcome;
  };
  one_.batch = 4;
  one_.outcomes = {refuses(4, {{1, "Too long."}, {2, "Too long."}}),
                   refuses(4, {{0, "Too late."}})};
  make("one:a");
  push(0, 9);
  ASSERT_TRUE(store_->flush(seconds(30)));
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(stats().refused, 3u);
  EXPECT_EQ(stats().delivered, 6u);
  EXPECT_EQ(stats().dropped, 0u);
  std::vector<std::string> reasons;
  for (const npc::UpdaterEvent &event : events()) {
    if (event.state == State::kRefused)
      reasons.push_back(event.reason);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"Too long.", "Too late."}));
}

TEST_F(Updaters, SayHowFarTheyAreBehind) {
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
    for (const npc::UpdaterEvent &event : events()) {
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

TEST_F(Updaters, AreToldWhatWaitsBehind) {
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

TEST_F(Updaters, SayHowLongTheyAreBehind) {
  options_.backlog_age = milliseconds(1);
  store_options_.clock = [] { return numbered(0).time + 5000; };
  one_.connect_failures.assign(100000, "No way.");
  make("one:a");
  delivery_->start();
  push(0, 1);
  npc::UpdaterStats said;
  ASSERT_TRUE(eventually([&] {
    for (const npc::UpdaterEvent &event : events()) {
      if (event.state == State::kBacklog)
        said = event.stats;
    }
    return said.pending == 1;
  }));
  EXPECT_EQ(said.oldest, seconds(5));
}

TEST_F(Updaters, SayThatTheyAreBehindWhileADeliveryLasts) {
  options_.backlog = 100;
  one_.stuck = true;
  make("one:a");
  delivery_->start();
  push(0, 1);
  ASSERT_TRUE(eventually([&] { return stats().connected; }));
  push(1, 500);
  const auto said = [this](State state) {
    const auto events = this->events();
    return std::any_of(events.begin(), events.end(),
                       [&](const npc::UpdaterEvent &event) { return event.state == state; });
  };
  EXPECT_TRUE(eventually([&] { return said(State::kBacklog); }));
  EXPECT_EQ(stats().delivered, 0u);
  {
    std::lock_guard lock(one_.mutex);
    one_.stuck = false;
  }
  one_.changed.notify_all();
  EXPECT_TRUE(eventually([&] { return said(State::kCaughtUp); }));
}

TEST_F(Updaters, SayThatADeliveryLastsForLong) {
  options_.backlog_age = milliseconds(1);
  one_.stuck = true;
  make("one:a");
  delivery_->start();
  push(0, 1);
  EXPECT_TRUE(eventually([&] {
    const auto events = this->events();
    return !events.empty() && events.back().state == State::kBacklog;
  }));
}

TEST_F(Updaters, ThatOnlyShowNowGetNoBacklog) {
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

TEST_F(Updaters, DrainEndsThePauseAfterAFailure) {
  options_.retry_first = options_.retry_last = hours(1);
  one_.connect_failures = {"No way."};
  make("one:a");
  delivery_->start();
  push(0, 3);
  ASSERT_TRUE(eventually([&] { return stats().failed == 1; }));
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
}

TEST_F(Updaters, DrainTimesOutAndIsInterrupted) {
  one_.stuck = true;
  make("one:a");
  delivery_->start();
  push(0, 3);
  EXPECT_EQ(delivery_->drain(milliseconds(5)), Drained::kTimeout);
  EXPECT_EQ(delivery_->drain(seconds(0)), Drained::kTimeout);
  std::thread interrupter([this] { store_->interrupt(true); });
  EXPECT_EQ(delivery_->drain(std::chrono::nanoseconds::max()), Drained::kInterrupted);
  interrupter.join();
  EXPECT_EQ(delivery_->drain(hours(1)), Drained::kInterrupted);
  store_->interrupt(false);
  EXPECT_EQ(delivery_->drain(milliseconds(5)), Drained::kTimeout);
}

TEST_F(Updaters, DrainOfNothingIsImmediate) {
  make("");
  EXPECT_TRUE(delivery_->empty());
  delivery_->start();
  push(0, 3);
  EXPECT_EQ(delivery_->drain(hours(1)), Drained::kAll);
  delivery_->stop();
}

TEST_F(Updaters, StopEndsThePauseAndStartGoesOn) {
  options_.retry_first = options_.retry_last = hours(1);
  one_.connect_failures = {"No way."};
  make("one:a");
  delivery_->start();
  push(0, 3);
  ASSERT_TRUE(eventually([&] { return stats().failed == 1; }));
  delivery_->stop();
  EXPECT_EQ(stats().pending, 3u);
  delivery_->start();
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(one_.seen(), numbers(0, 3));
}

TEST_F(Updaters, AccountForEachRecord) {
  store_options_.size = kSmall;
  store_options_.cache = 0;
  one_.batch = 7;
  for (int i = 0; i < 2000; i++)
    one_.outcomes.push_back(i % 3 == 0 ? Outcome{1, {}} : Outcome{0, i % 3 == 1 ? "" : "Lost."});
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

TEST_F(Updaters, OfTheSamePlaceAreRefused) {
  try {
    make("one:///a two:b\n\tone:///a");
    FAIL();
  } catch (const npc::UriError &error) {
    EXPECT_STREQ(error.what(),
                 "The updater \"one:///a\" is refused: \"one:///a\" delivers to the same place.");
  }
}

}  // namespace
