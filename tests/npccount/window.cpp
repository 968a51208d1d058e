// SPDX-License-Identifier: LGPL-2.1-or-later
// Windows: when they close and what they say.
#include "npccount/core/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace {

using namespace npc::count;
using namespace std::chrono_literals;

FrameCounts people(unsigned number, unsigned moving = 0) {
  FrameCounts counts;
  counts.people = number;
  counts.moving = moving;
  return counts;
}

FrameCounts objects(const std::string &name, unsigned number) {
  FrameCounts counts;
  counts.objects[name] = number;
  return counts;
}

// As the element does it: time comes first, then the frame.
std::optional<WindowCounts> show(Window &window, Time now, const FrameCounts &counts,
                                 Time duration = 0s) {
  auto closed = window.advance(now);
  window.add(now, duration, counts);
  return closed;
}

unsigned count_of(const WindowCounts &window, const std::string &name) {
  for (const auto &object : window.objects)
    if (object.name == name)
      return object.count;
  ADD_FAILURE() << name << " is not listed";
  return 0;
}

TEST(Histogram, MedianIsThatOfTheSortedNumbers) {
  std::mt19937 random(1);
  std::uniform_int_distribution<unsigned> size(0, 30), number(0, 9), missing(0, 12);
  for (int round = 0; round < 3000; round++) {
    Histogram tally;
    std::vector<unsigned> numbers(missing(random), 0);
    for (unsigned left = size(random); left > 0; left--) {
      numbers.push_back(number(random));
      tally.add(numbers.back());
    }
    std::sort(numbers.begin(), numbers.end());
    const std::size_t total = numbers.size();
    unsigned expected = 0, most = 0;
    if (total > 0) {
      most = numbers.back();
      expected = total % 2 == 1 ? numbers[total / 2]
                                : (numbers[total / 2 - 1] + numbers[total / 2] + 1) / 2;
    }
    EXPECT_EQ(tally.median(total), expected);
    EXPECT_EQ(tally.most(), most);
  }
}

TEST(Histogram, RoundsHalfUp) {
  Histogram tally;
  tally.add(2);
  tally.add(3);
  EXPECT_EQ(tally.median(2), 3u);
}

TEST(Window, IsClosedByTheFrameAtItsEnd) {
  Window window(2s);
  EXPECT_FALSE(show(window, 10s, people(1)));
  EXPECT_FALSE(show(window, 11s, people(3, 2)));
  EXPECT_FALSE(show(window, 11999999999ns, people(1, 1)));
  const auto closed = show(window, 12s, people(7));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, Time(10s));
  EXPECT_EQ(closed->length, Time(2s));
  EXPECT_FALSE(closed->partial);
  EXPECT_EQ(closed->people, 1u);
  EXPECT_EQ(closed->most_people, 3u);
  EXPECT_EQ(closed->moving, 1u);
  // The frame at the end is the first of the next one.
  const auto next = window.advance(14s);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->start, Time(12s));
  EXPECT_EQ(next->people, 7u);
}

TEST(Window, TimeAloneClosesIt) {
  Window window(2s);
  show(window, 0s, people(4));
  EXPECT_FALSE(window.advance(1999ms));
  ASSERT_TRUE(window.advance(2001ms));
  EXPECT_FALSE(window.advance(9s)) << "nobody was looked for";
  EXPECT_FALSE(show(window, 9500ms, people(2)));
  const auto closed = window.advance(10s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, Time(8s)) << "windows stay aligned with the first frame";
  EXPECT_EQ(closed->people, 2u);
}

TEST(Window, OpensWithTheFirstFrameNotBefore) {
  Window window(2s);
  EXPECT_FALSE(window.advance(100s));
  EXPECT_FALSE(window.finish());
  show(window, 101500ms, people(1));
  const auto closed = window.advance(103500ms);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, Time(101500ms));
}

TEST(Window, AJumpOfManyWindowsClosesOne) {
  Window window(100ms);
  show(window, 0s, people(1));
  const Time far = std::chrono::hours(24 * 365 * 100) + 50ms;
  const auto closed = show(window, far, people(2));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->people, 1u);
  const auto next = window.advance(far + 50ms);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->start, far - 50ms);
  EXPECT_EQ(next->people, 2u);
}

TEST(Window, AllAreAlignedWithTheFirst) {
  std::mt19937 random(2);
  std::uniform_int_distribution<int> step(0, 5000);
  std::uniform_int_distribution<unsigned> number(0, 9);
  for (int round = 0; round < 50; round++) {
    Window window(700ms);
    const Time first = std::chrono::milliseconds(step(random));
    Time now = first, end{};
    std::vector<unsigned> frames;
    for (int frame = 0; frame < 200; frame++) {
      const unsigned seen = number(random);
      if (const auto closed = show(window, now, people(seen))) {
        EXPECT_EQ((closed->start - first) % 700ms, Time::zero());
        EXPECT_GE(closed->start, end) << "windows do not overlap";
        EXPECT_LE(closed->start + closed->length, now);
        EXPECT_EQ(closed->most_people, *std::max_element(frames.begin(), frames.end()));
        end = closed->start + closed->length;
        frames.clear();
      }
      frames.push_back(seen);
      now += std::chrono::milliseconds(step(random) / (round % 10 + 1));
    }
  }
}

TEST(Window, ChangesItsLengthFromTheNextOneOn) {
  Window window(2s);
  show(window, 0s, people(1));
  window.set_length(5s);
  auto closed = show(window, 2s, people(2));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->length, Time(2s));
  EXPECT_FALSE(window.advance(6999ms));
  window.set_length(1s);
  closed = window.advance(7s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, Time(2s));
  EXPECT_EQ(closed->length, Time(5s));
  show(window, 7s, people(3));
  closed = window.advance(8s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->length, Time(1s));
}

TEST(Window, ALengthSetBeforeTheFirstFrameHolds) {
  Window window(2s);
  window.set_length(1s);
  show(window, 0s, people(1));
  EXPECT_TRUE(window.advance(1s));
}

TEST(Window, TheLastOneIsPartial) {
  Window window(2s);
  show(window, 0s, people(1));
  show(window, 2s, people(2), 100ms);
  show(window, 2500ms, people(3), 100ms);
  const auto closed = window.finish();
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->partial);
  EXPECT_EQ(closed->start, Time(2s));
  EXPECT_EQ(closed->length, Time(600ms));
  EXPECT_EQ(closed->people, 3u);
  EXPECT_FALSE(window.finish());
}

TEST(Window, TheLastOneIsNotPartialIfItIsFull) {
  Window window(2s);
  for (int frame = 0; frame < 20; frame++)
    show(window, frame * 100ms, people(1), 100ms);
  const auto closed = window.finish();
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->partial);
  EXPECT_EQ(closed->length, Time(2s));
}

TEST(Window, TheLastOneReachesToTheEndOfTime) {
  Window window(2s);
  show(window, 0s, people(1));
  EXPECT_FALSE(window.advance(1500ms));
  auto closed = window.finish();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->length, Time(1500ms));

  show(window, 4s, people(1), 90s);
  closed = window.finish();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->length, Time(2s)) << "never longer than a window";

  show(window, 100s, people(1));
  closed = window.finish();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->length, Time(1ms)) << "never of no length";
}

TEST(Window, TheLastOneWithoutAFrameIsNone) {
  Window window(2s);
  show(window, 0s, people(1));
  ASSERT_TRUE(window.advance(2500ms));
  EXPECT_FALSE(window.finish());
}

TEST(Window, AFrameBeforeItsStartCountsInIt) {
  Window window(2s);
  show(window, 0s, people(1));
  // A gap reached over the end, and then a frame comes from within it.
  ASSERT_TRUE(window.advance(2100ms));
  EXPECT_FALSE(show(window, 1900ms, people(5)));
  const auto closed = window.advance(4s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->people, 5u);
}

TEST(Window, ResetDropsTheOpenOne) {
  Window window(2s);
  show(window, 0s, people(9));
  window.reset();
  EXPECT_FALSE(window.finish());
  EXPECT_FALSE(show(window, 500ms, people(1)));
  const auto closed = window.advance(2500ms);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, Time(500ms));
  EXPECT_EQ(closed->most_people, 1u);
}

TEST(Window, AClassStaysListed) {
  Window window(2s);
  show(window, 0s, people(1));
  auto closed = show(window, 2s, objects("dog", 2));
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->objects.empty());
  show(window, 3s, objects("car", 1));
  show(window, 3500ms, objects("dog", 1));
  closed = show(window, 4s, people(1));
  ASSERT_TRUE(closed);
  EXPECT_EQ(count_of(*closed, "dog"), 1u) << "of 2, 0, 1";
  EXPECT_EQ(count_of(*closed, "car"), 0u) << "of 0, 1, 0";
  ASSERT_EQ(closed->objects.size(), 2u);
  EXPECT_EQ(closed->objects[0].name, "car") << "in the order of names";
  window.reset();
  show(window, 10s, people(1));
  closed = window.advance(12s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(count_of(*closed, "dog"), 0u);
  EXPECT_EQ(count_of(*closed, "car"), 0u);
}

TEST(Window, ClassesAreBounded) {
  Window window(2s);
  for (int number = 0; number < 100; number++)
    show(window, number * 10ms, objects("class" + std::to_string(number), 1));
  const auto closed = window.advance(2s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->objects.size(), Window::kMostObjects);
}

TEST(Window, ALossMarksTheWindowsItTouches) {
  Window window(2s);
  show(window, 0s, people(1));
  window.lose(1500ms, 4500ms);
  auto closed = window.advance(4500ms);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, 0s);
  EXPECT_TRUE(closed->degraded);
  window.add(4600ms, 0s, people(2));
  closed = show(window, 6s, people(2));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, 4s);
  EXPECT_TRUE(closed->degraded) << "the loss reached into it";
  closed = show(window, 8s, people(2));
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->degraded);
}

TEST(Window, ALossAtABorderIsOfOneWindow) {
  Window window(2s);
  show(window, 0s, people(1));
  window.lose(1s, 2s);
  auto closed = show(window, 2s, people(1));
  EXPECT_TRUE(closed && closed->degraded);
  window.lose(4s, 5s);
  closed = window.advance(5s);
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->degraded) << "it ended where the loss began";
  window.add(5s, 0s, people(1));
  closed = show(window, 6s, people(1));
  EXPECT_TRUE(closed && closed->degraded);
  window.lose(7s, 7s);
  closed = show(window, 8s, people(1));
  EXPECT_TRUE(closed && closed->degraded) << "of unknown length";
}

TEST(Window, ALossBeforeTheFirstFrameIsNone) {
  Window window(2s);
  window.lose(0s, 1s);
  show(window, 1s, people(1));
  auto closed = show(window, 3s, people(1));
  EXPECT_TRUE(closed && !closed->degraded);
  window.lose(4s, 6s);
  window.reset();
  show(window, 5s, people(1));
  closed = show(window, 7s, people(1));
  EXPECT_TRUE(closed && !closed->degraded) << "forgotten";
}

TEST(Window, SilenceGivesRecordsOfNothing) {
  Window window(2s);
  show(window, 0s, people(3));
  show(window, 1s, people(3));
  window.stall(1100ms);
  auto closed = window.pass(6100ms);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, 0s);
  EXPECT_TRUE(closed->stalled);
  EXPECT_EQ(closed->people, 3u) << "of the frames that came";
  EXPECT_EQ(window.end(), 8s);
  EXPECT_FALSE(window.pass(7s));
  for (Time end = 8s; end <= 20s; end += 2s) {
    closed = window.pass(end);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->start, end - 2s);
    EXPECT_EQ(closed->length, 2s);
    EXPECT_TRUE(closed->stalled);
    EXPECT_EQ(closed->people + closed->most_people, 0u);
  }
  // It comes back at 20.5 s, into a window that was silent before.
  EXPECT_FALSE(show(window, 20500ms, people(2)));
  closed = show(window, 22s, people(2));
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->stalled);
  EXPECT_EQ(closed->people, 2u);
  closed = show(window, 24s, people(2));
  EXPECT_TRUE(closed && !closed->stalled);
}

TEST(Window, SilenceFromBorderToBorderIsOfThoseBetween) {
  Window window(2s);
  show(window, 0s, people(1), 2s);
  window.stall(2s);
  auto closed = window.pass(6s);
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->stalled) << "it had frames to its end";
  closed = show(window, 8s, people(1));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, 6s);
  EXPECT_TRUE(closed->stalled);
  closed = show(window, 10s, people(1));
  EXPECT_TRUE(closed && !closed->stalled) << "frames came from its first moment";
}

TEST(Window, FramesThatComeLateAfterASilenceDoNotTurnTimeBack) {
  Window window(2s);
  show(window, 0s, people(1));
  window.stall(1s);
  Time last_end{};
  auto check = [&](const std::optional<WindowCounts> &closed) {
    if (!closed)
      return;
    EXPECT_GE(closed->start, last_end);
    last_end = closed->start + closed->length;
  };
  check(window.pass(6s));
  check(window.pass(8s));
  for (Time now = 3s; now < 14s; now += 100ms)
    check(show(window, now, people(1)));
  EXPECT_EQ(last_end, 12s);
}

TEST(Window, SilenceOpensOneIfNoFrameEverCame) {
  Window window(2s);
  EXPECT_FALSE(window.pass(1s));
  window.stall(5s);
  const auto closed = window.pass(7s);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, 5s);
  EXPECT_TRUE(closed->stalled);
  window.reset();
  show(window, 8s, people(1));
  EXPECT_FALSE(show(window, 10s, people(1))->stalled);
}

TEST(CountTracks, CountsWhoIsPresentByClass) {
  std::vector<Track> tracks(6);
  const char *labels[] = {"person", "person", "person", "face", "car", "car"};
  for (std::size_t number = 0; number < tracks.size(); number++) {
    tracks[number].label = labels[number];
    tracks[number].present = true;
    tracks[number].speed = 0.21;
  }
  tracks[0].speed = 0.2;
  tracks[2].present = false;
  const FrameCounts counts = count_tracks(tracks);
  EXPECT_EQ(counts.people, 2u);
  EXPECT_EQ(counts.moving, 1u) << "only people, only those faster than 0.2, only the present";
  EXPECT_EQ(counts.faces, 1u);
  EXPECT_EQ(counts.objects, (std::map<std::string, unsigned>{{"car", 2}}));
}

}  // namespace
