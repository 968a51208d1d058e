// SPDX-License-Identifier: LGPL-2.1-or-later
// What a window and its rules become in a record, and how records are numbered.
#include "npccount/recordbuilder.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace npc::count;

namespace npc {
namespace {

using namespace std::chrono_literals;

const RecordBuilder::Context kContext = {"home", "door", 1'700'000'000'123'456'789, false};

count::WindowCounts window() {
  count::WindowCounts window;
  window.start = 4s;
  window.length = 2s;
  window.people = 3;
  window.most_people = 5;
  window.moving = 2;
  window.faces = 1;
  window.objects = {{"bag", 2}, {"dog", 0}};
  return window;
}

TEST(RecordBuilder, SaysWhatTheWindowShowed) {
  const CountsPtr record = RecordBuilder().build(window(), {}, kContext);
  EXPECT_STREQ(record->site, "home");
  EXPECT_STREQ(record->camera, "door");
  EXPECT_EQ(record->time, 1'700'000'000'123);
  EXPECT_EQ(record->interval, 2000u);
  EXPECT_EQ(record->people, 3u);
  EXPECT_EQ(record->people_max, 5u);
  EXPECT_EQ(record->moving, 2u);
  EXPECT_EQ(record->faces, 1u);
  ASSERT_EQ(gst_npc_counts_get_n_objects(record.get()), 2u);
  const GstNpcObjectCount &bag = *gst_npc_counts_get_object(record.get(), 0);
  EXPECT_STREQ(bag.name, "bag");
  EXPECT_EQ(bag.count, 2u);
  EXPECT_EQ(record->flags, 0);
}

TEST(RecordBuilder, SaysWhatTheRulesCounted) {
  count::RuleCounts rules;
  rules.lines = {{"exit", 1, 2, {30, 40}}};
  rules.zones = {{"queue", {4, 6, 1, 1500600us}}};
  const CountsPtr record = RecordBuilder().build(window(), rules, kContext);
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.get()), 1u);
  const GstNpcLineCount &line = *gst_npc_counts_get_line(record.get(), 0);
  EXPECT_STREQ(line.name, "exit");
  EXPECT_EQ(line.in, 1u);
  EXPECT_EQ(line.out, 2u);
  EXPECT_EQ(line.in_total, 30u);
  EXPECT_EQ(line.out_total, 40u);
  ASSERT_EQ(gst_npc_counts_get_n_zones(record.get()), 1u);
  const GstNpcZoneCount &zone = *gst_npc_counts_get_zone(record.get(), 0);
  EXPECT_STREQ(zone.name, "queue");
  EXPECT_EQ(zone.people, 4u);
  EXPECT_EQ(zone.people_max, 6u);
  EXPECT_EQ(zone.entered, 1u);
  EXPECT_EQ(zone.dwell, 1501u);
}

TEST(RecordBuilder, SaysWhatIsToBeDoubted) {
  const RecordBuilder builder;
  count::WindowCounts odd = window();
  odd.partial = true;
  EXPECT_EQ(builder.build(odd, {}, kContext)->flags, GST_NPC_COUNTS_FLAG_PARTIAL);
  odd = window();
  odd.degraded = odd.stalled = true;
  EXPECT_EQ(builder.build(odd, {}, kContext)->flags,
            GST_NPC_COUNTS_FLAG_DEGRADED | GST_NPC_COUNTS_FLAG_STALLED);
  RecordBuilder::Context context = kContext;
  context.clock_unsynced = true;
  EXPECT_EQ(builder.build(window(), {}, context)->flags, GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED);
}

TEST(RecordBuilder, ANumberIsUsedOnce) {
  RecordBuilder builder;
  const CountsPtr first = builder.build(window(), {}, kContext);
  EXPECT_EQ(first->seq, 0u);
  EXPECT_EQ(builder.build(window(), {}, kContext)->seq, 0u) << "nobody has the first";
  builder.advance();
  const CountsPtr second = builder.build(window(), {}, kContext);
  EXPECT_EQ(second->seq, 1u);
  EXPECT_STREQ(second->boot, first->boot);
  EXPECT_EQ(std::strlen(first->boot), 16u);
  EXPECT_STRNE(RecordBuilder().build(window(), {}, kContext)->boot, first->boot);
}

TEST(RecordBuilder, OtherClassesGiveWayInALongRecord) {
  count::WindowCounts many = window();
  many.objects.clear();
  for (int i = 10; i < 42; ++i)
    many.objects.push_back({std::to_string(i) + std::string(62, 'c'), 1});
  count::RuleCounts rules;
  for (int i = 10; i < 30; ++i)
    rules.lines.push_back({std::to_string(i) + std::string(40, 'l'), 0, 0, {}});
  const CountsPtr record = RecordBuilder().build(many, rules, kContext);
  EXPECT_EQ(gst_npc_counts_get_n_lines(record.get()), 20u);
  EXPECT_GT(gst_npc_counts_get_n_objects(record.get()), 0u);
  EXPECT_LT(gst_npc_counts_get_n_objects(record.get()), 32u);
  g_autofree gchar *json = gst_npc_counts_to_json(record.get());
  EXPECT_LE(std::strlen(json), static_cast<std::size_t>(GST_NPC_RECORD_MAX));
}

TEST(RecordBuilder, KnowsWhatFitsWhateverTheNumbersAre) {
  count::Definitions definitions;
  EXPECT_TRUE(does_record_fit("home", "door", definitions));
  for (int i = 10; i < 60; ++i)
    definitions.lines.emplace_back().name = std::to_string(i) + std::string(40, 'l');
  EXPECT_FALSE(does_record_fit("home", "door", definitions));
}

}  // namespace
}  // namespace npc
