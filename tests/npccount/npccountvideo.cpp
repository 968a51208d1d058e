// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount behind other people's detectors: it counts what they found, and lets nothing of the
// video out.
#include <map>

#include "support/counter.h"

namespace npc::test {
namespace {

class CounterVideo : public Counter {
 protected:
  void SetUp() override {
    Counter::SetUp();
    set_video_caps();
  }

  /// A frame whose every byte is 0xa5.
  static GstBuffer *picture(GstClockTime pts) {
    GstBuffer *buffer = gst_buffer_new_allocate(nullptr, 640 * 480, nullptr);
    gst_buffer_memset(buffer, 0, 0xa5, 640 * 480);
    GST_BUFFER_PTS(buffer) = pts;
    GST_BUFFER_DURATION(buffer) = 100 * GST_MSECOND;
    return buffer;
  }

  /// As DL Streamer's gvadetect writes it.
  static GstVideoRegionOfInterestMeta *add(GstBuffer *buffer, const char *label, gint x, gint y,
                                           guint width, guint height) {
    GstVideoRegionOfInterestMeta *region = gst_buffer_add_video_region_of_interest_meta(
        buffer, label, static_cast<guint>(x), static_cast<guint>(y), width, height);
    gst_video_region_of_interest_meta_add_param(
        region,
        gst_structure_new("detection", "x_min", G_TYPE_DOUBLE, x / 640.0, "x_max", G_TYPE_DOUBLE,
                          (x + static_cast<int>(width)) / 640.0, "y_min", G_TYPE_DOUBLE, y / 480.0,
                          "y_max", G_TYPE_DOUBLE, (y + static_cast<int>(height)) / 480.0,
                          "confidence", G_TYPE_DOUBLE, 0.7, "label_id", G_TYPE_INT, 1, nullptr));
    return region;
  }

  using Draw = std::function<void(GstBuffer *)>;

  /// The record of two seconds of frames with these detections.
  Record watch(const Draw &draw) {
    for (int i = 0; i <= 20; i++, now_ += 100 * GST_MSECOND) {
      GstBuffer *buffer = picture(now_);
      draw(buffer);
      EXPECT_EQ(gst_harness_push(harness_.get(), buffer), GST_FLOW_OK);
    }
    Record record = next();
    flush();
    return record;
  }

  static std::map<std::string, guint> objects(const Record &record) {
    std::map<std::string, guint> counts;
    for (guint i = 0; i < gst_npc_counts_get_n_objects(record.counts.get()); i++) {
      const auto &object = *gst_npc_counts_get_object(record.counts.get(), i);
      counts[object.name] = object.count;
    }
    return counts;
  }

  GstClockTime now_ = 0;
};

TEST_F(CounterVideo, CountsWhatOthersFound) {
  const Record record = watch([](GstBuffer *buffer) {
    add(buffer, "person", 100, 100, 40, 100);
    add(buffer, "person", 300, 100, 40, 100);
    add(buffer, "face", 110, 105, 20, 20);
    add(buffer, "traffic light", 500, 50, 20, 60);
    // Without a parameter: sure.
    gst_buffer_add_video_region_of_interest_meta(buffer, "person", 400, 100, 40, 100);
  });
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 3u);
  EXPECT_EQ(record->faces, 1u);
  EXPECT_EQ(objects(record), (std::map<std::string, guint>{{"traffic_light", 1}}));
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
}

TEST_F(CounterVideo, OtherClassesCanBePeople) {
  auto draw = [](GstBuffer *buffer) {
    add(buffer, "pedestrian", 100, 100, 40, 100);
    add(buffer, "Person", 200, 100, 40, 100);
    add(buffer, "person", 300, 100, 40, 100);
    add(buffer, "wheel chair", 400, 100, 40, 100);
    add(buffer, "dog", 500, 100, 40, 40);
  };
  Record record = watch(draw);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
  g_object_set(element(), "people-classes", " pedestrian,Person,, wheel chair ,", nullptr);
  g_autofree gchar *text = nullptr;
  g_object_get(element(), "people-classes", &text, nullptr);
  EXPECT_STREQ(text, " pedestrian,Person,, wheel chair ,");
  record = watch(draw);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 4u);
  EXPECT_EQ(objects(record)["dog"], 1u);
  g_object_set(element(), "people-classes", nullptr, nullptr);
  record = watch(draw);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
}

TEST_F(CounterVideo, PeopleOfOtherClassesAreOnLinesToo) {
  g_object_set(element(), "people-classes", "pedestrian", "lines", "door,x1=0.5,y1=0,x2=0.5,y2=1",
               nullptr);
  for (int i = 0; i <= 40; i++) {
    GstBuffer *buffer = picture(i * 100 * GST_MSECOND);
    add(buffer, "pedestrian", 200 + std::min(i, 20) * 10, 200, 40, 100);
    gst_harness_push(harness_.get(), buffer);
  }
  Record last;
  while (Record record = next())
    last = std::move(record);
  ASSERT_TRUE(last);
  EXPECT_EQ(gst_npc_counts_get_line(last.counts.get(), 0)->in_total, 1u);
}

TEST_F(CounterVideo, BoxesMayLeaveTheFrame) {
  const Record record = watch([](GstBuffer *buffer) {
    add(buffer, "person", -10, 380, 40, 200);   // over the left and lower edge
    add(buffer, "person", 620, -20, 40, 100);   // over the right and upper edge
    add(buffer, "person", 700, 100, 40, 100);   // outside
    add(buffer, "person", -100, 100, 40, 100);  // outside
    add(buffer, "person", 300, 100, 0, 100);    // of no size
    add(buffer, "person", 350, 100, G_MAXUINT, G_MAXUINT);
    add(buffer, "", 300, 100, 40, 100);
  });
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 3u) << "the last is cut at the frame's edge";
}

TEST_F(CounterVideo, VideoWithoutADetectorIsToldOfOnce) {
  auto nothing = [this](GstClockTime from, GstClockTime to) {
    for (GstClockTime pts = from; pts < to; pts += 100 * GST_MSECOND)
      gst_harness_push(harness_.get(), picture(pts));
  };
  nothing(0, 9 * GST_SECOND);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  nothing(9 * GST_SECOND, 30 * GST_SECOND);
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("put a detector before npccount"),
            std::string::npos);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
}

TEST_F(CounterVideo, AnEmptyRoomAfterADetectionIsNoFault) {
  GstBuffer *buffer = picture(0);
  add(buffer, "person", 100, 100, 40, 100);
  gst_harness_push(harness_.get(), buffer);
  for (GstClockTime pts = GST_SECOND; pts < 30 * GST_SECOND; pts += GST_SECOND)
    gst_harness_push(harness_.get(), picture(pts));
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
}

TEST_F(CounterVideo, CapsNeedNoFrameRate) {
  gst_harness_set_src_caps(harness_.get(),
                           gst_caps_from_string("video/x-raw, format=NV12, width=640, height=480"));
  const Record record = watch([](GstBuffer *buffer) { add(buffer, "person", 100, 100, 40, 100); });
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
}

TEST_F(CounterVideo, FramesAreFreedAtOnceAndNothingOfThemComesOut) {
  static const gchar *no_tags[] = {nullptr};
  static const GstMetaInfo *info =
      gst_meta_register_custom("NpcTestKept", no_tags, nullptr, nullptr, nullptr);
  ASSERT_NE(info, nullptr);
  int freed = 0;
  std::vector<guint8> pixels(640 * 480);
  Owned<GstBuffer> hidden(picture(0));
  for (int i = 0; i <= 20; i++) {
    GstBuffer *buffer = gst_buffer_new_wrapped_full(
        GST_MEMORY_FLAG_READONLY, pixels.data(), pixels.size(), 0, pixels.size(), &freed,
        [](gpointer count) { ++*static_cast<int *>(count); });
    GST_BUFFER_PTS(buffer) = i * 100 * GST_MSECOND;
    add(buffer, "person", 100, 100, 40, 100);
    GstCustomMeta *custom = gst_buffer_add_custom_meta(buffer, "NpcTestKept");
    gst_structure_set(gst_custom_meta_get_structure(custom), "frame", GST_TYPE_BUFFER, hidden.get(),
                      nullptr);
    gst_buffer_add_parent_buffer_meta(buffer, hidden.get());
    gst_video_region_of_interest_meta_add_param(
        add(buffer, "dog", 300, 100, 40, 40),
        gst_structure_new("crop", "frame", GST_TYPE_BUFFER, hidden.get(), nullptr));
    gst_harness_push(harness_.get(), buffer);
    EXPECT_EQ(freed, i + 1);
  }
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(hidden.get()), 1);
  const Record record = next();
  ASSERT_TRUE(record);
  gpointer walk = nullptr;
  EXPECT_EQ(gst_buffer_iterate_meta(record.buffer.get(), &walk), nullptr);
  EXPECT_EQ(gst_buffer_n_memory(record.buffer.get()), 1u);
  Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->sinkpad));
  Owned<GstCaps> expected(gst_caps_from_string(GST_NPC_COUNTS_CAPS));
  EXPECT_TRUE(gst_caps_is_strictly_equal(caps.get(), expected.get()));
}

TEST_F(CounterVideo, NothingOfTheVideoPassesBesideTheBuffers) {
  Owned<GstBuffer> hidden(picture(0));
  Owned<GstCaps> caps(gst_caps_from_string("video/x-raw, format=GRAY8, width=640, height=480"));
  GstSample *sample = gst_sample_new(hidden.get(), caps.get(), nullptr, nullptr);
  auto holding = [sample] {
    return gst_structure_new("picture", "sample", GST_TYPE_SAMPLE, sample, nullptr);
  };
  events(GST_EVENT_CAPS);
  gst_harness_push_event(harness_.get(),
                         gst_event_new_tag(gst_tag_list_new(GST_TAG_IMAGE, sample, nullptr)));
  for (GstEventType type : {GST_EVENT_CUSTOM_DOWNSTREAM, GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
                            GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, GST_EVENT_CUSTOM_BOTH})
    gst_harness_push_event(harness_.get(), gst_event_new_custom(type, holding()));
  GstEvent *eos = gst_event_new_eos();
  gst_structure_set(gst_event_writable_structure(eos), "sample", GST_TYPE_SAMPLE, sample, nullptr);
  gst_harness_push_event(harness_.get(), eos);
  std::string passed;
  while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
    const Owned<GstEvent> owned(event);
    passed += std::string(GST_EVENT_TYPE_NAME(event)) + " ";
    const GstStructure *structure = gst_event_get_structure(event);
    EXPECT_FALSE(structure != nullptr && gst_structure_has_field(structure, "sample"));
  }
  EXPECT_EQ(passed, "eos ");
  gst_sample_unref(sample);
}

TEST_F(CounterVideo, NoQueryReachesThroughIt) {
  bool asked = false;
  const GstPadProbeCallback note = [](GstPad *, GstPadProbeInfo *, gpointer seen) {
    *static_cast<bool *>(seen) = true;
    return GST_PAD_PROBE_OK;
  };
  GstQuery *query =
      gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty("give-me-the-frame"));
  gst_pad_add_probe(harness_->srcpad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM, note, &asked, nullptr);
  EXPECT_FALSE(gst_pad_peer_query(harness_->sinkpad, query));
  EXPECT_FALSE(asked);
  gst_pad_add_probe(harness_->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, note, &asked, nullptr);
  EXPECT_FALSE(gst_pad_peer_query(harness_->srcpad, query));
  EXPECT_FALSE(asked);
  gst_query_unref(query);

  Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->srcpad));
  query = gst_query_new_allocation(caps.get(), TRUE);
  EXPECT_TRUE(gst_pad_peer_query(harness_->srcpad, query));
  EXPECT_FALSE(asked) << "no pool of somebody downstream holds a frame";
  EXPECT_TRUE(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  EXPECT_EQ(gst_query_get_n_allocation_pools(query), 0u);
  gst_query_unref(query);
}

}  // namespace
}  // namespace npc::test
