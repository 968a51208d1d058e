// SPDX-License-Identifier: LGPL-2.1-or-later
// What holds of points and polygons, wherever they are.
#include "base/polygon.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace npc {

void showValue(const Corner &corner, std::ostream &out) {
  out << corner.x << ", " << corner.y;
}

namespace {

using Partition = std::vector<Corners>;

// The polygon as another user would list it: from another corner on, or the other way round.
Corners listed(Corners corners) {
  const int first = *rc::gen::inRange(0, static_cast<int>(corners.size()));
  std::rotate(corners.begin(), corners.begin() + first, corners.end());
  if (*rc::gen::arbitrary<bool>())
    std::reverse(corners.begin(), corners.end());
  return corners;
}

// A net of quadrilaterals, of which some are cut into triangles.
Partition net() {
  const int across = *rc::gen::inRange(1, 6), down = *rc::gen::inRange(1, 6);
  std::vector<Corners> knots(static_cast<std::size_t>(down) + 1);
  for (int y = 0; y <= down; y++) {
    for (int x = 0; x <= across; x++) {
      // The net's edge is the frame's; within it, knots are anywhere near their place.
      const auto moved = [](int at, int of) {
        const int by = at == 0 || at == of ? 0 : *rc::gen::inRange(-20, 21);
        return (at + by / 100.0) / of;
      };
      knots[static_cast<std::size_t>(y)].push_back({moved(x, across), moved(y, down)});
    }
  }
  Partition partition;
  for (std::size_t y = 0; y + 1 < knots.size(); y++) {
    for (std::size_t x = 0; x + 1 < knots[y].size(); x++) {
      const Corner a = knots[y][x], b = knots[y][x + 1], c = knots[y + 1][x + 1],
                   d = knots[y + 1][x];
      if (*rc::gen::arbitrary<bool>()) {
        partition.push_back(listed({a, b, c, d}));
      } else {
        partition.push_back(listed({a, b, c}));
        partition.push_back(listed({a, c, d}));
      }
    }
  }
  return partition;
}

// Rectangles, each cut out of another: corners lie on others' sides.
Partition tiles() {
  Partition partition = {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
  const int cuts = *rc::gen::inRange(0, 12);
  for (int i = 0; i < cuts; i++) {
    const auto chosen =
        static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(partition.size())));
    const Corners whole = partition[chosen];
    const Corner least = whole[0], most = whole[2];
    const double share = *rc::gen::inRange(1, 100) / 100.0;
    Corner low = most, high = least;
    if (*rc::gen::arbitrary<bool>())
      low.x = high.x = least.x + share * (most.x - least.x);
    else
      low.y = high.y = least.y + share * (most.y - least.y);
    const auto tile = [](const Corner &from, const Corner &to) {
      return Corners{from, {to.x, from.y}, to, {from.x, to.y}};
    };
    partition[chosen] = tile(least, low);
    partition.push_back(tile(high, most));
  }
  return partition;
}

void expect_one(const Partition &partition, const Corner &point) {
  const auto holders = std::count_if(partition.begin(), partition.end(),
                                     [&](const Corners &each) { return contains(each, point); });
  RC_LOG() << point.x << ", " << point.y;
  RC_ASSERT(holders == 1);
}

// Corners, the frame's among them, what is on a side, what is level with a corner, and anywhere.
void expect_one_each(const Partition &partition) {
  std::vector<double> xs = {0, 1}, ys = {0, 1};
  for (const Corners &corners : partition) {
    for (const Corner &corner : corners) {
      const Corner &other = &corner == &corners.back() ? corners.front() : (&corner)[1];
      expect_one(partition, corner);
      expect_one(partition, {(corner.x + other.x) / 2, (corner.y + other.y) / 2});
      xs.push_back(corner.x);
      ys.push_back(corner.y);
    }
  }
  for (int i = 0; i < 20; i++) {
    const double anywhere = *rc::gen::inRange(0, 1001) / 1000.0;
    expect_one(partition, {*rc::gen::elementOf(xs), *rc::gen::elementOf(ys)});
    expect_one(partition, {*rc::gen::elementOf(xs), anywhere});
    expect_one(partition, {anywhere, *rc::gen::elementOf(ys)});
    expect_one(partition, {anywhere, *rc::gen::inRange(0, 1001) / 1000.0});
  }
}

RC_GTEST_PROP(Polygons, ThatAreANetHaveEachPointOnce, ()) {
  expect_one_each(net());
}

RC_GTEST_PROP(Polygons, ThatAreTilesHaveEachPointOnce, ()) {
  expect_one_each(tiles());
}

TEST(Polygons, HaveTheirUpperAndLeftBorders) {
  const Corners square = {{0.25, 0.25}, {0.75, 0.25}, {0.75, 0.75}, {0.25, 0.75}};
  EXPECT_TRUE(contains(square, {0.25, 0.25}));
  EXPECT_TRUE(contains(square, {0.25, 0.5}));
  EXPECT_TRUE(contains(square, {0.5, 0.25}));
  EXPECT_FALSE(contains(square, {0.75, 0.5}));
  EXPECT_FALSE(contains(square, {0.5, 0.75}));
  EXPECT_FALSE(contains(square, {0.75, 0.75}));
}

TEST(Polygons, HaveWhatIsBeyondTheFrameAtItsEdge) {
  const Corners right = {{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}};
  for (const Corner &point : Corners{{1, 1}, {1, 0.5}, {0.75, 1}, {1.5, 2}, {0.75, -1}})
    EXPECT_TRUE(contains(right, point)) << point.x << ", " << point.y;
  EXPECT_FALSE(contains(right, {-1, 0.5}));
}

}  // namespace
}  // namespace npc
