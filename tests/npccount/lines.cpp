// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines: who is counted and who is not, case by case.
#include <gtest/gtest.h>

#include "support/street.h"
#include "support/walk.h"

namespace npc::count {

void PrintTo(const Crossed &crossed, std::ostream *out) {
  *out << crossed.in << " in, " << crossed.out << " out";
}

namespace {

constexpr double kSpeed = 80;  // pixels a second, 0.8 body heights

TEST(Lines, RightwardOverALineFromTopToBottomIsIn) {
  EXPECT_EQ(walk(middle(), straight({220, 300}, {420, 300}, kSpeed, 100ms)), (Crossed{1, 0}));
  EXPECT_EQ(walk(middle(), straight({420, 300}, {220, 300}, kSpeed, 100ms)), (Crossed{0, 1}));
  // Swapped ends turn it round.
  EXPECT_EQ(walk(line(0.5, 1, 0.5, 0), straight({220, 300}, {420, 300}, kSpeed, 100ms)),
            (Crossed{0, 1}));
}

TEST(Lines, UpwardOverALineFromLeftToRightIsIn) {
  EXPECT_EQ(walk(line(0, 0.5, 1, 0.5), straight({300, 340}, {300, 140}, kSpeed, 100ms)),
            (Crossed{1, 0}));
  EXPECT_EQ(walk(line(0, 0.5, 1, 0.5), straight({300, 140}, {300, 340}, kSpeed, 100ms)),
            (Crossed{0, 1}));
}

TEST(Lines, CountAtAnyAngle) {
  for (int degrees = 0; degrees < 360; degrees += 15) {
    const double angle = degrees * M_PI / 180, across = std::cos(angle), down = std::sin(angle);
    const LineDefinition slanted = line(0.5 - 100 * across / 640, 0.5 - 100 * down / 480,
                                        0.5 + 100 * across / 640, 0.5 + 100 * down / 480);
    // The left hand of who looks along it.
    const Point2 a{320 - 150 * down, 240 + 150 * across}, b{320 + 150 * down, 240 - 150 * across};
    EXPECT_EQ(walk(slanted, straight(a, b, kSpeed, 100ms)), (Crossed{1, 0})) << degrees;
    EXPECT_EQ(walk(slanted, straight(b, a, kSpeed, 100ms)), (Crossed{0, 1})) << degrees;
  }
}

TEST(Lines, AreSegmentsWithTheirEnds) {
  // From y=120 to y=240.
  const LineDefinition half = line(0.5, 0.25, 0.5, 0.5);
  for (double y : {120.0, 120.5, 180.0, 239.5, 240.0})
    EXPECT_EQ(walk(half, straight({220, y}, {420, y}, kSpeed, 100ms)), (Crossed{1, 0})) << y;
  for (double y : {20.0, 119.0, 241.0, 400.0})
    EXPECT_EQ(walk(half, straight({220, y}, {420, y}, kSpeed, 100ms)), (Crossed{0, 0})) << y;
  // A diagonal one, whose ends are no round numbers, exactly through its second end.
  const LineDefinition slanted = line(0.21, 0.33, 0.47, 0.71);
  const Point2 end{0.47 * 640, 0.71 * 480};
  EXPECT_EQ(
      walk(slanted, straight({end.x - 60, end.y + 60}, {end.x + 60, end.y - 60}, kSpeed, 100ms)),
      (Crossed{1, 0}));
}

TEST(Lines, AnAnchorExactlyOnTheLineIsNotLost) {
  // With steps of 10 pixels, one frame is exactly on the line; standing there changes nothing.
  Path path = straight({220, 300}, {320, 300}, 100, 100ms);
  stay(path, 500ms, 100ms);
  const Path rest = straight({320, 300}, {420, 300}, 100, 100ms, path.back().time);
  path.insert(path.end(), rest.begin() + 1, rest.end());
  EXPECT_EQ(walk(middle(), path), (Crossed{1, 0}));
}

TEST(Lines, WhoWalksAlongTheLineAndOffAtItsSideCrosses) {
  const LineDefinition half = line(0.5, 0.25, 0.5, 0.5);
  // On to it beyond its end, along it on exactly its course, and off to the other side.
  Path path = straight({220, 60}, {320, 60}, kSpeed, 100ms);
  for (const auto &[from, to] :
       {std::pair{Point2{320, 60}, Point2{320, 180}}, {Point2{320, 180}, Point2{420, 180}}}) {
    const Path more = straight(from, to, kSpeed, 100ms, path.back().time);
    path.insert(path.end(), more.begin() + 1, more.end());
  }
  EXPECT_EQ(walk(half, path), (Crossed{1, 0}));
}

TEST(Lines, WhoPassesTheWholeSegmentAlongItMeetsIt) {
  const LineDefinition half = line(0.5, 0.25, 0.5, 0.5);
  const auto along = [&](double from, double to) {
    Path path = straight({220, from}, {320, from}, 100, 100ms);
    path.push_back({path.back().time + 1s, 320, to});
    const Path rest = straight({330, to}, {420, to}, 100, 100ms, path.back().time + 100ms);
    path.insert(path.end(), rest.begin(), rest.end());
    return walk(half, path);
  };
  EXPECT_EQ(along(60, 300), (Crossed{1, 0}));
  EXPECT_EQ(along(60, 100), (Crossed{0, 0}));
}

TEST(Lines, StopAndGoOnTheLineCountsOnce) {
  Path path = straight({220, 300}, {316, 300}, kSpeed, 100ms);
  for (int i = 0; i < 300; i++) {
    const Step last = path.back();
    path.push_back({last.time + 100ms, 320.0 + (i % 3 - 1) * 7, 300});
  }
  const Path rest = straight({320, 300}, {420, 300}, kSpeed, 100ms, path.back().time);
  path.insert(path.end(), rest.begin() + 1, rest.end());
  EXPECT_EQ(walk(middle(), path), (Crossed{1, 0}));
}

TEST(Lines, WhoTurnsBackInTheBandOrAtOnceCountsNothing) {
  Path path = straight({220, 300}, {328, 300}, kSpeed, 100ms);
  stay(path, 3s, 100ms);
  const Path rest = straight({328, 300}, {220, 300}, kSpeed, 100ms, path.back().time);
  path.insert(path.end(), rest.begin() + 1, rest.end());
  EXPECT_EQ(walk(middle(), path), (Crossed{0, 0}));
  // A leap of the box far over the line for one frame: others count that twice.
  path = straight({220, 300}, {300, 300}, kSpeed, 100ms);
  path[path.size() / 2].x = 400;
  EXPECT_EQ(walk(middle(), stay(path, 1s, 100ms)), (Crossed{0, 0}));
}

TEST(Lines, WhoComesBackIsCountedInAndOut) {
  Path path;
  Time start{};
  for (int i = 0; i < 3; i++)
    for (const auto &[from, to] : {std::pair{250.0, 390.0}, {390.0, 250.0}}) {
      const Path leg = straight({from, 300}, {to, 300}, kSpeed, 100ms, start);
      path.insert(path.end(), leg.begin(), leg.end());
      start = path.back().time + 100ms;
    }
  EXPECT_EQ(walk(middle(), path), (Crossed{3, 3}));
}

TEST(Lines, RoundTheEndIsNotAcross) {
  const LineDefinition half = line(0.5, 0.25, 0.5, 0.5);
  const std::vector<Point2> round = {{250, 180}, {250, 60}, {390, 60}, {390, 180}, {250, 180}};
  Path path;
  Time start{};
  // Twice round the upper end and back through the segment: out, and then not out again.
  for (int lap = 0; lap < 2; lap++)
    for (std::size_t i = 0; i + 1 < round.size(); i++) {
      const Path leg = straight(round[i], round[i + 1], kSpeed, 100ms, start);
      path.insert(path.end(), leg.begin(), leg.end());
      start = path.back().time + 100ms;
    }
  EXPECT_EQ(walk(half, path), (Crossed{0, 1}));
}

TEST(Lines, ThroughTheSegmentAndBackRoundTheEndAtOnceIsNoCrossing) {
  // The way ends on side B, but what led there went round the end: the excursion does not count.
  const LineDefinition half = line(0.5, 0.25, 0.5, 0.5);
  Path path = straight({250, 110}, {300, 110}, kSpeed, 100ms);
  for (const Point2 &point : {Point2{335, 130}, {335, 100}, {300, 100}})
    path.push_back({path.back().time + 50ms, point.x, point.y});
  stay(path, 1s, 100ms);
  const Path rest = straight({300, 60}, {400, 60}, kSpeed, 100ms, path.back().time + 100ms);
  path.insert(path.end(), rest.begin(), rest.end());
  EXPECT_EQ(walk(half, path), (Crossed{0, 0}));
}

TEST(Lines, AtTheFramesEdgeCount) {
  // Feet below the picture cross a line that ends at its edge.
  EXPECT_EQ(walk(middle(), straight({220, 520}, {420, 520}, kSpeed, 100ms)), (Crossed{1, 0}));
  EXPECT_EQ(walk(line(0.5, 0.2, 0.5, 0.99), straight({220, 520}, {420, 520}, kSpeed, 100ms)),
            (Crossed{0, 0}));
  // A twentieth of the width from the edge, by way of the tracker and a detector that clips.
  for (Time step : {Time(33333333ns), Time(100ms), Time(200ms)}) {
    Line near_left(line(0.05, 0, 0.05, 1)), near_right(line(0.95, 0, 0.95, 1));
    Crossed left, right;
    Street street;
    street.play(
        step, 11s, [](double time) { return Detections{person(-40 + 70 * time, 300)}; },
        [&](double time) {
          const Time now(std::llround(time * 1e9));
          const auto &tracks = street.tracker.tracks();
          left.in += static_cast<int>(near_left.update(now, tracks, kFrame).in);
          right.in += static_cast<int>(near_right.update(now, tracks, kFrame).in);
        });
    EXPECT_EQ(right.in, 1) << step.count();
    EXPECT_EQ(left.in, 1) << step.count();
  }
}

TEST(Lines, LowFrameRatesCount) {
  for (Time period : {100ms, 250ms, 500ms, 1000ms, 2000ms})
    for (int phase = 0; phase < 10; phase++) {
      const double shift = phase * 0.1 * kSpeed * seconds(period);
      EXPECT_EQ(walk(middle(), straight({320 - 260 - shift, 300}, {640, 300}, kSpeed, period)),
                (Crossed{1, 0}))
          << period.count() << ' ' << phase;
    }
}

TEST(Lines, ABandOfNoWidthWorks) {
  LineDefinition bare = middle();
  bare.band = 0;
  bare.settle = 0ms;
  EXPECT_EQ(walk(bare, straight({220, 300}, {420, 300}, kSpeed, 100ms)), (Crossed{1, 0}));
  EXPECT_EQ(walk(bare, straight({420, 300}, {220, 300}, kSpeed, 100ms)), (Crossed{0, 1}));
}

TEST(Lines, BandAndSettleAreThoseThatWereSet) {
  const auto excursion = [](double reach, Time length) {
    Path path = straight({220, 300}, {300, 300}, kSpeed, 50ms);
    const Time start = path.back().time;
    for (Time time = 50ms; time <= length; time += 50ms)
      path.push_back({start + time, 320 + reach, 300});
    return path;
  };
  LineDefinition wide = middle();
  wide.band = 0.1;  // 48 pixels
  EXPECT_EQ(walk(wide, excursion(40, 3s)).in, 0);
  EXPECT_EQ(walk(wide, excursion(60, 3s)).in, 1);
  wide.band = 0.03;  // 14 pixels
  EXPECT_EQ(walk(wide, excursion(12, 3s)).in, 0);
  EXPECT_EQ(walk(wide, excursion(18, 3s)).in, 1);
  wide.settle = 1s;
  EXPECT_EQ(walk(wide, excursion(18, 900ms)).in, 0);
  EXPECT_EQ(walk(wide, excursion(18, 1200ms)).in, 1);
}

TEST(Lines, ADropOutOnTheLineIsBridged) {
  Path path = straight({220, 300}, {420, 300}, kSpeed, 100ms);
  for (Step &step : path)
    step.seen = step.x < 295 || step.x > 345;
  EXPECT_EQ(walk(middle(), path), (Crossed{1, 0}));
}

TEST(Lines, WhereSomebodyMightBeIsNotWhereTheyAre) {
  // Lost before the line, carried over it by the prediction, found again where they stopped.
  Line door(middle());
  Line::Crossings all;
  for (int frame = 0; frame < 40; frame++) {
    const Time now = frame * 100ms;
    Track track = track_at(1, {now, 300, 300});
    if (frame > 10 && frame < 20) {
      track.last_seen = 1s;
      track.box.x += 15 * (frame - 10);
    }
    const Line::Crossings crossed = door.update(now, {&track, 1}, kPicture);
    all.in += crossed.in;
    all.out += crossed.out;
  }
  EXPECT_EQ(all.in + all.out, 0u);
}

TEST(Lines, OnlyTheirClassCounts) {
  LineDefinition definition = middle();
  definition.label = "car";
  EXPECT_EQ(walk(definition, straight({220, 300}, {420, 300}, kSpeed, 100ms)), (Crossed{0, 0}));
}

TEST(Lines, WhoIsConfirmedLateKeepsTheirPath) {
  Line door(middle());
  unsigned in = 0;
  const Path path = straight({250, 300}, {390, 300}, 200, 33ms);
  for (std::size_t i = 0; i < path.size(); i++) {
    Track track = track_at(1, path[i]);
    track.confirmed = track.present = i + 1 == path.size();
    EXPECT_EQ(in, 0u);
    in += door.update(path[i].time, {&track, 1}, kPicture).in;
  }
  EXPECT_EQ(in, 1u);
}

TEST(Lines, WhatIsGoneIsForgotten) {
  Line door(middle());
  for (std::uint64_t id = 1; id <= 1000; id++) {
    const Track track = track_at(id, {id * 100ms, 300, 300});
    door.update(id * 100ms, {&track, 1}, kPicture);
    EXPECT_EQ(door.known(), 1u);
  }
  door.update(200s, {}, kPicture);
  EXPECT_EQ(door.known(), 0u);
}

TEST(Lines, ASizeOfItsOwnKeepsThemInPlace) {
  // The same walk in a picture of another size.
  Line door(middle());
  unsigned in = 0;
  for (const Step &step : straight({440, 600}, {840, 600}, 160, 100ms)) {
    const Track track = track_at(1, step, 200);
    in += door.update(step.time, {&track, 1}, {1280, 960}).in;
  }
  EXPECT_EQ(in, 1u);
}

TEST(Lines, ThatCannotWorkAreRefused) {
  EXPECT_EQ(error_in(middle()), "");
  EXPECT_EQ(error_in(line(0.5, 0, 0.5, 1.1)),
            "The line line leaves the frame: x1, y1, x2 and y2 are fractions of it, 0 to 1.");
  EXPECT_NE(error_in(line(0.5, NAN, 0.5, 1)).find("leaves the frame"), std::string::npos);
  EXPECT_NE(error_in(line(0.5, 0.5, 0.5, 0.5)).find("no length"), std::string::npos);
  LineDefinition broad = line(0.5, 0.4, 0.5, 0.6);
  broad.band = 0.1;
  EXPECT_EQ(error_in(broad), "");
  broad.band = 0.11;
  EXPECT_NE(error_in(broad).find("shorter than its band"), std::string::npos);
}

}  // namespace
}  // namespace npc::count
