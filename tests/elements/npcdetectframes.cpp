// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: frames that are damaged.
#include <gtest/gtest.h>

#include <algorithm>

#include "scene.h"

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

  /// What comes out for a frame, if anything does.
  Owned<GstBuffer> push(Owned<GstBuffer> frame) {
    EXPECT_EQ(gst_harness_push(harness_.get(), frame.release()), GST_FLOW_OK);
    return Owned<GstBuffer>(gst_harness_try_pull(harness_.get()));
  }

  Owned<GstBuffer> push_next(const cv::Mat &scene, GstVideoFormat format = GST_VIDEO_FORMAT_GRAY8) {
    return push(make_frame(scene, format, frames_++ * 100 * GST_MSECOND));
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
