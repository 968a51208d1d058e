// SPDX-License-Identifier: LGPL-2.1-or-later
// What holds of lines and zones however people walk.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "support/street.h"
#include "support/walk.h"

namespace npc::count {

void showValue(const Step &step, std::ostream &out) {
  out << step.time.count() / 1000000 << " ms: " << step.x << ", " << step.y
      << (step.seen ? "" : " (not seen)");
}
void showValue(const LineDefinition &line, std::ostream &out) {
  out << line.x1 << ", " << line.y1 << " to " << line.x2 << ", " << line.y2;
}
void showValue(const Crossed &crossed, std::ostream &out) {
  out << crossed.in << " in, " << crossed.out << " out";
}

namespace {

rc::Gen<double> share() {
  return rc::gen::map(rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, 101)),
                      [](int hundredths) { return hundredths / 100.0; });
}

// A segment anywhere in the frame, or all across it.
rc::Gen<LineDefinition> any_line() {
  return rc::gen::suchThat(
      rc::gen::map(rc::gen::tuple(share(), share(), share(), share()),
                   [](const auto &ends) {
                     const auto &[x1, y1, x2, y2] = ends;
                     return line(x1, y1, x2, y2);
                   }),
      [](const LineDefinition &definition) { return error_in(definition).empty(); });
}

// Leaps of up to 60 pixels around the middle of the picture, stops, drop-outs, 10 to 1000 ms apart.
rc::Gen<Path> any_path() {
  const auto leap = rc::gen::tuple(rc::gen::inRange(-60, 61), rc::gen::inRange(-60, 61),
                                   rc::gen::inRange(1, 100), rc::gen::inRange(0, 8));
  const auto walk = rc::gen::map(
      rc::gen::pair(rc::gen::pair(rc::gen::inRange(100, 540), rc::gen::inRange(100, 380)),
                    rc::gen::container<std::vector<std::tuple<int, int, int, int>>>(leap)),
      [](const auto &start_and_leaps) {
        const auto &[start, leaps] = start_and_leaps;
        Path path = {
            {Time::zero(), static_cast<double>(start.first), static_cast<double>(start.second)}};
        for (const auto &[across, down, pause, luck] : leaps) {
          Step step = path.back();
          step.time += pause * 10ms;
          step.seen = luck != 0;
          if (luck > 1) {
            step.x = std::clamp(step.x + across, 0.0, 640.0);
            step.y = std::clamp(step.y + down, 0.0, 480.0);
          }
          path.push_back(step);
        }
        return path;
      });
  // RapidCheck begins with small numbers and few of them: nobody would get to the line.
  return rc::gen::resize(rc::kNominalSize, walk);
}

// Twice as many frames on the same way.
Path doubled(const Path &path) {
  Path result;
  for (const Step &step : path) {
    if (!result.empty()) {
      const Step &last = result.back();
      result.push_back({(last.time + step.time) / 2, (last.x + step.x) / 2, (last.y + step.y) / 2});
    }
    result.push_back(step);
  }
  return result;
}

Path all_seen(Path path) {
  std::erase_if(path, [](const Step &step) { return !step.seen; });
  return path;
}

double away(const LineDefinition &line, const Step &step) {
  const double across = (line.x2 - line.x1) * 640, down = (line.y2 - line.y1) * 480;
  return ((step.x - line.x1 * 640) * down - (step.y - line.y1 * 480) * across) /
         std::hypot(across, down);
}

RC_GTEST_PROP(Crossings, AreAtMostOneMoreInOneDirection, ()) {
  const LineDefinition line = *any_line();
  const Path path = *any_path();
  Crossed last;
  walk(line, path, [&](const Crossed &now) {
    RC_ASSERT(now.in >= last.in && now.out >= last.out);
    RC_ASSERT(std::abs(now.in - now.out) <= 1);
    last = now;
  });
  RC_CLASSIFY(last.in + last.out > 0, "some crossed");
}

// A walk like any other, but over a line all across the frame: there is no way round.
RC_GTEST_PROP(Crossings, EqualTheChangeOfSides, ()) {
  const Path path = all_seen(*any_path());
  LineDefinition line = middle();
  const Crossed crossed = walk(line, path);
  if (crossed.in != crossed.out) {
    const bool in = crossed.in > crossed.out;
    const auto is_far = [&](const Step &step) {
      return in ? away(line, step) > 10 : away(line, step) < -10;
    };
    RC_ASSERT(std::any_of(path.begin(), path.end(), is_far));
  }
  RC_CLASSIFY(crossed.in != crossed.out, "changed sides");
}

RC_GTEST_PROP(Crossings, SwapInTheMirror, ()) {
  const LineDefinition definition = *any_line();
  const Path path = *any_path();
  const Crossed crossed = walk(definition, path);
  Path mirrored = path;
  for (Step &step : mirrored)
    step.x = 640 - step.x;
  const Crossed swapped{crossed.out, crossed.in};
  RC_ASSERT(walk(line(1 - definition.x1, definition.y1, 1 - definition.x2, definition.y2),
                 mirrored) == swapped);
  RC_ASSERT(walk(line(definition.x2, definition.y2, definition.x1, definition.y1), path) ==
            swapped);
}

RC_GTEST_PROP(Crossings, DoNotDependOnTheFrameRate, ()) {
  const LineDefinition line = *any_line();
  const Path path = all_seen(*any_path());
  const Crossed crossed = walk(line, path);
  RC_ASSERT(walk(line, doubled(path)) == crossed);
  RC_ASSERT(walk(line, doubled(doubled(path))) == crossed);
}

RC_GTEST_PROP(Crossings, NeedMoreThanTheBand, ()) {
  // Settled on side A; from there on the path is anywhere in the band.
  const LineDefinition line = *any_line();
  Path path = all_seen(*any_path());
  const double across = (line.x2 - line.x1) * 640, down = (line.y2 - line.y1) * 480;
  const double length = std::hypot(across, down);
  for (Step &step : path) {
    const double off = away(line, step) - std::fmod(away(line, step), 9.9);
    step.x -= off * down / length;
    step.y += off * across / length;
  }
  Step before{Time::zero(), path[0].x - 40 * down / length, path[0].y + 40 * across / length};
  Path whole = {before};
  stay(whole, 1s, 100ms);
  const Time start = whole.back().time + 100ms;
  for (Step step : path) {
    step.time += start;
    whole.push_back(step);
  }
  RC_ASSERT(walk(line, whole) == (Crossed{0, 0}));
}

RC_GTEST_PROP(Crossings, NeedMoreThanAMoment, ()) {
  // From side A, excursions of any reach and less than the time to settle.
  const Path path = all_seen(*any_path());
  Path whole = {{Time::zero(), 250, 300}};
  for (const Step &step : path) {
    stay(whole, 300ms, 100ms);
    whole.push_back({whole.back().time + 60ms, step.x, step.y});
    whole.push_back({whole.back().time + 60ms, 250, 300});
  }
  RC_ASSERT(walk(middle(), whole) == (Crossed{0, 0}));
}

RC_GTEST_PROP(Crossings, NeedABeginningBeforeTheLine, ()) {
  // Never on side A: beyond the line, or in its band.
  Path path = *any_path();
  for (Step &step : path)
    step.x = std::max(step.x, 311.0);
  RC_ASSERT(walk(middle(), path) == (Crossed{0, 0}));
}

// Somebody who walks straight through is counted once, whatever the detector does on the way.
RC_GTEST_PROP(Crossings, AreCountedThroughNoiseAndDropOuts, ()) {
  const Time step = *rc::gen::element<Time>(33333333ns, 50ms, 100ms, 200ms);
  const double speed = *rc::gen::inRange(50, 150);  // pixels a second
  const bool rightward = *rc::gen::arbitrary<bool>();
  const int lost = *rc::gen::inRange(0, 60), lost_for = *rc::gen::inRange(0, 8);
  std::mt19937 random(*rc::gen::arbitrary<unsigned>());
  const double seconds_in_all = 600 / speed;
  Street street;
  Rules rules;
  LineDefinition steady = middle();
  rules.define({{steady}, {}});
  int frame = 0;
  street.play(
      step, Time(std::llround(seconds_in_all * 1e9)),
      [&](double time) {
        // Out of sight for up to 0.8 s, somewhere on the way.
        const double begin = seconds_in_all * lost / 60;
        if (frame++ * seconds(step) >= begin && time < begin + lost_for * 0.1)
          return Detections{};
        const double x = rightward ? 20 + speed * time : 620 - speed * time;
        return Detections{shaken(person(x, 300), random, 0.01)};
      },
      [&](double time) {
        rules.update(Time(std::llround(time * 1e9)), street.tracker.tracks(), kFrame);
      });
  const LineTotals totals = rules.totals().at("line");
  RC_ASSERT(totals == (rightward ? LineTotals{1, 0} : LineTotals{0, 1}));
}

// A crowd of nonsense: boxes anywhere, appearing and vanishing.
RC_GTEST_PROP(Totals, NeverFallAndAreTheSumOfTheWindows, ()) {
  std::mt19937 random(*rc::gen::arbitrary<unsigned>());
  Tracker tracker;
  tracker.set_frame_size(kFrame);
  Rules rules;
  LineDefinition slanted = line(0.3, 0.2, 0.7, 0.9);
  slanted.name = "slanted";
  const ZoneDefinition zone{"zone", "person", {{0.2, 0.2}, {0.8, 0.2}, {0.5, 0.9}}, {}, 200ms};
  rules.define({{middle(), slanted}, {zone}});
  Totals last = rules.totals();
  std::map<std::string, LineTotals> sums;
  std::vector<Point2> people(1 + random() % 8);
  for (Point2 &one : people)
    one = {static_cast<double>(random() % 640), static_cast<double>(100 + random() % 380)};
  std::normal_distribution<double> leap(0, 15);
  Time now{};
  for (int frame = 0; frame < 300; frame++) {
    now += (1 + random() % 40) * 10ms;
    Detections seen;
    for (Point2 &one : people) {
      one = {std::clamp(one.x + leap(random), 0.0, 640.0),
             std::clamp(one.y + leap(random), 100.0, 480.0)};
      if (random() % 5 != 0)
        seen.push_back(person(one.x, one.y));
    }
    tracker.update(now, clipped(seen));
    rules.update(now, tracker.tracks(), kFrame);
    for (const auto &[name, totals] : rules.totals()) {
      RC_ASSERT(totals.in >= last[name].in && totals.out >= last[name].out);
      last[name] = totals;
    }
    if (random() % 20 != 0)
      continue;
    const RuleCounts counts = rules.close();
    for (const auto &[name, in, out, totals] : counts.lines) {
      sums[name].in += in;
      sums[name].out += out;
      RC_ASSERT((sums[name] == totals));
    }
    RC_ASSERT(counts.zones[0].counts.people <= counts.zones[0].counts.most_people);
    RC_ASSERT(counts.zones[0].counts.dwell >= Time::zero() && counts.zones[0].counts.dwell <= now);
  }
  RC_CLASSIFY(sums["line"].in + sums["slanted"].out > 0, "some crossed");
}

RC_GTEST_PROP(Dwell, IsThatOfTheTruthWithinAFrame, ()) {
  const Time period = *rc::gen::element<Time>(33333333ns, 50ms, 100ms, 200ms, 500ms);
  const double speed = *rc::gen::inRange(30, 100), y = *rc::gen::inRange(130, 450);
  const int left = *rc::gen::inRange(15, 40), right = *rc::gen::inRange(60, 85);
  const Time pause = *rc::gen::inRange(0, 100) * 100ms;
  ZoneDefinition definition{"zone", "person", {}, {}, 200ms};
  definition.points = {
      {left / 100.0, 0}, {right / 100.0, 0}, {right / 100.0, 1}, {left / 100.0, 1}};
  const double from = left * 6.4, to = right * 6.4;

  Path path = straight({20, y}, {(from + to) / 2, y}, speed, period);
  const Time came(std::llround((from - 20) / speed * 1e9));
  stay(path, pause, period);
  const Path rest = straight({(from + to) / 2, y}, {620, y}, speed, period, path.back().time);
  const Time went = rest.front().time + Time(std::llround((to - (from + to) / 2) / speed * 1e9));
  path.insert(path.end(), rest.begin() + 1, rest.end());

  Zone zone(definition);
  for (const Step &step : path) {
    const Track track = track_at(1, step);
    zone.update(step.time, {&track, 1}, kPicture);
  }
  const ZoneCounts counts = zone.close();
  RC_ASSERT(counts.entered == 1u);
  RC_ASSERT(counts.most_people == 1u);
  const Time off = counts.dwell - (went - came);
  RC_ASSERT(off <= period && off >= -period);
}

// As far as it can be: the distance to a border with corners does not change evenly.
RC_GTEST_PROP(Dwell, DoesNotDependOnTheFrameRate, ()) {
  const Path path = all_seen(*any_path());
  const auto seen = [](const Path &steps) {
    Zone zone({"zone", "person", {{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}, {}, 200ms});
    for (const Step &step : steps) {
      const Track track = track_at(1, step);
      zone.update(step.time, {&track, 1}, kPicture);
    }
    zone.update(steps.back().time + 1s, {}, kPicture);
    return zone.close();
  };
  const ZoneCounts once = seen(path), twice = seen(doubled(path));
  RC_ASSERT(once.entered == twice.entered);
  RC_ASSERT(once.dwell - twice.dwell < 1us && twice.dwell - once.dwell < 1us);
  RC_CLASSIFY(once.dwell > 0s, "some stayed");
}

}  // namespace
}  // namespace npc::count
