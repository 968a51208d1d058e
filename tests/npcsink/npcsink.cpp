// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink in a harness.
#include <atomic>
#include <thread>

#include "support/sink.h"

namespace {

using npc::test::eventually;
using npc::test::Message;
using npc::test::record_buffer;
using npc::test::record_json;
using npc::test::Structure;
using npc::test::text_buffer;

class NpcSink : public npc::test::Sink {};

TEST_F(NpcSink, TakesCountsOnly) {
  set_updaters("file:" + path("a"));
  play();
  GstPad *pad = gst_element_get_static_pad(sink_, "sink");
  const auto accepts = [pad](const char *text) {
    GstCaps *caps = gst_caps_from_string(text);
    const gboolean accepted = gst_pad_query_accept_caps(pad, caps);
    gst_caps_unref(caps);
    return accepted;
  };
  EXPECT_TRUE(accepts(GST_NPC_COUNTS_CAPS));
  EXPECT_FALSE(accepts("application/x-npc-counts, version=(int)2, format=(string)json"));
  EXPECT_FALSE(accepts("application/x-npc-counts, version=(int)1, format=(string)xml"));
  EXPECT_FALSE(
      accepts("application/x-npc-detections, version=(int)1, width=(int)1, height=(int)1"));
  EXPECT_FALSE(accepts("video/x-raw, format=(string)GRAY8, width=(int)1, height=(int)1"));
  gst_object_unref(pad);

  GstElement *source = gst_element_factory_make("videotestsrc", nullptr);
  if (source != nullptr) {
    GstElement *bin = gst_bin_new(nullptr);
    gst_object_ref_sink(bin);
    GstElement *other = gst_element_factory_make("npcsink", nullptr);
    gst_bin_add_many(GST_BIN(bin), source, other, nullptr);
    EXPECT_FALSE(gst_element_link(source, other));
    gst_object_unref(bin);
  }
}

TEST_F(NpcSink, PrerollsBeforeTheFirstRecord) {
  // An hour of the clip would pass before the first record.
  GstElement *pipeline = gst_parse_launch(
      "videotestsrc ! video/x-raw,width=64,height=48 ! npcdetect ! npccount "
      "interval=3600000000000 ! npcsink",
      nullptr);
  ASSERT_NE(pipeline, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PAUSED);
  EXPECT_EQ(gst_element_get_state(pipeline, nullptr, nullptr, 60 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

TEST_F(NpcSink, HasTheDefaultsOfASinkForSparseData) {
  gboolean sync = TRUE;
  guint64 timeout = 0;
  gchar *updaters = nullptr;
  g_object_get(sink_, "sync", &sync, "drain-timeout", &timeout, "updaters", &updaters, nullptr);
  EXPECT_FALSE(sync);
  EXPECT_EQ(timeout, 5 * GST_SECOND);
  EXPECT_STREQ(updaters, "");
  g_free(updaters);
  GstElementFactory *factory = gst_element_get_factory(sink_);
  EXPECT_EQ(gst_plugin_feature_get_rank(GST_PLUGIN_FEATURE(factory)), guint{GST_RANK_NONE});
  EXPECT_STREQ(gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS),
               "Sink/Network");
}

TEST_F(NpcSink, EosWaitsForDelivery) {
  set_updaters("file:" + path("a") + "\n file:" + path("b"));
  play();
  push_records(0, 300);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_eos()));
  EXPECT_TRUE(pop(GST_MESSAGE_EOS));
  EXPECT_EQ(content(path("a")), lines(0, 300));
  EXPECT_EQ(content(path("b")), lines(0, 300));
  EXPECT_EQ(number("delivered", 0), 300u);
  EXPECT_EQ(number("delivered", 1), 300u);
}

TEST_F(NpcSink, WritesOnlyFieldsItKnows) {
  set_updaters("file:" + path("a"));
  play();
  std::string json = record_json(7);
  json.insert(1, "\"picture\":\"AAAA\",");
  EXPECT_EQ(push(text_buffer("  " + json + "\n")), GST_FLOW_OK);
  gst_harness_push_event(harness_, gst_event_new_eos());
  EXPECT_EQ(content(path("a")), lines(7, 8));
}

TEST_F(NpcSink, RefusesBadRecordsWithOneWarning) {
  set_updaters("file:" + path("a"));
  play();
  EXPECT_EQ(push(text_buffer("not a record")), GST_FLOW_OK);
  const std::string text = warning();
  EXPECT_TRUE(text.starts_with("A record was refused and not sent: ")) << text;
  push_records(0, 1);
  for (const char *bad : {"{}", "{\"version\":2}", "[", "\xff\xfe", "{\"version\":1}", "null"})
    EXPECT_EQ(push(text_buffer(bad)), GST_FLOW_OK);
  EXPECT_EQ(push(text_buffer(std::string(100000, '{'))), GST_FLOW_OK);
  push_records(1, 2);
  EXPECT_FALSE(pop(GST_MESSAGE_WARNING));
  EXPECT_EQ(total("received"), 10u);
  EXPECT_EQ(total("refused"), 8u);
  gst_harness_push_event(harness_, gst_event_new_eos());
  EXPECT_EQ(content(path("a")), lines(0, 2));
}

TEST_F(NpcSink, RefusesBuffersWithoutData) {
  set_updaters("file:" + path("a"));
  play();
  EXPECT_EQ(push(gst_buffer_new()), GST_FLOW_OK);
  EXPECT_EQ(warning(), "A record was refused and not sent: The buffer holds no data.");
  EXPECT_EQ(push(gst_buffer_new_allocate(nullptr, 0, nullptr)), GST_FLOW_OK);
  EXPECT_EQ(total("refused"), 2u);
}

TEST_F(NpcSink, RefusesBadUris) {
  EXPECT_EQ(refusal("file:relative"),
            "The updater \"file:relative\" is refused: the path must begin with a /, as in "
            "file:/var/log/npc/counts.jsonl.");
  const std::string unknown = refusal("file:/tmp/a coap://host");
  EXPECT_TRUE(unknown.starts_with(
      "The updater \"coap://host\" is refused: there is no updater coap:, it must be one of "))
      << unknown;
  EXPECT_EQ(refusal("mqtt://host/?retain=1"),
            "The updater \"mqtt://host/?retain=***\" is refused: it has no parameter retain; there "
            "are client-id, discovery, discovery-form, discovery-prefix, expiry, password-file, "
            "qos, resend, topic-prefix, topics.");
  EXPECT_EQ(refusal("mqtt://host mqtt://u@HOST:1883/?client-id=a"),
            "The updater \"mqtt://u@HOST:1883/?client-id=a\" is refused: \"mqtt://host\" delivers "
            "to the same place.");
  set_updaters("file:" + path("a"));
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
}

// Read back, in the error's sentence, and in what it tells developers.
TEST_F(NpcSink, NeverGivesAPasswordBack) {
  for (const auto &[typed, shown] : std::initializer_list<std::pair<const char *, const char *>>{
           {"mqtt://user:SECRET@host", "mqtt:***"},
           {"mqtt://user:p@SEC/RET@host", "mqtt:***"},
           {"file:/tmp/a influxdb://bob:SEC@RET?x@db/npc", "file:*** influxdb:***"},
           {"influxdb://host/npc?user=me&pasword=SECRET", "influxdb://host/npc?user=***"}}) {
    set_updaters(typed);
    EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_FAILURE) << typed;
    const Message message = pop(GST_MESSAGE_ERROR);
    ASSERT_TRUE(message);
    g_autofree gchar *told = gst_structure_to_string(gst_message_get_structure(message.get()));
    g_autofree gchar *updaters = nullptr;
    g_object_get(sink_, "updaters", &updaters, nullptr);
    for (const char *part : {"SEC", "RET"})
      EXPECT_EQ((std::string(told) + updaters).find(part), std::string::npos) << told << updaters;
    EXPECT_STREQ(updaters, shown);
  }
}

TEST_F(NpcSink, WithoutUpdatersSaysSoAndChecksRecords) {
  play();
  const Message info = pop(GST_MESSAGE_INFO);
  ASSERT_TRUE(info);
  EXPECT_EQ(text_of(info.get(), gst_message_parse_info),
            "No updater is set, so the records are only checked and go nowhere.");
  push_records(0, 2);
  EXPECT_EQ(push(text_buffer("?")), GST_FLOW_OK);
  EXPECT_EQ(total("received"), 3u);
  EXPECT_EQ(total("refused"), 1u);
  EXPECT_EQ(gst_value_array_get_size(gst_structure_get_value(stats().get(), "updaters")), 0u);
  gst_harness_push_event(harness_, gst_event_new_eos());
  EXPECT_TRUE(pop(GST_MESSAGE_EOS));
}

TEST_F(NpcSink, TellsOfFaultsAndRecovers) {
  set_updaters("file:" + path("later/a"));
  play();
  push_records(0, 3);
  const Message lost = wait_for(GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(lost);
  const GstStructure *structure = gst_message_get_structure(lost.get());
  EXPECT_TRUE(gst_structure_has_name(structure, "npc-updater"));
  EXPECT_EQ(gst_structure_get_string(structure, "updater"), "file:" + path("later/a"));
  EXPECT_STREQ(gst_structure_get_string(structure, "state"), "disconnected");
  const std::string reason = "Cannot open \"" + path("later/a") +
                             "\": its directory does not exist. Create the directory, or choose "
                             "another path.";
  EXPECT_EQ(gst_structure_get_string(structure, "reason"), reason);
  EXPECT_TRUE(gst_structure_has_field_typed(structure, "pending", G_TYPE_UINT64));
  EXPECT_TRUE(gst_structure_has_field_typed(structure, "dropped", G_TYPE_UINT64));
  ASSERT_TRUE(eventually([&] { return number("failed") > 0; }));
  EXPECT_EQ(gst_structure_get_string(updater_stats().get(), "last-error"), reason);
  EXPECT_EQ(number("pending"), 3u);
  EXPECT_FALSE(pop(static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_WARNING)));

  std::filesystem::create_directory(path("later"));
  gst_harness_push_event(harness_, gst_event_new_eos());
  EXPECT_EQ(content(path("later/a")), lines(0, 3));
  const Message found = wait_for(GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(found);
  structure = gst_message_get_structure(found.get());
  EXPECT_STREQ(gst_structure_get_string(structure, "state"), "connected");
  EXPECT_STREQ(gst_structure_get_string(structure, "reason"), "");
  gboolean connected = FALSE;
  gst_structure_get_boolean(updater_stats().get(), "connected", &connected);
  EXPECT_TRUE(connected);
}

TEST_F(NpcSink, EosEndsWhenTheTimeIsUp) {
  set_updaters("file:" + path("never/a"));
  g_object_set(sink_, "drain-timeout", 10 * GST_MSECOND, nullptr);
  play();
  push_records(0, 3);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_eos()));
  EXPECT_TRUE(pop(GST_MESSAGE_EOS));
  EXPECT_EQ(number("pending"), 3u);
}

TEST_F(NpcSink, FlushEndsTheWaitOfEos) {
  set_updaters("file:" + path("later/a"));
  g_object_set(sink_, "drain-timeout", 3600 * GST_SECOND, nullptr);
  play();
  push_records(0, 3);
  std::thread streaming([this] { gst_harness_push_event(harness_, gst_event_new_eos()); });
  ASSERT_TRUE(eventually([&] { return number("failed") > 0; }));
  gst_harness_push_event(harness_, gst_event_new_flush_start());
  streaming.join();
  EXPECT_FALSE(pop(GST_MESSAGE_EOS));
  gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));

  // What was taken before the flush is counted and stays.
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_, gst_event_new_segment(&segment));
  push_records(3, 5);
  std::filesystem::create_directory(path("later"));
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_eos()));
  EXPECT_TRUE(pop(GST_MESSAGE_EOS));
  EXPECT_EQ(content(path("later/a")), lines(0, 5));
}

TEST_F(NpcSink, PauseHoldsEosBack) {
  set_updaters("file:" + path("later/a"));
  g_object_set(sink_, "drain-timeout", 3600 * GST_SECOND, nullptr);
  play();
  push_records(0, 3);
  std::thread streaming([this] { gst_harness_push_event(harness_, gst_event_new_eos()); });
  ASSERT_TRUE(eventually([&] { return number("failed") > 0; }));
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  std::filesystem::create_directory(path("later"));
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  streaming.join();
  EXPECT_TRUE(pop(GST_MESSAGE_EOS));
  EXPECT_EQ(content(path("later/a")), lines(0, 3));
}

TEST_F(NpcSink, LeavingPausedEndsTheWaitOfEos) {
  set_updaters("file:" + path("never/a"));
  g_object_set(sink_, "drain-timeout", 3600 * GST_SECOND, nullptr);
  play();
  push_records(0, 3);
  std::thread streaming([this] { gst_harness_push_event(harness_, gst_event_new_eos()); });
  ASSERT_TRUE(eventually([&] { return number("failed") > 0; }));
  g_object_set(sink_, "drain-timeout", guint64{0}, nullptr);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  streaming.join();
  EXPECT_FALSE(pop(GST_MESSAGE_EOS));
}

TEST_F(NpcSink, LeavingPausedWaitsForDelivery) {
  set_updaters("file:" + path("a"));
  play();
  push_records(0, 300);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(content(path("a")), lines(0, 300));
}

TEST_F(NpcSink, GoesUpAndDownTwice) {
  for (int round = 0; round < 2; round++) {
    set_updaters("file:" + path(std::to_string(round)));
    for (GstState state : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED,
                           GST_STATE_READY, GST_STATE_NULL})
      EXPECT_NE(gst_element_set_state(sink_, state), GST_STATE_CHANGE_FAILURE);
  }
  for (guint64 round = 0; round < 2; round++) {
    play();
    push_records(round, round + 1);
    EXPECT_EQ(total("received"), 1u);
    GstHarness *ended = std::exchange(harness_, nullptr);
    gst_harness_teardown(ended);
    gst_element_set_state(sink_, GST_STATE_NULL);
  }
  EXPECT_EQ(content(path("1")), lines(0, 2));
}

TEST_F(NpcSink, WhatWaitsStaysUntilNull) {
  set_updaters("file:" + path("later/a"));
  g_object_set(sink_, "drain-timeout", guint64{0}, nullptr);
  play();
  push_records(0, 3);
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_EQ(number("pending"), 3u);
  std::filesystem::create_directory(path("later"));
  gst_element_set_state(sink_, GST_STATE_PLAYING);
  EXPECT_TRUE(eventually([&] { return number("pending") == 0; }));
  EXPECT_EQ(content(path("later/a")), lines(0, 3));
}

TEST_F(NpcSink, TakesNewUpdatersInReady) {
  set_updaters("file:" + path("a"));
  play();
  push_records(0, 1);
  set_updaters("file:" + path("b"));  // For the next time.
  push_records(1, 2);
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_EQ(content(path("a")), lines(0, 2));
  EXPECT_FALSE(std::filesystem::exists(path("b")));

  gst_element_set_state(sink_, GST_STATE_PLAYING);
  EXPECT_STREQ(gst_structure_get_string(updater_stats().get(), "updater"),
               ("file:" + path("b")).c_str());
  gst_element_set_state(sink_, GST_STATE_READY);
  set_updaters("nonsense");
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_TRUE(pop(GST_MESSAGE_ERROR));
}

TEST_F(NpcSink, PropertiesAndStatsAreThreadSafe) {
  set_updaters("file:" + path("a"));
  play();
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      EXPECT_LE(total("refused"), total("received"));
      g_object_set(sink_, "drain-timeout", GST_SECOND, "updaters", "file:/dev/null", nullptr);
      gchar *updaters = nullptr;
      g_object_get(sink_, "updaters", &updaters, nullptr);
      g_free(updaters);
    }
  });
  push_records(0, 2000);
  gst_harness_push_event(harness_, gst_event_new_eos());
  done = true;
  reader.join();
  EXPECT_EQ(number("delivered"), 2000u);
}

}  // namespace
