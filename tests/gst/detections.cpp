// SPDX-License-Identifier: LGPL-2.1-or-later
// Adding detections to a buffer and walking them.
#include <gst/npc/npc.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

namespace {

using Buffer = std::unique_ptr<GstBuffer, decltype(&gst_buffer_unref)>;
Buffer make_buffer() {
  return {gst_buffer_new(), gst_buffer_unref};
}

GstNpcDetection person(double x, double y, double width, double height) {
  return {"person", x, y, width, height, 0.75, FALSE, {}};
}

TEST(Detections, ComeBackAsTheyWere) {
  Buffer buffer = make_buffer();
  GstNpcDetection weak = {"face", 1, 2, 3, 4, 0.25, TRUE, {}};
  GstNpcDetection strong = person(10, 20, 30, 40);
  ASSERT_TRUE(gst_npc_buffer_add_detection(buffer.get(), &strong, 100, 100));
  ASSERT_TRUE(gst_npc_buffer_add_detection(buffer.get(), &weak, 100, 100));

  gpointer state = nullptr;
  GstNpcDetection found;
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
  EXPECT_STREQ(found.label, "person");
  EXPECT_EQ(found.x, 10);
  EXPECT_EQ(found.y, 20);
  EXPECT_EQ(found.width, 30);
  EXPECT_EQ(found.height, 40);
  EXPECT_EQ(found.confidence, 0.75);
  EXPECT_FALSE(found.weak);
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
  EXPECT_STREQ(found.label, "face");
  EXPECT_EQ(found.confidence, 0.25);
  EXPECT_TRUE(found.weak);
  EXPECT_FALSE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
}

TEST(Detections, AreClippedToTheFrame) {
  Buffer buffer = make_buffer();
  GstNpcDetection over = person(-10, -20, 1000, 1000);
  ASSERT_TRUE(gst_npc_buffer_add_detection(buffer.get(), &over, 64, 48));
  gpointer state = nullptr;
  GstNpcDetection found;
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
  EXPECT_EQ(found.x, 0);
  EXPECT_EQ(found.y, 0);
  EXPECT_EQ(found.width, 64);
  EXPECT_EQ(found.height, 48);
}

TEST(Detections, OutsideOrBrokenAreRefused) {
  Buffer buffer = make_buffer();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (GstNpcDetection bad :
       {person(64, 0, 10, 10), person(-10, 0, 10, 10), person(0, 48, 10, 10), person(0, 0, 0, 10),
        person(10, 10, -5, 5), person(nan, 0, 1, 1), person(0, 0, infinity, 1)}) {
    EXPECT_FALSE(gst_npc_buffer_add_detection(buffer.get(), &bad, 64, 48));
  }
  gpointer state = nullptr;
  GstNpcDetection found;
  EXPECT_FALSE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
}

TEST(Detections, OfOthersAreRead) {
  Buffer buffer = make_buffer();
  auto *meta = gst_buffer_add_video_region_of_interest_meta(buffer.get(), "vehicle", 1, 2, 3, 4);
  gst_video_region_of_interest_meta_add_param(
      meta, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, nullptr));
  gst_buffer_add_video_region_of_interest_meta(buffer.get(), "dog", 5, 6, 7, 8);

  gpointer state = nullptr;
  GstNpcDetection found;
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
  EXPECT_STREQ(found.label, "vehicle");
  EXPECT_EQ(found.confidence, 0.5);
  ASSERT_TRUE(gst_npc_buffer_iterate_detections(buffer.get(), &state, &found));
  EXPECT_STREQ(found.label, "dog");
  EXPECT_EQ(found.confidence, 1.0);
  EXPECT_FALSE(found.weak);
}

}  // namespace
