// SPDX-License-Identifier: LGPL-2.1-or-later
// Each person is counted once, whatever the frame rate and however the detector flickers.
#include "npccount/core/tracker.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/street.h"

namespace {

using namespace npc::count;

TEST(Tracker, SeesNobodyInNothing) {
  Street run;
  EXPECT_TRUE(run.show(0s, {}).empty());
  EXPECT_TRUE(run.show(1s, {}).empty());
}

TEST(Tracker, ConfirmsByTimeNotByFrames) {
  const struct {
    Time step;
    int frames;
  } cases[] = {{33333333ns, 7}, {100ms, 3}, {200ms, 2}, {250ms, 1}, {2s, 1}};
  for (const auto &expected : cases) {
    Street run;
    Time time{};
    for (int empty = 0; empty < 5; empty++, time += expected.step)
      run.show(time, {});
    for (int frame = 1; frame <= 10; frame++, time += expected.step) {
      run.show(time, {person(100, 300)});
      EXPECT_EQ(run.counts().people, frame >= expected.frames ? 1u : 0u)
          << "frame " << frame << " at " << expected.step.count() << " ns";
    }
  }
}

TEST(Tracker, BelievesTheFirstFrame) {
  Street run;
  run.show(5s, {person(100, 300), person(300, 300)});
  EXPECT_EQ(run.counts().people, 2u);
}

TEST(Tracker, OneLateFrameIsNotBelieved) {
  Street run;
  run.play(100ms, 1s, [](double) { return Detections(); });
  run.show(4s, {person(100, 300)});
  EXPECT_EQ(run.counts().people, 0u);
}

TEST(Tracker, CountsTheSameAtEveryFrameRate) {
  for (const Time step : kRates) {
    Street run;
    run.play(
        step, 20s,
        [](double t) {
          return Detections{person(60 + 20 * t, 200), person(580 - 20 * t, 320),
                            person(100 + 15 * t, 450), person(320, 140, 60)};
        },
        [&](double t) { EXPECT_EQ(run.counts().people, 4u) << step.count() << " ns, at " << t; });
    if (step <= 1s) {
      EXPECT_EQ(run.ids.size(), 4u) << step.count();
    }
  }
}

TEST(Tracker, WhoMovedIsOnePersonNeverTwo) {
  // 2.5 m/s, back and forth: nothing but the distance tells that it is the same.
  for (const Time step : kRates) {
    Street run;
    run.play(
        step, 60s,
        [](double t) {
          const double along = std::fmod(150 * t, 1000);
          return Detections{person(70 + (along < 500 ? along : 1000 - along), 300)};
        },
        [&](double t) { EXPECT_EQ(run.counts().people, 1u) << step.count() << " ns, at " << t; });
  }
}

TEST(Tracker, CrossingPeopleStayTwo) {
  for (const Time step : {33333333ns, 100000000ns}) {
    Street run;
    std::uint64_t left = 0, right = 0;
    run.play(
        step, 8s,
        [](double t) {
          const double a = 100 + 50 * t, b = 500 - 50 * t;
          // The one behind is not seen while most of it is covered.
          if (std::abs(a - b) < 20)
            return Detections{person(a, 320)};
          return Detections{person(a, 320), person(b, 310)};
        },
        [&](double t) {
          EXPECT_EQ(run.counts().people, 2u) << "at " << t;
          for (const Track &track : run.tracker.tracks())
            if (t < 1)
              (track.box.centre_x() < 300 ? left : right) = track.id;
        });
    ASSERT_EQ(run.tracker.tracks().size(), 2u);
    for (const Track &track : run.tracker.tracks())
      EXPECT_EQ(track.id, track.box.centre_x() < 300 ? right : left);
    EXPECT_EQ(run.ids.size(), 2u);
  }
}

TEST(Tracker, WhoIsHiddenBrieflyKeepsTheirTrack) {
  for (const Time hidden : {300ms, 900ms, 1500ms}) {
    Street run;
    run.play(100ms, 6s, [&](double t) {
      if (t > 1.95 && t < 1.95 + seconds(hidden))
        return Detections();
      return Detections{person(100 + 40 * t, 300)};
    });
    EXPECT_EQ(run.counts().people, 1u);
    EXPECT_EQ(run.ids.size(), hidden < 1s ? 1u : 2u) << hidden.count();
  }
}

TEST(Tracker, WhoIsNotSeenIsPresentForTheHoldOnly) {
  Street run;
  run.play(50ms, 1050ms, [](double) { return Detections{person(300, 300)}; });
  for (Time time = 1050ms; time < 2s; time += 50ms) {
    run.show(time, {});
    EXPECT_EQ(run.counts().people, time - 1s <= Tracker::kHold ? 1u : 0u) << time.count();
  }
  EXPECT_FALSE(run.show(2s, {}).empty()) << "can still be found again";
  EXPECT_TRUE(run.show(2050ms, {}).empty());
}

TEST(Tracker, AMissedFrameIsBridgedUpToASecond) {
  for (const Time step : {500ms, 1000ms, 2000ms}) {
    Street run;
    for (int frame = 0; frame < 5; frame++)
      run.show(frame * step, {person(300, 300)});
    run.show(5 * step, {});
    EXPECT_EQ(run.counts().people, step <= 1s ? 1u : 0u) << step.count();
    run.show(6 * step, {});
    EXPECT_EQ(run.counts().people, 0u) << step.count();
  }
}

TEST(Tracker, WhatFlashesIsNeverHeld) {
  Street run;
  for (int frame = 0; frame < 10; frame++)
    run.show(frame * 500ms, {});
  run.show(5s, {person(300, 300)});
  run.show(5500ms, {});
  EXPECT_EQ(run.counts().people, 0u);
}

TEST(Tracker, SurvivesDropOuts) {
  for (const Time step : {33333333ns, 100000000ns}) {
    std::mt19937 random(1);
    std::bernoulli_distribution seen(0.7);
    Street run;
    int frames = 0, right = 0;
    run.play(
        step, 60s,
        [&](double t) {
          Detections detections;
          for (const Detection &detection :
               {person(60 + 8 * t, 200), person(500, 300), person(560 - 8 * t, 400)})
            if (seen(random))
              detections.push_back(shaken(detection, random, 0.03));
          return detections;
        },
        [&](double t) {
          if (t < 1)
            return;
          frames++;
          right += run.counts().people == 3;
        });
    EXPECT_GE(right, frames * 98 / 100) << step.count();
    EXPECT_LE(run.ids.size(), 4u) << step.count();
  }
}

TEST(Tracker, FalseAlarmsInChangingPlacesCountNothing) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> x(30, 610), y(70, 470);
  std::bernoulli_distribution alarm(0.4);
  for (const Time step : {33333333ns, 100000000ns}) {
    Street run;
    int frames = 0, wrong = 0;
    run.play(
        step, 120s,
        [&](double t) {
          return t > 0 && alarm(random) ? Detections{person(x(random), y(random), 60)}
                                        : Detections();
        },
        [&](double) {
          frames++;
          wrong += run.counts().people > 0;
        });
    EXPECT_LE(wrong, frames / 100) << step.count();
  }
}

TEST(Tracker, WeakDetectionsBeginNothing) {
  for (const Time step : kRates) {
    Street run;
    run.play(
        step, 20s, [](double) { return Detections{weak_person(300, 300)}; },
        [&](double) { EXPECT_TRUE(run.tracker.tracks().empty()); });
  }
}

TEST(Tracker, WeakDetectionsExtendWhatIsConfirmed) {
  Street run;
  run.play(
      100ms, 20s,
      [](double t) {
        return Detections{person(100 + 10 * t, 300, kHeight, t > 0.5),
                          person(100 + 10 * t, 470, kHeight, t > 0.15)};
      },
      [&](double t) {
        if (t > 1.1) {
          // The one below was strong in the first frame only, but that frame is believed.
          EXPECT_EQ(run.counts().people, 2u) << t;
        }
      });
  EXPECT_EQ(run.ids.size(), 2u);
}

TEST(Tracker, WeakDetectionsConfirmNothing) {
  Street run;
  run.show(0s, {});
  run.show(100ms, {person(300, 300)});
  for (int frame = 2; frame < 20; frame++) {
    run.show(frame * 100ms, {weak_person(300, 300)});
    EXPECT_EQ(run.counts().people, 0u);
  }
}

TEST(Tracker, WeakNeighboursDoNotSwap) {
  // Two beside one another, one of them weak from half a second on.
  Street run;
  std::uint64_t first = 0;
  run.play(
      100ms, 5s,
      [](double t) {
        return Detections{person(300, 300), person(345, 300, kHeight, t > 0.5)};
      },
      [&](double) {
        ASSERT_EQ(run.tracker.tracks().size(), 2u);
        const Track &track = run.tracker.tracks()[0];
        first = first == 0 ? track.id : first;
        EXPECT_EQ(track.id, first);
        EXPECT_NEAR(track.box.centre_x(), 300, 1);
      });
}

TEST(Tracker, ClassesNeverMix) {
  Street run;
  auto as = [](const char *label) {
    Detection detection = person(300, 300);
    detection.label = label;
    return detection;
  };
  run.play(
      100ms, 2s,
      [&](double) {
        return Detections{as("person"), as("dog")};
      },
      [&](double) {
        EXPECT_EQ(run.counts().people, 1u);
        EXPECT_EQ(run.counts().objects.at("dog"), 1u);
      });
  std::set<std::uint64_t> before = run.ids;
  for (int frame = 20; frame < 30; frame++)
    run.show(frame * 100ms, {as("cat")});
  ASSERT_EQ(run.counts().objects.count("cat"), 1u);
  EXPECT_EQ(run.counts().people, 0u);
  EXPECT_EQ(run.ids.size(), before.size() + 1);
}

TEST(Tracker, TwoBoxesOfOnePersonAreOnePerson) {
  for (const Time step : {100ms, 2000ms}) {
    Street run;
    run.play(
        step, 20s,
        [](double) {
          Detection twin = person(304, 303);
          twin.confidence = 0.7;
          // A giant around the person, as HOG sees them.
          Detection giant = person(310, 305, 220);
          giant.confidence = 0.6;
          return Detections{giant, twin, person(300, 300)};
        },
        [&](double) { EXPECT_EQ(run.counts().people, 1u); });
    EXPECT_EQ(run.ids.size(), 1u);
    EXPECT_NEAR(run.tracker.tracks()[0].box.height, kHeight, 1);
  }
}

TEST(Tracker, AChildBeforeAnAdultIsTwoPeople) {
  Street run;
  run.play(
      100ms, 5s,
      [](double) {
        return Detections{person(300, 300), person(303, 300, 65)};
      },
      [&](double) { EXPECT_EQ(run.counts().people, 2u); });
}

TEST(Tracker, PeopleSideBySideAreTwo) {
  for (const Time step : kRates) {
    Street run;
    run.play(
        step, 10s,
        [](double t) {
          return Detections{person(100 + 30 * t, 300), person(120 + 30 * t, 303)};
        },
        [&](double) { EXPECT_EQ(run.counts().people, 2u); });
  }
}

TEST(Tracker, AfterALongGapPeopleAreNewOnes) {
  Street run;
  run.play(100ms, 2s, [](double) { return Detections{person(300, 300)}; });
  for (Time time = 60s; time < 61s; time += 100ms) {
    run.show(time, {person(300, 300)});
    EXPECT_EQ(run.counts().people, time < 60200ms ? 0u : 1u) << time.count();
  }
  EXPECT_EQ(run.ids.size(), 2u);
}

TEST(Tracker, TheSameTimeTwiceIsHarmless) {
  Street run;
  for (int frame = 0; frame < 20; frame++)
    run.show(frame / 2 * 100ms, {person(300, 300)});
  EXPECT_EQ(run.tracker.tracks().size(), 1u);
  EXPECT_EQ(run.counts().people, 1u);
}

TEST(Tracker, ResetForgetsAllButIds) {
  Street run;
  const std::uint64_t first = run.show(0s, {person(300, 300)})[0].id;
  run.tracker.reset();
  EXPECT_TRUE(run.tracker.tracks().empty());
  // Also back in time.
  run.show(0s, {person(300, 300)});
  ASSERT_EQ(run.tracker.tracks().size(), 1u);
  EXPECT_GT(run.tracker.tracks()[0].id, first);
}

TEST(Tracker, NonsenseIsIgnored) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  Detections nonsense;
  for (const Box &box :
       {Box{nan, 0, 10, 10}, Box{0, infinity, 10, 10}, Box{0, 0, -10, 10}, Box{0, 0, 10, 0},
        Box{0, 0, nan, 10}, Box{1e300, 0, 10, 10}, Box{0, 0, 1e7, 1e7}})
    nonsense.push_back({"person", box, 0.9, false});
  nonsense.push_back({"person", {10, 10, 20, 50}, nan, false});
  nonsense.push_back({"", {10, 10, 20, 50}, 0.9, false});

  Tracker tracker;
  tracker.set_frame_size(kFrame);
  for (int frame = 0; frame < 20; frame++) {
    Detections detections = nonsense;
    detections.insert(detections.begin() + frame % 5, person(300, 300));
    tracker.update(frame * 100ms, detections);
    ASSERT_EQ(tracker.tracks().size(), 1u);
    EXPECT_NEAR(tracker.tracks()[0].box.centre_x(), 300, 1e-6);
  }
}

TEST(Tracker, ACrowdIsBounded) {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> x(0, 3800), y(30, 2100);
  Tracker tracker;
  tracker.set_frame_size({3840, 2160});
  for (int frame = 0; frame < 20; frame++) {
    Detections detections;
    for (int number = 0; number < 700; number++)
      detections.push_back(person(x(random), y(random), 30));
    // Two seconds apart all are believed, and none is where another was.
    tracker.update(frame * 2s, detections);
    EXPECT_LE(tracker.tracks().size(), Tracker::kMost);
    // Some of 500 random boxes are twins.
    EXPECT_GT(count_tracks(tracker.tracks()).people, 440u) << frame;
  }
}

TEST(Tracker, OfACrowdTheSureOnesAreKept) {
  Detections detections;
  for (int number = 0; number < 600; number++) {
    Detection detection = person(20 + 30 * (number % 30), 40 + 30 * (number / 30), 25);
    detection.confidence = number < 100 ? 0.5 : 0.9;
    detections.push_back(detection);
  }
  Tracker tracker;
  tracker.set_frame_size({3840, 2160});
  tracker.update(0s, detections);
  ASSERT_EQ(tracker.tracks().size(), Tracker::kMost);
  for (const Track &track : tracker.tracks())
    EXPECT_GT(track.box.bottom(), 120);
}

TEST(Tracker, IsDeterministic) {
  auto record = [] {
    std::mt19937 random(5);
    std::uniform_real_distribution<double> x(30, 610), y(110, 470);
    std::vector<double> numbers;
    Street run;
    run.play(
        100ms, 10s,
        [&](double t) {
          Detections detections;
          for (int number = 0; number < 12; number++)
            detections.push_back(
                number < 6 ? person(x(random), y(random))
                           : shaken(person(90 * number - 450 + 5 * t, 300), random, 0.05));
          return detections;
        },
        [&](double) {
          for (const Track &track : run.tracker.tracks())
            numbers.insert(numbers.end(), {static_cast<double>(track.id), track.box.x,
                                           track.box.height, track.speed});
        });
    return numbers;
  };
  EXPECT_EQ(record(), record());
}

}  // namespace
