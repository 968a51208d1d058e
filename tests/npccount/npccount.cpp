// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: what its records say.
#include <sys/timex.h>

#include <cctype>

#include "support/counter.h"

namespace npc::test {
namespace {

TEST_F(Counter, AcceptsDetectionsAndRawVideo) {
  Owned<GstCaps> caps(gst_pad_query_caps(GST_PAD_PEER(harness_->srcpad), nullptr));
  auto accepts = [&](const char *text) {
    Owned<GstCaps> other(gst_caps_from_string(text));
    return gst_caps_can_intersect(caps.get(), other.get()) != FALSE;
  };
  EXPECT_TRUE(
      accepts("application/x-npc-detections, version=1, width=64, height=48, framerate=0/1"));
  EXPECT_FALSE(
      accepts("application/x-npc-detections, version=2, width=64, height=48, framerate=0/1"));
  EXPECT_TRUE(accepts("video/x-raw, format=GRAY8, width=64, height=48, framerate=10/1"));
  EXPECT_TRUE(accepts("video/x-raw(memory:DMABuf), format=NV12, width=64, height=48"));
  EXPECT_FALSE(accepts("video/x-h264, width=64, height=48, framerate=10/1"));
  EXPECT_FALSE(accepts("application/x-npc-counts, version=1, format=json"));

  set_caps();
  Owned<GstCaps> counts(gst_pad_get_current_caps(harness_->sinkpad));
  Owned<GstCaps> expected(gst_caps_from_string(GST_NPC_COUNTS_CAPS));
  EXPECT_TRUE(gst_caps_is_strictly_equal(counts.get(), expected.get()));
  Owned<GstCaps> coded(gst_caps_from_string("video/x-h264, width=64, height=48, framerate=10/1"));
  EXPECT_FALSE(gst_pad_send_event(GST_PAD_PEER(harness_->srcpad), gst_event_new_caps(coded.get())));
}

// Who walks across is as fast as who comes nearer, also where pixels are not square.
TEST_F(Counter, SpeedIsThatOnADisplay) {
  for (const auto &[across, down, moving] :
       {std::tuple(1, 1, 0u), std::tuple(2, 1, 1u), std::tuple(1, 2, 0u), std::tuple(0, 1, 0u)}) {
    GstCaps *caps = gst_caps_from_string(
        "application/x-npc-detections, version=1, width=640, height=480, framerate=10/1");
    gst_caps_set_simple(caps, "pixel-aspect-ratio", GST_TYPE_FRACTION, across, down, nullptr);
    gst_harness_set_src_caps(harness_.get(), caps);
    flush();
    for (int i = 0; i <= 40; i++) {
      GstNpcDetection walker = person(100);
      // An eighth of a height a second in the frame's pixels; 12.5 of them.
      walker.x += 1.25 * i;
      frame(i * 100 * GST_MSECOND, {walker});
    }
    next();
    EXPECT_EQ(next()->moving, moving) << across << "/" << down;
    while (next()) {
    }
  }
}

TEST_F(Counter, SaysExactlyWhatWasThere) {
  g_object_set(element(), "site", "shop", "camera", "door-1", nullptr);
  set_caps();
  // A walker at half a height a second, one who stands, a face, two cars, and somebody weak.
  for (int i = 0; i < 20; i++) {
    GstNpcDetection weak = person(600);
    weak.weak = TRUE;
    frame(i * 100 * GST_MSECOND, {person(100 + 5 * i), person(400), seen("face", 410, 240),
                                  seen("car", 200, 460), seen("car", 300, 460), weak});
  }
  EXPECT_FALSE(next()) << "the window is not over";
  frame(2 * GST_SECOND);
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_STREQ(record->site, "shop");
  EXPECT_STREQ(record->camera, "door-1");
  EXPECT_EQ(record->seq, 0u);
  EXPECT_EQ(record->interval, 2000u);
  EXPECT_EQ(record->people, 2u);
  EXPECT_EQ(record->people_max, 2u);
  EXPECT_EQ(record->moving, 1u);
  EXPECT_EQ(record->faces, 1u);
  ASSERT_EQ(gst_npc_counts_get_n_objects(record.counts.get()), 1u);
  EXPECT_STREQ(gst_npc_counts_get_object(record.counts.get(), 0)->name, "car");
  EXPECT_EQ(gst_npc_counts_get_object(record.counts.get(), 0)->count, 2u);
  EXPECT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 0u);
  EXPECT_EQ(gst_npc_counts_get_n_zones(record.counts.get()), 0u);
  EXPECT_FALSE(record.has(GST_NPC_COUNTS_FLAG_PARTIAL));
  EXPECT_EQ(record.pts(), 0u);
  EXPECT_EQ(record.duration(), 2 * GST_SECOND);
  ASSERT_EQ(strlen(record->boot), 16u);
  for (const char *c = record->boot; *c != '\0'; c++)
    EXPECT_TRUE(isxdigit(*c) && !isupper(*c)) << record->boot;
  EXPECT_FALSE(next());
}

TEST_F(Counter, PostsWhatItPushes) {
  set_caps();
  frames(0, 6100 * GST_MSECOND, {person(100), seen("dog", 300)});
  for (guint64 seq = 0; seq < 3; seq++) {
    Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->seq, seq);
    Owned<GstMessage> posted = message();
    ASSERT_TRUE(posted);
    EXPECT_EQ(GST_MESSAGE_SRC(posted.get()), GST_OBJECT(element()));
    Owned<GstNpcCounts> counts(gst_npc_counts_from_message(posted.get()));
    ASSERT_TRUE(counts);
    g_autofree gchar *json = gst_npc_counts_to_json(counts.get());
    EXPECT_EQ(std::string(json) + "\n", record.text);
    const GstStructure *fields = gst_message_get_structure(posted.get());
    for (const char *name : {"timestamp", "stream-time", "running-time"}) {
      guint64 value = 0;
      EXPECT_TRUE(gst_structure_get_uint64(fields, name, &value)) << name;
      EXPECT_EQ(value, record.pts()) << name;
    }
    guint64 duration = 0;
    EXPECT_TRUE(gst_structure_get_uint64(fields, "duration", &duration));
    EXPECT_EQ(duration, record.duration());
  }
  EXPECT_FALSE(message());
}

TEST_F(Counter, NobodyIsARecordOfZeros) {
  set_caps();
  frames(0, 2100 * GST_MSECOND);
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_NE(record.text.find("\"people\":0,\"people_max\":0,\"moving\":0,\"faces\":0,"
                             "\"objects\":{},\"lines\":{},\"zones\":{},"),
            std::string::npos)
      << record.text;
}

TEST_F(Counter, PeopleIsTheMedianAndPeopleMaxTheMost) {
  set_caps();
  frames(0, 1200 * GST_MSECOND, {person(100)});
  frames(1200 * GST_MSECOND, 1700 * GST_MSECOND, {person(100), person(200), person(300)});
  frames(1700 * GST_MSECOND, 2100 * GST_MSECOND, {person(100)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
  EXPECT_EQ(record->people_max, 3u);
}

TEST_F(Counter, AClassStaysListed) {
  set_caps();
  frames(0, 2 * GST_SECOND, {seen("dog", 100)});
  frames(2 * GST_SECOND, 6 * GST_SECOND);
  ASSERT_TRUE(next());
  frame(6 * GST_SECOND);
  ASSERT_TRUE(next());
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_NE(record.text.find("\"objects\":{\"dog\":0}"), std::string::npos) << record.text;
}

TEST_F(Counter, ClassesBecomeNames) {
  set_caps();
  const std::string longest(100, 'x');
  frames(0, 2100 * GST_MSECOND,
         {seen("traffic light", 100), seen("caf\xc3\xa9", 200), seen(longest.c_str(), 300),
          seen("Person", 400)});
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 0u);
  std::vector<std::string> names;
  for (guint i = 0; i < gst_npc_counts_get_n_objects(record.counts.get()); i++)
    names.emplace_back(gst_npc_counts_get_object(record.counts.get(), i)->name);
  EXPECT_EQ(names, (std::vector<std::string>{"Person", "caf__", "traffic_light",
                                             std::string(GST_NPC_NAME_MAX, 'x')}));
}

TEST_F(Counter, ManyLongNamesStillMakeARecord) {
  const std::string longest(GST_NPC_NAME_MAX, 'n');
  g_object_set(element(), "site", longest.c_str(), "camera", longest.c_str(), nullptr);
  set_caps();
  std::vector<std::string> labels;
  for (int i = 0; i < 40; i++)
    labels.push_back(std::to_string(10 + i) + std::string(GST_NPC_NAME_MAX - 2, 'c'));
  std::vector<GstNpcDetection> detections;
  for (int i = 0; i < 40; i++)
    detections.push_back(seen(labels[i].c_str(), 10 + 15 * i));
  frames(0, 2100 * GST_MSECOND, detections);
  // next() reads it as a stranger does, who refuses what is too long.
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_GT(gst_npc_counts_get_n_objects(record.counts.get()), 10u);
  EXPECT_LE(gst_npc_counts_get_n_objects(record.counts.get()), 32u);
  g_autofree gchar *lines = gst_npc_counts_to_line_protocol(record.counts.get());
  Owned<GstNpcCounts> again(gst_npc_counts_from_line_protocol(lines, -1, nullptr));
  EXPECT_TRUE(again);
  Owned<GstMessage> posted = message();
  ASSERT_TRUE(posted);
  EXPECT_TRUE(Owned<GstNpcCounts>(gst_npc_counts_from_message(posted.get())));
}

TEST_F(Counter, CountsTheRegionsOfOthers) {
  set_caps();
  for (int i = 0; i < 21; i++) {
    GstBuffer *buffer = make_frame(i * 100 * GST_MSECOND, {});
    gst_buffer_add_video_region_of_interest_meta(buffer, "person", 100, 100, 40, 100);
    EXPECT_EQ(gst_harness_push(harness_.get(), buffer), GST_FLOW_OK);
  }
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->people, 1u);
}

TEST_F(Counter, MessagesCanBeSwitchedOff) {
  g_object_set(element(), "post-messages", FALSE, nullptr);
  set_caps();
  frames(0, 2100 * GST_MSECOND);
  EXPECT_TRUE(next());
  EXPECT_FALSE(message());
  g_object_set(element(), "post-messages", TRUE, nullptr);
  frames(2100 * GST_MSECOND, 4100 * GST_MSECOND);
  EXPECT_TRUE(next());
  EXPECT_TRUE(message());
}

TEST_F(Counter, IntervalChangesFromTheNextWindowOn) {
  g_object_set(element(), "interval", static_cast<guint64>(GST_SECOND), nullptr);
  set_caps();
  frames(0, 500 * GST_MSECOND);
  g_object_set(element(), "interval", static_cast<guint64>(3 * GST_SECOND), nullptr);
  frames(500 * GST_MSECOND, 4100 * GST_MSECOND);
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->interval, 1000u);
  record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->interval, 3000u);
  EXPECT_EQ(record.pts(), GST_SECOND);
  EXPECT_FALSE(next());
}

TEST_F(Counter, NamesChangeWhilePlayingButNotToWhatIsNone) {
  set_caps();
  frames(0, 2100 * GST_MSECOND);
  Record record = next();
  ASSERT_TRUE(record);
  EXPECT_STREQ(record->site, "home");
  EXPECT_STREQ(record->camera, "camera");
  const std::string boot = record->boot;

  g_object_set(element(), "site", "office", "camera", "lift", nullptr);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  g_object_set(element(), "camera", "back door", nullptr);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING),
            "The property camera cannot be \"back door\": a name has 1 to 64 letters, digits, _ or "
            "-. It stays \"lift\".");
  g_object_set(element(), "site", nullptr, nullptr);
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("The property site cannot be \"\""),
            std::string::npos);
  g_autofree gchar *camera = nullptr;
  g_object_get(element(), "camera", &camera, nullptr);
  EXPECT_STREQ(camera, "lift");

  frames(2100 * GST_MSECOND, 4100 * GST_MSECOND);
  record = next();
  ASSERT_TRUE(record);
  EXPECT_STREQ(record->site, "office");
  EXPECT_STREQ(record->camera, "lift");
  EXPECT_EQ(record->boot, boot);
}

TEST_F(Counter, WithBadNamesItDoesNotStart) {
  Owned<GstElement> element(gst_element_factory_make("npccount", nullptr));
  gst_object_ref_sink(element.get());
  gst_element_set_bus(element.get(), bus_.get());
  const std::string too_long(65, 'a');
  for (const char *name :
       {"front door", "", "a/b", "#", "caf\xc3\xa9", "\xff\xfe", too_long.c_str()})
    for (const char *property : {"site", "camera"}) {
      g_object_set(element.get(), property, name, nullptr);
      EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
      const std::string text = sentence(GST_MESSAGE_ERROR);
      EXPECT_NE(text.find(std::string("The property ") + property + " cannot be \""),
                std::string::npos)
          << text;
      EXPECT_NE(text.find("1 to 64 letters, digits, _ or -."), std::string::npos) << text;
      gst_element_set_state(element.get(), GST_STATE_NULL);
      g_object_set(element.get(), property, "fine", nullptr);
    }
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(sentence(GST_MESSAGE_ERROR), "");
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(Counter, TellsWhenNobodyKeepsTheClock) {
  set_caps();
  frames(0, 2100 * GST_MSECOND);
  Record record = next();
  ASSERT_TRUE(record);
  timex state{};
  const int status = ntp_adjtime(&state);
  EXPECT_EQ(record.has(GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED),
            status == TIME_ERROR || (status >= 0 && (state.status & STA_UNSYNC) != 0));
}

TEST_F(Counter, EachLifeHasItsOwnName) {
  std::vector<std::string> boots;
  for (int life = 0; life < 2; life++) {
    TearDown();
    SetUp();
    set_caps();
    frames(0, 2100 * GST_MSECOND);
    Record record = next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->seq, 0u);
    boots.emplace_back(record->boot);
  }
  EXPECT_NE(boots[0], boots[1]);
}

}  // namespace
}  // namespace npc::test
