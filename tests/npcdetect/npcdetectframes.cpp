// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: frames that are odd, lying, squeezed or damaged.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/guarded.h"
#include "support/scene.h"

namespace npc::test {
namespace {

const cv::Size kSize(320, 240);
// Unlike when mirrored, or upside down.
const std::vector<Person> kPeople = {{0.25, 0.9, 0.4}, {0.62, 0.74, 0.36}};

class Frames : public testing::Test {
 protected:
  void make(const std::string &launch) {
    harness_.reset(gst_harness_new_parse(launch.c_str()));
    element_.reset(gst_harness_find_element(harness_.get(), "npcdetect"));
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element_.get(), bus_.get());
  }

  void TearDown() override {
    if (element_)
      gst_element_set_bus(element_.get(), nullptr);
  }

  void set_caps(GstVideoFormat format, cv::Size size, const char *field = nullptr,
                const char *value = nullptr) {
    Owned<GstCaps> caps = frame_caps(format, size);
    if (field != nullptr)
      gst_structure_set(gst_caps_get_structure(caps.get(), 0), field, G_TYPE_STRING, value,
                        nullptr);
    gst_harness_set_src_caps(harness_.get(), caps.release());
  }

  void set_caps_with_pixels(GstVideoFormat format, cv::Size size, int width, int height) {
    Owned<GstCaps> caps = frame_caps(format, size);
    gst_caps_set_simple(caps.get(), "pixel-aspect-ratio", GST_TYPE_FRACTION, width, height,
                        nullptr);
    gst_harness_set_src_caps(harness_.get(), caps.release());
  }

  /// What comes out for a frame, if anything does.
  Owned<GstBuffer> push(Owned<GstBuffer> frame) {
    EXPECT_EQ(gst_harness_push(harness_.get(), frame.release()), GST_FLOW_OK);
    return Owned<GstBuffer>(gst_harness_try_pull(harness_.get()));
  }

  Owned<GstBuffer> push_next(const cv::Mat &scene, GstVideoFormat format = GST_VIDEO_FORMAT_GRAY8) {
    return push(make_frame(scene, format, frames_++ * 100 * GST_MSECOND));
  }

  void push_tag(const char *orientation, GstTagScope scope = GST_TAG_SCOPE_STREAM) {
    GstTagList *tags = gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, orientation, nullptr);
    gst_tag_list_set_scope(tags, scope);
    gst_harness_push_event(harness_.get(), gst_event_new_tag(tags));
  }

  guint64 stat(const char *name) { return stat_of(element_.get(), name); }

  /// GAP events until now, and how many of them say that data is missing.
  std::pair<int, int> gaps() {
    int all = 0, missing = 0;
    while (Owned<GstEvent> event{gst_harness_try_pull_event(harness_.get())}) {
      if (GST_EVENT_TYPE(event.get()) != GST_EVENT_GAP)
        continue;
      GstGapFlags flags;
      gst_event_parse_gap_flags(event.get(), &flags);
      all++;
      missing += (flags & GST_GAP_FLAG_MISSING_DATA) != 0;
    }
    return {all, missing};
  }

  Owned<GstHarness> harness_;
  Owned<GstElement> element_;
  Owned<GstBus> bus_;
  guint64 frames_ = 0;
};

void expect_people(GstBuffer *buffer, cv::Size size, const std::vector<Person> &people) {
  ASSERT_NE(buffer, nullptr);
  const auto found = strong_detections(buffer);
  ASSERT_EQ(found.size(), people.size());
  for (std::size_t i = 0; i < people.size(); ++i) {
    EXPECT_NEAR(found[i].x + found[i].width / 2, people[i].x * size.width, 0.06 * size.width);
    EXPECT_NEAR(found[i].y + found[i].height, people[i].y * size.height, 0.08 * size.height);
    EXPECT_NEAR(found[i].height, people[i].height * size.height, 0.15 * size.height);
  }
}

// A frame may be a part of a larger one. Only the part is there for us.
TEST_F(Frames, NothingIsReadBeyondTheSizeInTheCaps) {
  make("npcdetect detector=motion");
  for (const cv::Size size : {cv::Size(4000, 1), cv::Size(1, 4000), cv::Size(16384, 3)}) {
    set_caps(GST_VIDEO_FORMAT_GRAY8, size);
    gsize offset[GST_VIDEO_MAX_PLANES] = {};
    gint stride[GST_VIDEO_MAX_PLANES] = {GST_ROUND_UP_4(size.width)};
    const gsize bytes = static_cast<gsize>(stride[0]) * (size.height - 1) + size.width;
    Owned<GstBuffer> frame(gst_buffer_new());
    gst_buffer_append_memory(frame.get(), guarded_memory(bytes));
    gst_buffer_add_video_meta_full(frame.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8,
                                   size.width + 64, size.height + 64, 1, offset, stride);
    EXPECT_TRUE(push(std::move(frame))) << size;
  }
}

// Where a strip has fewer rows than a cell is wide, all of its width is watched still.
TEST_F(Frames, AStripIsWatchedToItsEnd) {
  make("npcdetect detector=hog full-scan=100000000000 detection-interval=0");
  const cv::Size size(4000, 4);
  set_caps(GST_VIDEO_FORMAT_GRAY8, size);
  cv::Mat strip(size, CV_8UC1, cv::Scalar(100));
  for (int i = 0; i < 5; ++i)
    push_next(strip);
  const guint64 looks = stat("detections");
  strip.colRange(3000, 3900).setTo(200);
  push_next(strip);
  EXPECT_EQ(stat("detections"), looks + 1);
}

// GStreamer's converter corrupts memory where the fields of one line are scaled.
TEST_F(Frames, InterlacedFramesOfFewLinesAreHarmless) {
  for (const char *launch :
       {"npcdetect detector=motion", "npcdetect detector=motion input-width=64 input-height=1"}) {
    make(launch);
    for (const char *mode : {"interleaved", "mixed", "fields"}) {
      for (const GstVideoFormat format : {GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_YUY2,
                                          GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_Y42B}) {
        for (const int rows : {1, 2, 3, 6}) {
          const cv::Size size(320, rows);
          set_caps(format, size, "interlace-mode", mode);
          for (int i = 0; i < 2; ++i)
            push_next(draw_scene(size, {}), format);
        }
      }
    }
    EXPECT_GT(stat("analysed"), 0u);
  }
}

TEST_F(Frames, InterlacedFramesShowTheSamePeople) {
  make("npcdetect detector=hog");
  for (const GstVideoFormat format : {GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_UYVY}) {
    set_caps(format, kSize, "interlace-mode", "interleaved");
    expect_people(push_next(draw_scene(kSize, kPeople), format).get(), kSize, kPeople);
  }
}

TEST_F(Frames, AbsurdSizesAreRefusedWithASentence) {
  for (const auto &[format, size] : {std::pair(GST_VIDEO_FORMAT_BGR, cv::Size(32767, 32767)),
                                     std::pair(GST_VIDEO_FORMAT_GRAY8, cv::Size(300000000, 1)),
                                     std::pair(GST_VIDEO_FORMAT_I420, cv::Size(1, 16385))}) {
    make("npcdetect");
    set_caps(format, size);
    EXPECT_EQ(gst_harness_push(harness_.get(), gst_buffer_new()), GST_FLOW_NOT_NEGOTIATED);
    EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_ERROR).find("too large"), std::string::npos) << size;
  }
}

// What a display would show has people of the usual proportions.
TEST_F(Frames, AnamorphicFramesAreLookedAtInTheShapeOfTheDisplay) {
  struct Pixels {
    int width, height;
    cv::Size frame, display;
  };
  for (const Pixels &pixels : {Pixels{2, 1, cv::Size(320, 480), cv::Size(640, 480)},
                               Pixels{1, 2, cv::Size(640, 240), cv::Size(640, 480)}}) {
    for (const GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_BGR}) {
      make("npcdetect detector=hog");
      cv::Mat squeezed;
      cv::resize(draw_scene(pixels.display, kPeople), squeezed, pixels.frame, 0, 0, cv::INTER_AREA);
      set_caps_with_pixels(format, pixels.frame, pixels.width, pixels.height);
      // Boxes are in pixels of the frame.
      expect_people(push_next(squeezed, format).get(), pixels.frame, kPeople);
    }
  }
}

TEST_F(Frames, PixelsThatCannotBeAreSquareWithOneWarning) {
  make("npcdetect detector=hog");
  for (const auto &[width, height] :
       {std::pair(0, 1), std::pair(G_MAXINT, 1), std::pair(1, 100), std::pair(1, 15)}) {
    set_caps_with_pixels(GST_VIDEO_FORMAT_NV12, kSize, width, height);
    expect_people(push_next(draw_scene(kSize, kPeople), GST_VIDEO_FORMAT_NV12).get(), kSize,
                  kPeople);
  }
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_WARNING).find("pixel-aspect-ratio"),
            std::string::npos);
  EXPECT_EQ(sentence(bus_.get(), GST_MESSAGE_WARNING), "");
}

/// `upright` as a camera delivers it whose tag says that it is to be flipped horizontally, and then
/// turned clockwise by so many quarters.
cv::Mat lay(const cv::Mat &upright, bool flip, int quarters) {
  cv::Mat lying = upright.clone();
  for (int i = 0; i < quarters; ++i)
    cv::rotate(lying, lying, cv::ROTATE_90_COUNTERCLOCKWISE);
  if (flip)
    cv::flip(lying, lying, 1);
  return lying;
}

struct Way {
  const char *tag, *direction;
  bool flip;
  int quarters;
};

class FramesThatLie : public Frames, public testing::WithParamInterface<Way> {};

TEST_P(FramesThatLie, AreTurnedAsTheirTagSays) {
  const Way &way = GetParam();
  const cv::Mat scene = draw_scene(kSize, kPeople), lying = lay(scene, way.flip, way.quarters);
  for (const GstVideoFormat format : {GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_BGR}) {
    make("npcdetect detector=hog");
    set_caps(format, lying.size());
    push_tag(way.tag);
    expect_people(push_next(lying, format).get(), kSize, kPeople);
    Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->sinkpad));
    Owned<GstCaps> expected(gst_caps_from_string(
        "application/x-npc-detections, version=1, width=320, height=240, framerate=10/1"));
    EXPECT_TRUE(gst_caps_is_strictly_equal(caps.get(), expected.get()));
    // So are masks, and the cells in which changes are seen.
    g_object_set(element_.get(), "mask", "left,points=<0,0,0.45,0,0.45,1,0,1>", nullptr);
    expect_people(push_next(lying, format).get(), kSize, {kPeople[1]});
    g_object_set(element_.get(), "mask", "right,points=<0.45,0,1,0,1,1,0.45,1>", nullptr);
    for (int i = 0; i < 3; ++i)
      expect_people(push_next(lying, format).get(), kSize, {kPeople[0]});
    const guint64 looks = stat("detections");
    cv::Mat changed = scene.clone();
    changed.colRange(kSize.width * 3 / 4, kSize.width).setTo(20);
    for (int i = 0; i < 3; ++i)
      push_next(lay(changed, way.flip, way.quarters), format);
    EXPECT_EQ(stat("detections"), looks) << "a change behind the mask was seen";
  }
}

TEST_P(FramesThatLie, AreTurnedAsThePropertySays) {
  const Way &way = GetParam();
  const cv::Mat lying = lay(draw_scene(kSize, kPeople), way.flip, way.quarters);
  make(std::string("npcdetect detector=hog video-direction=") + way.direction);
  set_caps(GST_VIDEO_FORMAT_NV12, lying.size());
  push_tag(way.quarters == 1 ? "rotate-180" : "rotate-90");
  expect_people(push_next(lying, GST_VIDEO_FORMAT_NV12).get(), kSize, kPeople);
}

INSTANTIATE_TEST_SUITE_P(
    All, FramesThatLie,
    testing::Values(Way{"rotate-0", "identity", false, 0}, Way{"rotate-90", "90r", false, 1},
                    Way{"rotate-180", "180", false, 2}, Way{"rotate-270", "90l", false, 3},
                    Way{"flip-rotate-0", "horiz", true, 0}, Way{"flip-rotate-90", "ur-ll", true, 1},
                    Way{"flip-rotate-180", "vert", true, 2},
                    Way{"flip-rotate-270", "ul-lr", true, 3}),
    [](const auto &info) {
      return (info.param.flip ? "Flipped" : "Turned") + std::to_string(90 * info.param.quarters);
    });

// A seek may flush just when frames are turned another way; caps do not come again afterwards.
TEST_F(Frames, AreTurnedThoughAFlushComesInBetween) {
  make("npcdetect detector=hog");
  set_caps(GST_VIDEO_FORMAT_GRAY8, kSize);
  const cv::Mat scene = draw_scene(kSize, kPeople);
  ASSERT_TRUE(push_next(scene));
  const Owned<GstPad> source(gst_element_get_static_pad(element_.get(), "src"));
  GST_PAD_SET_FLUSHING(source.get());
  gst_util_set_object_arg(G_OBJECT(element_.get()), "video-direction", "180");
  EXPECT_EQ(gst_harness_push(harness_.get(),
                             make_frame(scene, GST_VIDEO_FORMAT_GRAY8, GST_SECOND).release()),
            GST_FLOW_FLUSHING);
  GST_PAD_UNSET_FLUSHING(source.get());
  frames_ = 20;
  cv::Mat turned;
  cv::flip(scene, turned, -1);
  expect_people(push_next(turned).get(), kSize, kPeople);
}

TEST_F(Frames, SqueezedFramesThatLieAreBoth) {
  make("npcdetect detector=hog");
  cv::Mat squeezed;
  const cv::Mat lying = lay(draw_scene(cv::Size(640, 480), kPeople), false, 1);
  cv::resize(lying, squeezed, cv::Size(240, 640), 0, 0, cv::INTER_AREA);
  set_caps_with_pixels(GST_VIDEO_FORMAT_NV12, squeezed.size(), 2, 1);
  push_tag("rotate-90");
  expect_people(push_next(squeezed, GST_VIDEO_FORMAT_NV12).get(), cv::Size(640, 240), kPeople);
  Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->sinkpad));
  Owned<GstCaps> expected(
      gst_caps_from_string("application/x-npc-detections, version=1, width=640, height=240, "
                           "framerate=10/1, pixel-aspect-ratio=1/2"));
  EXPECT_TRUE(gst_caps_is_strictly_equal(caps.get(), expected.get()));
}

TEST_F(Frames, TheTagOfTheStreamWinsAndEndsWithIt) {
  const cv::Mat scene = draw_scene(kSize, kPeople);
  make("npcdetect detector=hog");
  set_caps(GST_VIDEO_FORMAT_GRAY8, cv::Size(kSize.height, kSize.width));
  push_tag("rotate-270", GST_TAG_SCOPE_STREAM);
  push_tag("rotate-90", GST_TAG_SCOPE_GLOBAL);
  expect_people(push_next(lay(scene, false, 3)).get(), kSize, kPeople);
  // Tags of something else say nothing of it.
  gst_harness_push_event(harness_.get(),
                         gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "somewhere", nullptr)));
  push_tag("nonsense");
  expect_people(push_next(lay(scene, false, 3)).get(), kSize, kPeople);
  gst_harness_push_event(harness_.get(), gst_event_new_stream_start("another"));
  set_caps(GST_VIDEO_FORMAT_GRAY8, kSize);
  expect_people(push_next(scene).get(), kSize, kPeople);
}

TEST_F(Frames, ThePropertyMayChangeWhileItRuns) {
  const cv::Mat scene = draw_scene(kSize, kPeople);
  make("npcdetect detector=hog");
  set_caps(GST_VIDEO_FORMAT_GRAY8, kSize);
  expect_people(push_next(scene).get(), kSize, kPeople);
  gst_util_set_object_arg(G_OBJECT(element_.get()), "video-direction", "180");
  expect_people(push_next(lay(scene, false, 2)).get(), kSize, kPeople);
  gst_util_set_object_arg(G_OBJECT(element_.get()), "video-direction", "custom");
  expect_people(push_next(lay(scene, false, 2)).get(), kSize, kPeople);
  gst_util_set_object_arg(G_OBJECT(element_.get()), "video-direction", "auto");
  expect_people(push_next(scene).get(), kSize, kPeople);
}

Owned<GstBuffer> corrupted(Owned<GstBuffer> frame) {
  GST_BUFFER_FLAG_SET(frame.get(), GST_BUFFER_FLAG_CORRUPTED);
  return frame;
}

TEST_F(Frames, CorruptedOnesAreLeftOutAndCounted) {
  make("npcdetect detector=hog interval=200000000");
  set_caps(GST_VIDEO_FORMAT_GRAY8, kSize);
  const cv::Mat scene = draw_scene(kSize, kPeople);
  auto frame = [&](int i) {
    return make_frame(scene, GST_VIDEO_FORMAT_GRAY8, i * 100 * GST_MSECOND);
  };
  EXPECT_TRUE(push(frame(0)));
  EXPECT_FALSE(push(corrupted(frame(1)))) << "nobody would have looked at it";
  EXPECT_FALSE(push(corrupted(frame(2))));
  EXPECT_FALSE(push(corrupted(frame(3))));
  expect_people(push(frame(4)).get(), kSize, kPeople);
  EXPECT_EQ(stat("analysed"), 2u);
  EXPECT_EQ(stat("corrupted"), 2u);
  EXPECT_EQ(stat("skipped"), 1u);
  EXPECT_EQ(gaps(), std::pair(3, 2));
  EXPECT_NE(sentence(bus_.get(), GST_MESSAGE_WARNING).find("damaged"), std::string::npos);
  EXPECT_EQ(sentence(bus_.get(), GST_MESSAGE_WARNING), "");
}

/// The records of two seconds of frames, of which every tenth is `spoilt`.
std::string records_with(Owned<GstBuffer> (*spoilt)(Owned<GstBuffer>)) {
  Owned<GstHarness> harness(
      gst_harness_new_parse("npcdetect detector=motion ! npccount interval=1000000000"));
  gst_harness_set_src_caps(harness.get(), frame_caps(GST_VIDEO_FORMAT_GRAY8, kSize).release());
  const cv::Mat scene = draw_scene(kSize, {});
  for (int i = 0; i < 21; ++i) {
    auto frame = make_frame(scene, GST_VIDEO_FORMAT_GRAY8, i * 100 * GST_MSECOND);
    gst_harness_push(harness.get(),
                     (i % 10 == 5 ? spoilt(std::move(frame)) : std::move(frame)).release());
  }
  std::string records;
  while (Owned<GstBuffer> record{gst_harness_try_pull(harness.get())}) {
    GstMapInfo map;
    gst_buffer_map(record.get(), &map, GST_MAP_READ);
    records.append(reinterpret_cast<const char *>(map.data), map.size);
    gst_buffer_unmap(record.get(), &map);
  }
  return records;
}

TEST_F(Frames, WindowsWithDamagedFramesAreDegraded) {
  auto shortened = [](Owned<GstBuffer> frame) {
    if (auto *meta = gst_buffer_get_video_meta(frame.get()))
      gst_buffer_remove_meta(frame.get(), &meta->meta);
    gst_buffer_set_size(frame.get(), 100);
    return frame;
  };
  const std::string sound = records_with([](Owned<GstBuffer> frame) { return frame; });
  EXPECT_NE(sound.find("\"people\":0"), std::string::npos);
  EXPECT_EQ(sound.find("degraded"), std::string::npos);
  EXPECT_NE(records_with(corrupted).find("degraded"), std::string::npos);
  EXPECT_NE(records_with(shortened).find("degraded"), std::string::npos);
}

TEST_F(Frames, WarningsOfFramesDoNotFillALog) {
  make("npcdetect detector=motion");
  const cv::Size small(64, 48);
  set_caps(GST_VIDEO_FORMAT_GRAY8, small);
  const cv::Mat scene = draw_scene(small, {});
  for (int i = 0; i < 300; ++i) {
    if (i % 2 == 0)
      push_next(scene);
    else if (i % 4 == 1)
      push(corrupted(make_frame(scene, GST_VIDEO_FORMAT_GRAY8, frames_++ * 100 * GST_MSECOND)));
    else
      push(Owned<GstBuffer>(gst_buffer_new_allocate(nullptr, 100, nullptr)));
  }
  EXPECT_EQ(stat("analysed"), 150u);
  int warnings = 0;
  while (!sentence(bus_.get(), GST_MESSAGE_WARNING).empty())
    warnings++;
  EXPECT_EQ(warnings, 2) << "one of each kind";
}

}  // namespace
}  // namespace npc::test
