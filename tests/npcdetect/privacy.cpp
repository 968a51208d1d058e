// SPDX-License-Identifier: LGPL-2.1-or-later
// No frame gets out of npcdetect: not as memory, not as metadata, not beside the buffers, and no
// element takes it for video.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "support/scene.h"

namespace npc::test {
namespace {

const cv::Size kSize(320, 240);

struct Free {
  void operator()(GList *list) const { gst_plugin_feature_list_free(list); }
};

/// What npcdetect may be told to look with, and how many people that finds in one frame.
struct Way {
  const char *name, *properties;
  std::size_t people;
};
void PrintTo(const Way &way, std::ostream *out) {
  *out << way.name;
}

class Privacy : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    harness_.reset(
        gst_harness_new_parse((std::string("npcdetect ") + GetParam().properties).c_str()));
    element_.reset(gst_harness_find_element(harness_.get(), "npcdetect"));
    gst_harness_set_src_caps(harness_.get(), frame_caps(GST_VIDEO_FORMAT_NV12, kSize).release());
  }

  Owned<GstBuffer> frame() { return make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12); }

  Owned<GstBuffer> analyse(GstBuffer *input) {
    EXPECT_EQ(gst_harness_push(harness_.get(), input), GST_FLOW_OK);
    return Owned<GstBuffer>(gst_harness_pull(harness_.get()));
  }

  Owned<GstHarness> harness_;
  Owned<GstElement> element_;
};

/// The metas on a buffer that are not regions of interest with exactly our parameter.
int foreign_metas(GstBuffer *buffer) {
  int foreign = 0;
  gpointer state = nullptr;
  while (GstMeta *meta = gst_buffer_iterate_meta(buffer, &state)) {
    if (meta->info->api != GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) {
      ++foreign;
      continue;
    }
    auto *region = reinterpret_cast<GstVideoRegionOfInterestMeta *>(meta);
    foreign +=
        g_list_length(region->params) != 1 ||
        !gst_structure_has_name(static_cast<GstStructure *>(region->params->data), "npc-detection");
  }
  return foreign;
}

TEST_P(Privacy, OutputHasNoMemory) {
  Owned<GstBuffer> output = analyse(frame().release());
  EXPECT_EQ(gst_buffer_n_memory(output.get()), 0u);
  EXPECT_EQ(gst_buffer_get_size(output.get()), 0u);
  EXPECT_EQ(strong_detections(output.get()).size(), GetParam().people);
}

TEST_P(Privacy, NoForeignMetaPasses) {
  // Tag-less: GstBaseTransform would copy it. It holds the frame, as the original-buffer meta of
  // gst-plugins-rs does.
  static const gchar *no_tags[] = {nullptr};
  static const GstMetaInfo *info =
      gst_meta_register_custom("NpcTestOriginal", no_tags, nullptr, nullptr, nullptr);
  ASSERT_NE(info, nullptr);
  Owned<GstBuffer> input = frame(), hidden = frame();
  GstCustomMeta *custom = gst_buffer_add_custom_meta(input.get(), "NpcTestOriginal");
  gst_structure_set(gst_custom_meta_get_structure(custom), "frame", GST_TYPE_BUFFER, hidden.get(),
                    nullptr);
  gst_buffer_add_parent_buffer_meta(input.get(), hidden.get());
  GstVideoRegionOfInterestMeta *region =
      gst_buffer_add_video_region_of_interest_meta(input.get(), "crop", 1, 1, 9, 9);
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("crop", "frame", GST_TYPE_BUFFER, hidden.get(), nullptr));

  Owned<GstBuffer> output = analyse(input.release());
  EXPECT_EQ(foreign_metas(output.get()), 0);
  EXPECT_FALSE(gst_buffer_get_meta(output.get(), info->api));
  EXPECT_FALSE(gst_buffer_get_parent_buffer_meta(output.get()));
  // Nothing holds the hidden frame any longer.
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(hidden.get()), 1);
}

TEST_P(Privacy, NoPicturePassesBesideTheBuffers) {
  Owned<GstBuffer> hidden = frame();
  Owned<GstCaps> caps = frame_caps(GST_VIDEO_FORMAT_NV12, kSize);
  GstSample *sample = gst_sample_new(hidden.get(), caps.get(), nullptr, nullptr);
  gst_harness_push_event(harness_.get(),
                         gst_event_new_tag(gst_tag_list_new(GST_TAG_IMAGE, sample, nullptr)));
  auto holding = [sample] {
    return gst_structure_new("picture", "sample", GST_TYPE_SAMPLE, sample, nullptr);
  };
  for (GstEventType type : {GST_EVENT_CUSTOM_DOWNSTREAM, GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
                            GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, GST_EVENT_CUSTOM_BOTH})
    gst_harness_push_event(harness_.get(), gst_event_new_custom(type, holding()));
  // Even the events that pass leave what they carry behind.
  GstEvent *gap = gst_event_new_gap(GST_SECOND, GST_SECOND);
  gst_structure_set(gst_event_writable_structure(gap), "sample", GST_TYPE_SAMPLE, sample, nullptr);
  gst_harness_push_event(harness_.get(), gap);
  analyse(frame().release());
  gst_harness_push_event(harness_.get(), gst_event_new_eos());

  std::string passed;
  while (GstEvent *event = gst_harness_try_pull_event(harness_.get())) {
    const Owned<GstEvent> owned(event);
    passed += std::string(GST_EVENT_TYPE_NAME(event)) + " ";
    const GstStructure *structure = gst_event_get_structure(event);
    EXPECT_FALSE(structure != nullptr && gst_structure_has_field(structure, "sample"))
        << GST_EVENT_TYPE_NAME(event);
  }
  EXPECT_EQ(passed, "stream-start caps segment gap eos ");
  gst_sample_unref(sample);
}

TEST_P(Privacy, NoQueryReachesBehindIt) {
  GstQuery *query =
      gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty("give-me-the-frame"));
  bool asked = false;
  gst_pad_add_probe(
      harness_->srcpad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM,
      [](GstPad *, GstPadProbeInfo *, gpointer seen) {
        *static_cast<bool *>(seen) = true;
        return GST_PAD_PROBE_OK;
      },
      &asked, nullptr);
  EXPECT_FALSE(gst_pad_peer_query(harness_->sinkpad, query));
  EXPECT_FALSE(asked);
  gst_query_unref(query);
}

TEST_P(Privacy, NoQueryCarriesAPictureBehindIt) {
  const Owned<GstBuffer> hidden = frame();
  std::string seen;
  gst_pad_add_probe(
      harness_->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
      [](GstPad *, GstPadProbeInfo *info, gpointer names) {
        *static_cast<std::string *>(names) +=
            std::string(GST_QUERY_TYPE_NAME(GST_PAD_PROBE_INFO_QUERY(info))) + " ";
        return GST_PAD_PROBE_OK;
      },
      &seen, nullptr);
  for (GstQuery *query :
       {gst_query_new_custom(
            GST_QUERY_CUSTOM,
            gst_structure_new("picture", "buffer", GST_TYPE_BUFFER, hidden.get(), nullptr)),
        gst_query_new_context("picture"), gst_query_new_drain()}) {
    gst_pad_peer_query(harness_->srcpad, query);
    gst_query_unref(query);
  }
  EXPECT_EQ(seen, "");
}

// A camera with two buffers never waits: when detections leave, its buffer is back, and it went
// back before detection began.
TEST_P(Privacy, BuffersGoBackBeforeDetection) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, kSize.width, kSize.height);
  Owned<GstCaps> caps = frame_caps(GST_VIDEO_FORMAT_NV12, kSize);
  GstBufferPool *pool = gst_buffer_pool_new();
  GstStructure *config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps.get(), static_cast<guint>(info.size), 2, 2);
  ASSERT_TRUE(gst_buffer_pool_set_config(pool, config));
  ASSERT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
  GstBufferPoolAcquireParams no_waiting = {};
  no_waiting.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;

  struct Check {
    GstBufferPool *pool;
    GstBufferPoolAcquireParams *params;
    int free_at_output = 0;
  } check{pool, &no_waiting};
  gst_pad_add_probe(
      harness_->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad *, GstPadProbeInfo *, gpointer data) {
        auto *check = static_cast<Check *>(data);
        GstBuffer *both[2] = {nullptr, nullptr};
        for (GstBuffer *&buffer : both)
          if (gst_buffer_pool_acquire_buffer(check->pool, &buffer, check->params) == GST_FLOW_OK)
            check->free_at_output++;
        for (GstBuffer *buffer : both)
          if (buffer != nullptr)
            gst_buffer_unref(buffer);
        return GST_PAD_PROBE_OK;
      },
      &check, nullptr);

  for (int i = 0; i < 5; ++i) {
    GstBuffer *buffer = nullptr;
    ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, &no_waiting), GST_FLOW_OK);
    analyse(buffer);
  }
  EXPECT_EQ(check.free_at_output, 10);
  gst_buffer_pool_set_active(pool, FALSE);
  gst_object_unref(pool);
}

TEST_P(Privacy, AFrameIsFreedBeforeItIsAnalysed) {
  struct Freed {
    GstElement *element;
    guint64 analysed = G_MAXUINT64, detect_time = G_MAXUINT64;
  } freed{element_.get()};
  Owned<GstBuffer> drawn = frame();
  GstMapInfo map;
  ASSERT_TRUE(gst_buffer_map(drawn.get(), &map, GST_MAP_READ));
  GstBuffer *input = gst_buffer_new_wrapped_full(
      GST_MEMORY_FLAG_READONLY, map.data, map.size, 0, map.size, &freed, [](gpointer data) {
        auto *seen = static_cast<Freed *>(data);
        GstStructure *stats = nullptr;
        g_object_get(seen->element, "stats", &stats, nullptr);
        gst_structure_get_uint64(stats, "analysed", &seen->analysed);
        gst_structure_get_uint64(stats, "detect-time", &seen->detect_time);
        gst_structure_free(stats);
      });
  Owned<GstBuffer> output = analyse(input);
  EXPECT_EQ(freed.analysed, 0u);
  EXPECT_EQ(freed.detect_time, 0u);
  EXPECT_EQ(strong_detections(output.get()).size(), GetParam().people);
  gst_buffer_unmap(drawn.get(), &map);
}

INSTANTIATE_TEST_SUITE_P(
    Each, Privacy,
    testing::Values(Way{"Hog", "", 2},
                    Way{"EachFrameWhole", "motion-gate=false detection-interval=0", 2},
                    Way{"Motion", "detector=motion", 0}, Way{"Faces", "faces=cascade", 2}),
    [](const testing::TestParamInfo<Way> &info) { return std::string(info.param.name); });

// What a picture may be on its way to a screen, an encoder or a file.
constexpr const char *kPictures[] = {"video/x-raw(ANY)", "video/x-h264", "video/x-vp8",
                                     "video/mpeg",       "image/jpeg",   "image/png",
                                     "video/x-bayer",    "image/x-icon", "application/x-rtp"};

TEST(PrivacyLinks, NothingThatTakesAPictureLinksBehindIt) {
  for (const char *picture : kPictures) {
    const Owned<GstElement> pipeline(gst_pipeline_new(nullptr));
    GstElement *detect = gst_element_factory_make("npcdetect", nullptr);
    GstElement *taker = gst_element_factory_make("capsfilter", nullptr);
    gst_bin_add_many(GST_BIN(pipeline.get()), detect, taker, nullptr);
    const Owned<GstCaps> caps(gst_caps_from_string(picture));
    g_object_set(taker, "caps", caps.get(), nullptr);
    EXPECT_FALSE(gst_element_link(detect, taker)) << picture;
  }
}

/// The caps of a sink pad of `factory` that detections may go into, as text.
std::string caps_for_detections(GstElementFactory *factory) {
  const Owned<GstCaps> detections(gst_caps_from_string(GST_NPC_DETECTIONS_CAPS));
  for (const GList *item = gst_element_factory_get_static_pad_templates(factory); item != nullptr;
       item = item->next) {
    auto *pad = static_cast<GstStaticPadTemplate *>(item->data);
    const Owned<GstCaps> caps(gst_static_pad_template_get_caps(pad));
    if (pad->direction == GST_PAD_SINK && gst_caps_can_intersect(caps.get(), detections.get())) {
      g_autofree gchar *text = gst_caps_to_string(caps.get());
      return text;
    }
  }
  return {};
}

// Whatever is installed: elements that show, encode or convert video do not take detections for it.
// Some take ANY caps: bins that choose a sink when they see what comes, such as autovideosink and
// fpsdisplaysink. What these get is in WhatTakesAnythingGetsNothing.
TEST(PrivacyLinks, VideoElementsTakeAnythingOrNoDetections) {
  const std::unique_ptr<GList, Free> all(
      gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_ELEMENT_FACTORY));
  for (GList *item = all.get(); item != nullptr; item = item->next) {
    auto *factory = GST_ELEMENT_FACTORY(item->data);
    const std::string klass = gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS);
    auto is = [&klass](const char *word) { return klass.find(word) != std::string::npos; };
    if (!(is("Video") || is("Image")) ||
        !(is("Sink") || is("Encoder") || is("Converter") || is("Scaler") || is("Effect")))
      continue;
    const std::string caps = caps_for_detections(factory);
    EXPECT_TRUE(caps.empty() || caps == "ANY")
        << GST_OBJECT_NAME(factory) << " (" << klass << "): " << caps;
  }
}

// They are of GStreamer itself, and are there wherever it is.
TEST(PrivacyLinks, WhatTakesAnythingGetsNothing) {
  for (const char *name : {"identity", "queue", "queue2", "valve", "capsfilter"}) {
    const std::string line = std::string("npcdetect ! ") + name;
    GstElementFactory *factory = gst_element_factory_find(name);
    EXPECT_EQ(caps_for_detections(factory), "ANY") << name;
    gst_object_unref(factory);
    const Owned<GstHarness> harness(gst_harness_new_parse(line.c_str()));
    gst_harness_set_src_caps(harness.get(), frame_caps(GST_VIDEO_FORMAT_NV12, kSize).release());
    for (int i = 0; i < 3; i++) {
      Owned<GstBuffer> frame = make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12,
                                          static_cast<GstClockTime>(i) * 100 * GST_MSECOND);
      ASSERT_EQ(gst_harness_push(harness.get(), frame.release()), GST_FLOW_OK) << name;
      const Owned<GstBuffer> output(gst_harness_pull(harness.get()));
      ASSERT_TRUE(output) << name;
      EXPECT_EQ(gst_buffer_get_size(output.get()), 0u) << name;
      EXPECT_EQ(gst_buffer_n_memory(output.get()), 0u) << name;
      EXPECT_EQ(foreign_metas(output.get()), 0) << name;
    }
  }
}

TEST(PrivacyLinks, AFilesinkBehindItWritesNothing) {
  g_autofree gchar *directory = g_dir_make_tmp("npc-privacy-XXXXXX", nullptr);
  ASSERT_NE(directory, nullptr);
  const std::string path = std::string(directory) + "/out";
  {
    const Owned<GstHarness> harness(
        gst_harness_new_parse(("npcdetect ! filesink location=" + path).c_str()));
    gst_harness_set_src_caps(harness.get(), frame_caps(GST_VIDEO_FORMAT_NV12, kSize).release());
    for (int i = 0; i < 3; i++) {
      Owned<GstBuffer> frame = make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_NV12,
                                          static_cast<GstClockTime>(i) * 100 * GST_MSECOND);
      EXPECT_EQ(gst_harness_push(harness.get(), frame.release()), GST_FLOW_OK);
    }
    EXPECT_TRUE(gst_harness_push_event(harness.get(), gst_event_new_eos()));
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(std::filesystem::file_size(path), 0u);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace npc::test
