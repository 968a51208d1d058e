// SPDX-License-Identifier: LGPL-2.1-or-later
// detector=motion on clips whose truth is known: cars from above, while the exposure jumps.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "support/pipeline.h"

namespace npc::test {
namespace {

namespace fs = std::filesystem;

struct Seen {
  std::string error;  ///< of the pipeline
  std::vector<std::string> crossings;
  std::vector<guint> people;
};

/// What `count` (properties of npccount) counts in `clip` with `detect` (properties of npcdetect).
Seen watch(const fs::path &clip, const std::string &detect, const std::string &count) {
  Seen seen;
  try {
    const Pipeline pipeline(
        "npcdetect " + detect + " ! npccount " + count + " ! fakesink sync=false", clip.string());
    pipeline.play();
    while (const auto message = pipeline.next()) {
      const GstStructure *structure = gst_message_get_structure(message.get());
      guint people = 0;
      if (gst_structure_has_name(structure, "npc-crossing"))
        seen.crossings.push_back(gst_structure_get_string(structure, "direction"));
      else if (gst_structure_get_uint(structure, "people", &people))
        seen.people.push_back(people);
    }
  } catch (const std::runtime_error &error) {
    seen.error = error.what();
  }
  return seen;
}

fs::path shared(const char *path) {
  const char *folder = std::getenv("NPC_SHARED");
  return fs::path(folder != nullptr ? folder : "") / "data" / path;
}

bool can_decode_h264() {
  GList *decoders =
      gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DECODER, GST_RANK_MARGINAL);
  Owned<GstCaps> caps(gst_caps_from_string("video/x-h264"));
  GList *fitting = gst_element_factory_list_filter(decoders, caps.get(), GST_PAD_SINK, FALSE);
  const bool can = fitting != nullptr;
  gst_plugin_feature_list_free(fitting);
  gst_plugin_feature_list_free(decoders);
  return can;
}

TEST(MotionClip, CarsFromAboveCrossOnceEach) {
  const fs::path clip = shared("videos/car-detection.mp4");
  if (!fs::exists(clip))
    GTEST_SKIP() << "no " << clip;
  if (!can_decode_h264())
    GTEST_SKIP() << "no decoder for H.264 is installed";
  // From left to right: whoever goes up goes in. Two do, in that order of the labels' frames: up
  // (56 to 106), down (183), up (189), down (316 on).
  const Seen seen = watch(clip, "detector=motion classes=car",
                          "lines=\"road,class=car,x1=0,y1=0.5,x2=1,y2=0.5\"");
  ASSERT_EQ(seen.error, "");
  EXPECT_EQ(seen.crossings, (std::vector<std::string>{"in", "out", "in", "out"}));
  // Cars are not people.
  EXPECT_EQ(std::accumulate(seen.people.begin(), seen.people.end(), 0u), 0u);
}

TEST(MotionClip, PeopleOnALawnAreCountedAboutRightly) {
  const char *clip = std::getenv("NPC_CLIP");
  if (clip == nullptr || !fs::exists(clip))
    GTEST_SKIP() << "no NPC_CLIP";
  const Seen seen = watch(clip, "detector=motion", "");
  ASSERT_EQ(seen.error, "");
  ASSERT_EQ(seen.people.size(), 40u);
  // Those who are marked in data/gt, 5.85 at a time, some of whom stand or walk as one.
  const double mean = std::accumulate(seen.people.begin(), seen.people.end(), 0.0) / 40;
  EXPECT_GT(mean, 3.5);
  EXPECT_LT(mean, 7);
}

}  // namespace
}  // namespace npc::test
