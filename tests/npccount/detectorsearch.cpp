// SPDX-License-Identifier: LGPL-2.1-or-later
// When video may have no detector.
#include "npccount/core/detectorsearch.h"

#include <gtest/gtest.h>

using namespace npc::count;

namespace npc::count {
namespace {

using namespace std::chrono_literals;

TEST(DetectorSearch, ComplainsOnceAfterTenSeconds) {
  DetectorSearch search;
  search.begin();
  EXPECT_FALSE(search.note(5s, false));
  EXPECT_FALSE(search.note(14999ms, false));
  EXPECT_TRUE(search.note(15s, false));
  EXPECT_FALSE(search.note(16s, false));
}

TEST(DetectorSearch, OneDetectionIsEnough) {
  DetectorSearch search;
  search.begin();
  EXPECT_FALSE(search.note(0s, false));
  EXPECT_FALSE(search.note(1s, true));
  EXPECT_FALSE(search.note(60s, false));
}

TEST(DetectorSearch, DetectionsHaveADetector) {
  DetectorSearch search;
  EXPECT_FALSE(search.note(0s, false));
  EXPECT_FALSE(search.note(60s, false));
  search.begin();
  search.end();
  EXPECT_FALSE(search.note(60s, false));
  EXPECT_FALSE(search.note(90s, false));
}

TEST(DetectorSearch, BeginsAnewWithTime) {
  DetectorSearch search;
  search.begin();
  EXPECT_FALSE(search.note(100s, false));
  search.restart();
  EXPECT_FALSE(search.note(1s, false));
  EXPECT_TRUE(search.note(11s, false));
  search.restart();
  EXPECT_FALSE(search.note(100s, false)) << "it has been said";
}

}  // namespace
}  // namespace npc::count
