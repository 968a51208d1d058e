// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount behind detectors that write GStreamer's analytics metadata.
// Its headers have arrays without a length, which are no C++.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <gst/analytics/analytics.h>
#pragma GCC diagnostic pop

#include "support/counter.h"

namespace npc::test {
namespace {

class CounterAnalytics : public Counter {
 protected:
  /// The record of two seconds of frames, on each of which `draw` writes.
  template <typename Draw>
  Record watch(Draw draw) {
    set_video_caps();
    for (int i = 0; i <= 20; i++) {
      GstBuffer *buffer = make_frame(i * 100 * GST_MSECOND, {});
      draw(buffer, gst_buffer_add_analytics_relation_meta(buffer));
      EXPECT_EQ(gst_harness_push(harness_.get(), buffer), GST_FLOW_OK);
    }
    return next();
  }

  static GstAnalyticsODMtd add(GstAnalyticsRelationMeta *meta, const char *label, int x, int y,
                               int width, int height) {
    GstAnalyticsODMtd object;
    EXPECT_TRUE(gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_string(label), x, y,
                                                       width, height, 0.8f, &object));
    return object;
  }
};

TEST_F(CounterAnalytics, CountsItsObjects) {
  g_object_set(element(), "people-classes", "pedestrian", nullptr);
  const Record record = watch([](GstBuffer *, GstAnalyticsRelationMeta *meta) {
    add(meta, "person", 100, 100, 40, 100);
    add(meta, "pedestrian", -10, 300, 40, 300);
    add(meta, "person", 700, 100, 40, 100);  // outside
    add(meta, "car", 300, 100, 90, 60);
    // Other kinds of metadata are passed over.
    const GstAnalyticsODMtd tracked = add(meta, "person", 500, 100, 40, 100);
    GstAnalyticsTrackingMtd tracking;
    EXPECT_TRUE(gst_analytics_relation_meta_add_tracking_mtd(meta, 7, 0, &tracking));
    EXPECT_TRUE(gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                                         tracked.id, tracking.id));
  });
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 3u);
  ASSERT_EQ(gst_npc_counts_get_n_objects(record.counts.get()), 1u);
  EXPECT_STREQ(gst_npc_counts_get_object(record.counts.get(), 0)->name, "car");
}

TEST_F(CounterAnalytics, WhatIsWrittenBothWaysCountsOnce) {
  const Record record = watch([](GstBuffer *buffer, GstAnalyticsRelationMeta *meta) {
    for (int x : {100, 300}) {
      add(meta, "person", x, 100, 40, 100);
      gst_buffer_add_video_region_of_interest_meta(buffer, "person", x, 100, 40, 100);
    }
  });
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 2u);
  EXPECT_EQ(record->people_max, 2u);
}

TEST_F(CounterAnalytics, AnEmptyMetaIsNobody) {
  const Record record = watch([](GstBuffer *, GstAnalyticsRelationMeta *) {});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people_max, 0u);
}

}  // namespace
}  // namespace npc::test
