// SPDX-License-Identifier: LGPL-2.1-or-later
// GstNpcCounts: what is written is what is read, in all three forms, and what an application does
// with a record: copy it, put it in a value, post it.
#include <limits>
#include <random>
#include <set>
#include <sstream>
#include <vector>

#include "support/counts.h"

namespace npc::test {
namespace {

void expect_round_trips(const Counts &counts) {
  const std::string json = to_json(counts);
  ASSERT_NE(json, "");
  Answer read = from_json(json);
  ASSERT_TRUE(read.counts) << read.message;
  EXPECT_EQ(to_json(read.counts), json);

  read = from_lines(to_lines(counts));
  ASSERT_TRUE(read.counts) << read.message;
  EXPECT_EQ(to_json(read.counts), json);

  const Structure structure = to_structure(counts);
  read = from_structure(structure);
  ASSERT_TRUE(read.counts) << read.message;
  EXPECT_EQ(to_json(read.counts), json);

  const std::string text = own(gst_structure_to_string(structure.get()));
  const Structure parsed = own(gst_structure_from_string(text.c_str(), nullptr));
  ASSERT_TRUE(parsed) << text;
  EXPECT_TRUE(gst_structure_is_equal(structure.get(), parsed.get())) << text;
  read = from_structure(parsed);
  ASSERT_TRUE(read.counts) << read.message;
  EXPECT_EQ(to_json(read.counts), json);
}

void expect_is_example(const Counts &counts) {
  EXPECT_STREQ(counts->site, "home");
  EXPECT_STREQ(counts->camera, "door");
  EXPECT_STREQ(counts->boot, "5f0c");
  EXPECT_EQ(counts->seq, 48213u);
  EXPECT_EQ(counts->time, 1767225600000u);
  EXPECT_EQ(counts->interval, 2000u);
  EXPECT_EQ(counts->people, 3u);
  EXPECT_EQ(counts->people_max, 4u);
  EXPECT_EQ(counts->moving, 1u);
  EXPECT_EQ(counts->faces, 1u);
  EXPECT_EQ(counts->flags, GST_NPC_COUNTS_FLAG_DEGRADED);
  ASSERT_EQ(gst_npc_counts_get_n_objects(counts.get()), 1u);
  const auto &object = *gst_npc_counts_get_object(counts.get(), 0);
  EXPECT_STREQ(object.name, "car");
  EXPECT_EQ(object.count, 2u);
  ASSERT_EQ(gst_npc_counts_get_n_lines(counts.get()), 1u);
  const auto &line = *gst_npc_counts_get_line(counts.get(), 0);
  EXPECT_STREQ(line.name, "door");
  EXPECT_EQ(line.in, 5u);
  EXPECT_EQ(line.out, 4u);
  EXPECT_EQ(line.in_total, 1204u);
  EXPECT_EQ(line.out_total, 1187u);
  ASSERT_EQ(gst_npc_counts_get_n_zones(counts.get()), 1u);
  const auto &zone = *gst_npc_counts_get_zone(counts.get(), 0);
  EXPECT_STREQ(zone.name, "queue");
  EXPECT_EQ(zone.people, 2u);
  EXPECT_EQ(zone.people_max, 3u);
  EXPECT_EQ(zone.entered, 4u);
  EXPECT_EQ(zone.dwell, 31000u);
}

TEST(Counts, AreWrittenAsTheDesignShows) {
  const Counts counts = example();
  EXPECT_EQ(to_json(counts), kExampleJson);
  EXPECT_EQ(to_lines(counts), kExampleLines);
}

TEST(Counts, AreReadFieldByField) {
  Answer json = from_json(kExampleJson);
  ASSERT_TRUE(json.counts) << json.message;
  expect_is_example(json.counts);
  Answer lines = from_lines(kExampleLines);
  ASSERT_TRUE(lines.counts) << lines.message;
  expect_is_example(lines.counts);
  Answer structure = from_structure(to_structure(example()));
  ASSERT_TRUE(structure.counts) << structure.message;
  expect_is_example(structure.counts);
}

TEST(Counts, HaveTheDocumentedStructure) {
  const Structure structure = to_structure(example());
  ASSERT_TRUE(gst_structure_has_name(structure.get(), "npc-counts"));
  gint version = 0;
  guint people = 0, flags = 0, cars = 0, in = 0;
  guint64 time = 0, in_total = 0;
  EXPECT_TRUE(gst_structure_get(structure.get(), "version", G_TYPE_INT, &version, "time",
                                G_TYPE_UINT64, &time, "people", G_TYPE_UINT, &people, "flags",
                                GST_TYPE_NPC_COUNTS_FLAGS, &flags, nullptr));
  EXPECT_EQ(version, 1);
  EXPECT_EQ(time, 1767225600000u);
  EXPECT_EQ(people, 3u);
  EXPECT_EQ(flags, static_cast<guint>(GST_NPC_COUNTS_FLAG_DEGRADED));
  EXPECT_STREQ(gst_structure_get_string(structure.get(), "boot"), "5f0c");

  GstStructure *objects = nullptr, *lines = nullptr, *line = nullptr;
  ASSERT_TRUE(gst_structure_get(structure.get(), "objects", GST_TYPE_STRUCTURE, &objects, "lines",
                                GST_TYPE_STRUCTURE, &lines, nullptr));
  ASSERT_TRUE(gst_structure_get(lines, "door", GST_TYPE_STRUCTURE, &line, nullptr));
  EXPECT_TRUE(gst_structure_get_uint(objects, "car", &cars));
  EXPECT_TRUE(gst_structure_get_uint(line, "in", &in));
  EXPECT_TRUE(gst_structure_get_uint64(line, "in_total", &in_total));
  EXPECT_EQ(cars, 2u);
  EXPECT_EQ(in, 5u);
  EXPECT_EQ(in_total, 1204u);
  for (GstStructure *owned : {objects, lines, line})
    gst_structure_free(owned);
}

// The form with brackets, which people write and newer versions of GStreamer print.
TEST(Counts, AreReadFromTheTextOfAStructure) {
  ASSERT_NE(GST_TYPE_NPC_COUNTS_FLAGS, G_TYPE_INVALID);
  const Structure structure = own(gst_structure_from_string(
      "npc-counts, version=(int)1, site=(string)home, camera=(string)door, boot=(string)5f0c, "
      "seq=(guint64)48213, time=(guint64)1767225600000, interval=(guint64)2000, people=(uint)3, "
      "people_max=(uint)4, moving=(uint)1, faces=(uint)1, objects=(structure)[objects, "
      "car=(uint)2;], lines=(structure)[lines, door=(structure)[line, in=(uint)5, out=(uint)4, "
      "in_total=(guint64)1204, out_total=(guint64)1187;];], zones=(structure)[zones, "
      "queue=(structure)[zone, people=(uint)2, people_max=(uint)3, entered=(uint)4, "
      "dwell=(guint64)31000;];], flags=(GstNpcCountsFlags)GST_NPC_COUNTS_FLAG_DEGRADED;",
      nullptr));
  ASSERT_TRUE(structure);
  EXPECT_TRUE(gst_structure_is_equal(structure.get(), to_structure(example()).get()));
  Answer read = from_structure(structure);
  ASSERT_TRUE(read.counts) << read.message;
  expect_is_example(read.counts);
}

TEST(Counts, WriteEveryKeyOfAnEmptyRecord) {
  const Counts counts = named("a", "b", "c");
  EXPECT_EQ(to_json(counts),
            R"({"version":1,"site":"a","camera":"b","boot":"c","seq":0,"time":0,"interval":0,)"
            R"("people":0,"people_max":0,"moving":0,"faces":0,"objects":{},"lines":{},"zones":{},)"
            R"("flags":[]})");
  EXPECT_EQ(to_lines(counts),
            "npc,camera=b,site=a people=0i,people_max=0i,moving=0i,faces=0i,seq=0i,interval=0i,"
            "boot=\"c\" 898418");
  EXPECT_EQ(gst_structure_n_fields(to_structure(counts).get()), 15);
  expect_round_trips(counts);
}

// InfluxDB knows a point by its tags and its time.
TEST(Counts, AreDifferentPointsAtOneTime) {
  const auto times = [](const char *boot, guint64 seq, guint64 time) {
    Counts counts = example(boot);
    counts->seq = seq;
    counts->time = time;
    Answer read = from_lines(to_lines(counts));
    EXPECT_TRUE(read.counts) << read.message;
    EXPECT_EQ(to_json(read.counts), to_json(counts));
    std::set<std::string> all;
    std::istringstream lines(to_lines(counts));
    for (std::string line; std::getline(lines, line);)
      all.insert(line.substr(line.rfind(' ') + 1));
    return all;
  };
  std::set<std::string> all;
  for (const char *boot : {"d9edd96d0f3c6f1b", "d9edd96d0f3c6f1c", "b", "1", "2"}) {
    for (const guint64 seq : {0, 1, 2, 999999, 1000003, 48213}) {
      const auto own = times(boot, seq, 1767225600000);
      ASSERT_EQ(own.size(), 1u) << "one time for all points of a record";
      EXPECT_EQ(own.begin()->substr(0, 13), "1767225600000");
      EXPECT_EQ(own.begin()->size(), 19u);
      EXPECT_EQ(own, times(boot, seq, 1767225600000)) << "and each time the same";
      EXPECT_TRUE(all.insert(*own.begin()).second) << boot << " " << seq;
    }
  }
  times("d9edd96d0f3c6f1b", G_MAXINT64, 0);
  EXPECT_LE(std::stoull(*times("b", 0, GST_NPC_TIME_MAX).begin()), guint64{G_MAXINT64});
}

TEST(Counts, AreReadWithATimeOfWholeMilliseconds) {
  std::string lines = kExampleLines;
  for (std::size_t at; (at = lines.find("953380")) != std::string::npos;)
    lines.replace(at, 6, "000000");
  Answer read = from_lines(lines);
  ASSERT_TRUE(read.counts) << read.message;
  expect_is_example(read.counts);
}

TEST(Counts, RoundTripAtTheirLimits) {
  const std::string longest(GST_NPC_NAME_MAX, 'Z');
  Counts counts = named(longest, longest, longest);
  counts->seq = counts->interval = G_MAXINT64;
  counts->time = GST_NPC_TIME_MAX;
  counts->people = counts->people_max = counts->moving = counts->faces = G_MAXUINT;
  add_object(counts, longest, G_MAXUINT);
  add_line(counts, longest, G_MAXUINT, G_MAXUINT, G_MAXINT64, G_MAXINT64);
  add_zone(counts, longest, G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXINT64);
  counts->flags = static_cast<GstNpcCountsFlags>(63);
  expect_round_trips(counts);
  EXPECT_NE(to_json(counts).find(R"(["partial","degraded","stalled","shuttered",)"
                                 R"("clock-unsynced","replayed"])"),
            std::string::npos);
}

// Names that GStreamer, JSON or line protocol might take for something else.
TEST(Counts, RoundTripWithNamesThatLookLikeOtherThings) {
  for (const char *name :
       {"-", "_",       "0",  "-1",   "1e3",   "0x1F", "true",   "NULL", "null", "npc",
        "t", "version", "in", "line", "class", "uint", "people", "--",   "1i",   "NaN"}) {
    Counts counts = named(name, name, name);
    add_object(counts, name, 1);
    add_line(counts, name, 1, 2, 3, 4);
    add_zone(counts, name, 1, 2, 3, 4);
    SCOPED_TRACE(name);
    expect_round_trips(counts);
  }
}

TEST(Counts, RoundTripWhateverTheyAre) {
  std::mt19937_64 random(1);
  auto below = [&](guint64 limit) { return limit == 0 ? 0 : random() % limit; };
  auto number = [&](guint64 max) { return below(4) == 0 ? max - below(3) : below(max); };
  auto wide = [&] { return number(below(2) == 0 ? 100 : guint64{G_MAXINT64}); };
  auto narrow = [&] {
    return static_cast<guint>(number(below(2) == 0 ? 100 : guint64{G_MAXUINT}));
  };
  auto name = [&](guint64 longest) {
    static const std::string letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    std::string text;
    for (guint64 i = 1 + below(longest); i > 0; i--)
      text += letters[below(letters.size())];
    return text;
  };
  // GLib never forgets the name of a field: new ones in each round would look like a leak.
  std::vector<std::string> pool;
  for (int i = 0; i < 60; i++)
    pool.push_back(name(GST_NPC_NAME_MAX - 2) + std::to_string(i));
  // The distance keeps the names in a table apart.
  auto pick = [&](guint64 i) { return pool[(i * 20 + below(20)) % pool.size()]; };
  for (int round = 0; round < 300; round++) {
    Counts counts = named(name(GST_NPC_NAME_MAX), name(GST_NPC_NAME_MAX), name(GST_NPC_NAME_MAX));
    counts->seq = wide();
    counts->time = number(GST_NPC_TIME_MAX);
    counts->interval = wide();
    counts->people = narrow();
    counts->people_max = narrow();
    counts->moving = narrow();
    counts->faces = narrow();
    counts->flags = static_cast<GstNpcCountsFlags>(below(64));
    for (guint64 i = below(4); i > 0; i--)
      add_object(counts, pick(i), narrow());
    for (guint64 i = below(4); i > 0; i--)
      add_line(counts, pick(i), narrow(), narrow(), wide(), wide());
    for (guint64 i = below(4); i > 0; i--)
      add_zone(counts, pick(i), narrow(), narrow(), narrow(), wide());
    SCOPED_TRACE(round);
    expect_round_trips(counts);
    if (HasFatalFailure())
      return;
  }
}

TEST(Counts, IgnoreFlagsThatNobodyKnows) {
  Counts counts = example();
  counts->flags = static_cast<GstNpcCountsFlags>(1u << 20 | GST_NPC_COUNTS_FLAG_DEGRADED);
  EXPECT_EQ(to_json(counts), kExampleJson);
  expect_round_trips(counts);
  Answer read = from_structure(to_structure(counts));
  EXPECT_EQ(read.counts->flags, GST_NPC_COUNTS_FLAG_DEGRADED);
}

TEST(Counts, FlagsHaveTheirNicks) {
  auto *flags = static_cast<GFlagsClass *>(g_type_class_ref(GST_TYPE_NPC_COUNTS_FLAGS));
  ASSERT_EQ(flags->n_values, 6u);
  const char *nicks[] = {"partial",   "degraded",       "stalled",
                         "shuttered", "clock-unsynced", "replayed"};
  for (guint i = 0; i < 6; i++)
    EXPECT_STREQ(g_flags_get_first_value(flags, 1u << i)->value_nick, nicks[i]);
  g_type_class_unref(flags);
}

TEST(Counts, CopiesAreDeep) {
  const Counts counts = example();
  const Counts copy = own(gst_npc_counts_copy(counts.get()));
  add_line(copy, "gate", 1, 2, 3, 4);
  gst_npc_counts_remove_line(copy.get(), 0);
  gst_npc_counts_remove_zone(copy.get(), 0);
  add_object(copy, "dog", 1);
  EXPECT_EQ(to_json(counts), kExampleJson);
  EXPECT_EQ(gst_npc_counts_get_n_objects(copy.get()), 2u);
}

TEST(Counts, HaveEntriesThatStayWhereTheyAre) {
  const Counts counts = named("a", "b", "c");
  GstNpcLineCount *first = gst_npc_counts_add_line(counts.get(), "first");
  for (int i = 0; i < 100; i++)
    add_line(counts, "l" + std::to_string(i), 0, 0, 0, 0);
  first->in = 7;
  EXPECT_EQ(gst_npc_counts_get_line(counts.get(), 0), first);
  EXPECT_STREQ(first->name, "first");
  gst_npc_counts_remove_line(counts.get(), 50);
  EXPECT_EQ(gst_npc_counts_get_n_lines(counts.get()), 100u);
  EXPECT_STREQ(gst_npc_counts_get_line(counts.get(), 50)->name, "l50");
  EXPECT_EQ(gst_npc_counts_get_line(counts.get(), 0)->in, 7u);
}

TEST(Counts, HaveNumbersByTheirKeys) {
  const Counts counts = example();
  const auto number = [&](const char *path) {
    guint64 number = 99;
    const bool found = gst_npc_counts_get_number(counts.get(), path, &number);
    return found ? std::to_string(number) : number == 0 ? "none" : "none, but a number";
  };
  for (const auto &[path, expected] : {
           std::pair("seq", "48213"),
           {"time", "1767225600000"},
           {"interval", "2000"},
           {"people", "3"},
           {"people_max", "4"},
           {"moving", "1"},
           {"faces", "1"},
           {"objects.car", "2"},
           {"lines.door.in", "5"},
           {"lines.door.out", "4"},
           {"lines.door.in_total", "1204"},
           {"lines.door.out_total", "1187"},
           {"zones.queue.people", "2"},
           {"zones.queue.people_max", "3"},
           {"zones.queue.entered", "4"},
           {"zones.queue.dwell", "31000"},
       })
    EXPECT_EQ(number(path), expected) << path;
  for (const char *path : {"",
                           ".",
                           "..",
                           "site",
                           "version",
                           "flags",
                           "persons",
                           "people.",
                           "people.x",
                           "objects",
                           "objects.",
                           "objects.dog",
                           "objects.car.",
                           "objects.car.count",
                           "object.car",
                           "lines",
                           "lines.door",
                           "lines.door.",
                           "lines.door.in.",
                           "lines.gate.in",
                           "lines.door.people",
                           ".door.in",
                           "zones..people",
                           "zones.queue.in",
                           "zones.queue.people.x"})
    EXPECT_EQ(number(path), "none") << path;
}

TEST(Counts, TakeNumbersByTheirKeys) {
  const Counts counts = example();
  for (const char *path :
       {"people", "seq", "objects.car", "lines.door.in_total", "zones.queue.dwell"}) {
    guint64 number = 0;
    EXPECT_TRUE(gst_npc_counts_set_number(counts.get(), path, 77)) << path;
    EXPECT_TRUE(gst_npc_counts_get_number(counts.get(), path, &number)) << path;
    EXPECT_EQ(number, 77u) << path;
  }
  EXPECT_EQ(counts->people, 77u);
  EXPECT_EQ(gst_npc_counts_get_line(counts.get(), 0)->in_total, 77u);
  const std::string json = to_json(counts);
  EXPECT_FALSE(gst_npc_counts_set_number(counts.get(), "people", guint64{G_MAXUINT} + 1));
  EXPECT_FALSE(gst_npc_counts_set_number(counts.get(), "time", guint64{GST_NPC_TIME_MAX} + 1));
  EXPECT_FALSE(gst_npc_counts_set_number(counts.get(), "objects.dog", 1));
  EXPECT_FALSE(gst_npc_counts_set_number(counts.get(), "lines.door", 1));
  EXPECT_EQ(to_json(counts), json);
}

TEST(Counts, LiveInAValue) {
  GValue value = G_VALUE_INIT, copy = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_NPC_COUNTS);
  g_value_init(&copy, GST_TYPE_NPC_COUNTS);
  g_value_take_boxed(&value, example().release());
  g_value_copy(&value, &copy);
  g_value_unset(&value);
  const Counts out = own(static_cast<GstNpcCounts *>(g_value_dup_boxed(&copy)));
  g_value_unset(&copy);
  EXPECT_EQ(to_json(out), kExampleJson);
}

TEST(Counts, LiveInAMessage) {
  GstElement *source = gst_bin_new("camera");
  GstMessage *message =
      gst_npc_counts_to_message(example().get(), GST_OBJECT(source), 1, 2, 3, 2 * GST_SECOND);
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(GST_MESSAGE_SRC(message), GST_OBJECT(source));
  const GstStructure *structure = gst_message_get_structure(message);
  const char *first[] = {"timestamp", "stream-time", "running-time", "duration", "version"};
  for (guint i = 0; i < G_N_ELEMENTS(first); i++)
    EXPECT_STREQ(gst_structure_nth_field_name(structure, i), first[i]);
  const guint64 times[] = {1, 2, 3, 2 * GST_SECOND};
  for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
    guint64 time = 0;
    EXPECT_TRUE(gst_structure_get_uint64(structure, first[i], &time));
    EXPECT_EQ(time, times[i]);
  }
  const Counts counts = own(gst_npc_counts_from_message(message));
  EXPECT_EQ(to_json(counts), kExampleJson);
  gst_message_unref(message);
  gst_object_unref(source);
}

TEST(Counts, AreNotFoundInOtherMessages) {
  GstStructure *other = gst_structure_copy(to_structure(example()).get());
  gst_structure_set_name(other, "npc-other");
  GstStructure *broken = gst_structure_copy(to_structure(example()).get());
  gst_structure_remove_field(broken, "people");
  GstMessage *messages[] = {
      gst_message_new_eos(nullptr),
      gst_message_new_element(nullptr, other),
      gst_message_new_element(nullptr, broken),
      gst_message_new_element(nullptr, gst_structure_new_empty("npc-counts")),
      gst_message_new_application(nullptr, to_structure(example()).release()),
  };
  for (GstMessage *message : messages) {
    EXPECT_EQ(gst_npc_counts_from_message(message), nullptr);
    gst_message_unref(message);
  }
}

TEST(Names, AreOfSafeCharactersOnly) {
  for (const char *good : {"a", "0", "-", "_", "Front-Door_2"})
    EXPECT_TRUE(gst_npc_name_is_valid(good)) << good;
  for (const char *bad :
       {"", " ", "a b", "a/b", "a.b", "a+b", "#", "a\n", "\xc3\xa9", "a,b", "a=b"})
    EXPECT_FALSE(gst_npc_name_is_valid(bad)) << bad;
  EXPECT_FALSE(gst_npc_name_is_valid(nullptr));
  EXPECT_TRUE(gst_npc_name_is_valid(std::string(GST_NPC_NAME_MAX, 'n').c_str()));
  EXPECT_FALSE(gst_npc_name_is_valid(std::string(GST_NPC_NAME_MAX + 1, 'n').c_str()));
}

}  // namespace
}  // namespace npc::test
