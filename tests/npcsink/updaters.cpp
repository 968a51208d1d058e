// SPDX-License-Identifier: LGPL-2.1-or-later
// Updaters of npcsink: how records reach them, and what is done when they do not.
#include "support/delivering.h"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/waiting.h"

namespace {

using npc::Status;
using npc::sink::DeliveryResult;
using npc::sink::Drained;
using npc::test::eventually;
using npc::test::numbered;
using npc::test::Updaters;
using State = npc::sink::UpdaterEvent::State;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

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
  one_.outcomes.assign(10, {0, Status::failed("The disk is full.")});
  make("one:a");
  delivery_->start();
  push(0, 10);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  ASSERT_TRUE(eventually([&] { return stats().connected; }));
  EXPECT_EQ(stats().failed, 10u);
  EXPECT_EQ(one_.connected(), 11);
  delivery_->stop();
  std::vector<std::string> said;
  for (const npc::sink::UpdaterEvent &event : events())
    said.push_back(event.stats.connected ? "connected" : event.reason);
  EXPECT_EQ(said, (std::vector<std::string>{"connected", "The disk is full.", "connected",
                                            "The sink was stopped."}));
}

TEST_F(Updaters, KeepWhatWasNotConfirmed) {
  one_.outcomes = {{2, Status::failed("Lost.")},
                   {0, Status::failed("Lost again.")},
                   {1, Status::failed("Lost once more.")}};
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

TEST_F(Updaters, WaitAsLongAsTheFarSideAsks) {
  options_.retry_first = options_.retry_last = milliseconds(0);
  DeliveryResult busy;
  busy.status = Status::failed("Too many requests.");
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
  DeliveryResult slowly;
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
  const auto refuses = [](std::size_t confirmed, std::vector<npc::sink::RefusedRecord> refused) {
    DeliveryResult outcome;
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
  for (const npc::sink::UpdaterEvent &event : events()) {
    if (event.state == State::kRefused)
      reasons.push_back(event.reason);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"Too long.", "Too late."}));
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
