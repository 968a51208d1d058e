// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount's lines and zones: what is told of them, refused, kept and reset.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "support/counter.h"

namespace {

using namespace npc::test;
namespace fs = std::filesystem;

constexpr const char *kDoor = "door,x1=0.5,y1=0,x2=0.5,y2=1";
constexpr const char *kQueue = "queue,points=<0.3,0,0.7,0,0.7,1,0.3,1>";

class CounterLines : public Counter {
 protected:
  void SetUp() override {
    Counter::SetUp();
    std::string pattern = fs::temp_directory_path() / "npc-lines-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    file_ = folder_ / "state.json";
  }
  void TearDown() override {
    Counter::TearDown();
    harness_.reset();
    fs::remove_all(folder_);
  }

  /// Another element, as after a restart of the process.
  void restart() {
    gst_element_set_bus(element(), nullptr);
    harness_.reset();
    Counter::SetUp();
  }

  /// Somebody walks from one x to another in two seconds, ten frames a second, and is gone for
  /// three; then the windows up to then are over.
  void crossing(GstClockTime start, double from, double to) {
    for (int i = 0; i <= 20; i++)
      frame(start + i * 100 * GST_MSECOND, {person(from - 20 + (to - from) * i / 20)});
    frames(start + 2100 * GST_MSECOND, start + 5 * GST_SECOND);
  }

  /// The records that came out, the last one first on the list.
  Record last_record() {
    Record last;
    while (Record record = next())
      last = std::move(record);
    return last;
  }

  static GstNpcLineCount line(const Record &record, guint index = 0) {
    return *gst_npc_counts_get_line(record.counts.get(), index);
  }
  static GstNpcZoneCount zone(const Record &record, guint index = 0) {
    return *gst_npc_counts_get_zone(record.counts.get(), index);
  }

  std::string read(const fs::path &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string get(const char *property) {
    g_autofree gchar *text = nullptr;
    g_object_get(element(), property, &text, nullptr);
    return text;
  }

  fs::path folder_, file_;
};

TEST_F(CounterLines, AreInEveryRecord) {
  g_object_set(element(), "lines", "door,x1=0.5,y1=0.0,x2=0.5,y2=1.0; exit,x1=0.9,y1=0,x2=0.9,y2=1",
               "zones", kQueue, "interval", static_cast<guint64>(5 * GST_SECOND), nullptr);
  set_caps();
  crossing(0, 220, 420);
  crossing(5 * GST_SECOND, 420, 220);
  frame(10 * GST_SECOND);
  Record record = next();
  ASSERT_TRUE(record);
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 2u);
  ASSERT_EQ(gst_npc_counts_get_n_zones(record.counts.get()), 1u);
  EXPECT_STREQ(line(record, 0).name, "door");
  EXPECT_EQ(line(record, 0).in, 1u);
  EXPECT_EQ(line(record, 0).out, 0u);
  EXPECT_EQ(line(record, 0).in_total, 1u);
  EXPECT_STREQ(line(record, 1).name, "exit");
  EXPECT_EQ(line(record, 1).in_total + line(record, 1).out_total, 0u);
  EXPECT_STREQ(zone(record).name, "queue");
  EXPECT_EQ(zone(record).people_max, 1u);
  EXPECT_EQ(zone(record).entered, 0u) << "they were in it when first seen";
  // In the zone until they were last seen, at 2 s.
  EXPECT_EQ(zone(record).dwell, 2000u);
  record = next();
  ASSERT_TRUE(record);
  EXPECT_EQ(line(record).in, 0u);
  EXPECT_EQ(line(record).out, 1u);
  EXPECT_EQ(line(record).in_total, 1u);
  EXPECT_EQ(line(record).out_total, 1u);
}

TEST_F(CounterLines, MayHaveAnyName) {
  g_object_set(element(), "lines",
               "1,x1=0.5,y1=0,x2=0.5,y2=1; -_-,x1=0.6,y1=0,x2=0.6,y2=1;n,x1=0.7,y1=0,x2=0.7,y2=1",
               "zones", "2nd-floor,points=<0.3,0,0.7,0,0.7,1,0.3,1>", nullptr);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  set_caps();
  crossing(0, 220, 420);
  g_signal_emit_by_name(element(), "reset", "-_-");
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  const Record record = last_record();
  ASSERT_TRUE(record);
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 3u);
  EXPECT_STREQ(line(record, 0).name, "1");
  EXPECT_EQ(line(record, 0).in_total, 1u);
  EXPECT_STREQ(line(record, 1).name, "-_-");
  EXPECT_STREQ(line(record, 2).name, "n");
  EXPECT_STREQ(zone(record).name, "2nd-floor");
}

TEST_F(CounterLines, EachCrossingIsAMessage) {
  g_object_set(element(), "lines", kDoor, "camera", "hall", nullptr);
  set_caps();
  crossing(0, 220, 420);
  crossing(5 * GST_SECOND, 420, 220);
  int found = 0;
  while (Owned<GstMessage> posted = message()) {
    const GstStructure *fields = gst_message_get_structure(posted.get());
    if (!gst_structure_has_name(fields, "npc-crossing"))
      continue;
    const bool in = found++ == 0;
    std::vector<std::string> names;
    for (gint i = 0; i < gst_structure_n_fields(fields); i++)
      names.emplace_back(gst_structure_nth_field_name(fields, static_cast<guint>(i)));
    EXPECT_EQ(names, (std::vector<std::string>{"timestamp", "stream-time", "running-time", "site",
                                               "camera", "line", "direction", "class", "in_total",
                                               "out_total"}));
    EXPECT_STREQ(gst_structure_get_string(fields, "camera"), "hall");
    EXPECT_STREQ(gst_structure_get_string(fields, "line"), "door");
    EXPECT_STREQ(gst_structure_get_string(fields, "direction"), in ? "in" : "out");
    EXPECT_STREQ(gst_structure_get_string(fields, "class"), "person");
    guint64 time = 0, total = 0;
    EXPECT_TRUE(gst_structure_get_uint64(fields, "running-time", &time));
    EXPECT_GT(time, (in ? 1 : 6) * GST_SECOND);
    EXPECT_LT(time, (in ? 2 : 7) * GST_SECOND);
    EXPECT_TRUE(gst_structure_get_uint64(fields, "in_total", &total));
    EXPECT_EQ(total, 1u);
    EXPECT_TRUE(gst_structure_get_uint64(fields, "out_total", &total));
    EXPECT_EQ(total, in ? 0u : 1u);
  }
  EXPECT_EQ(found, 2);
  g_object_set(element(), "post-messages", FALSE, nullptr);
  crossing(10 * GST_SECOND, 220, 420);
  EXPECT_FALSE(message());
}

TEST_F(CounterLines, ChangeWhilePlayingAndKeepTheirTotals) {
  set_caps();
  frames(0, GST_SECOND);
  g_object_set(element(), "lines", kDoor, nullptr);
  crossing(GST_SECOND, 220, 420);
  Record record = last_record();
  ASSERT_TRUE(record);
  EXPECT_EQ(line(record).in_total, 1u);
  g_object_set(element(), "lines", "new,x1=0,y1=0.5,x2=1,y2=0.5;door,x1=0.4,y1=0,x2=0.4,y2=1",
               nullptr);
  crossing(6 * GST_SECOND, 150, 350);
  record = last_record();
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 2u);
  EXPECT_STREQ(line(record, 1).name, "door");
  EXPECT_EQ(line(record, 1).in_total, 2u);
  g_object_set(element(), "lines", nullptr, "zones", kQueue, nullptr);
  frames(11 * GST_SECOND, 14 * GST_SECOND);
  record = last_record();
  EXPECT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 0u);
  EXPECT_EQ(gst_npc_counts_get_n_zones(record.counts.get()), 1u);
}

struct Refused {
  const char *property;
  std::string text;
  const char *sentence;
};

std::string many(int count, const std::string &prefix) {
  std::string text;
  for (int i = 0; i < count; i++)
    text += prefix + std::to_string(i) + ",x1=0.5,y1=0,x2=0.5,y2=1;";
  return text;
}

const std::vector<Refused> &refused() {
  static const std::vector<Refused> cases = {
      {"lines", "???", "Cannot read \"???\": write name,x1=0.5,y1=0,x2=0.5,y2=1"},
      {"lines", "\xff\xfe", "Cannot read \""},
      {"lines", ",x1=0.5,y1=0,x2=0.5,y2=1", "Cannot read \",x1=0.5"},
      {"lines", "\"a b\",x1=0.5,y1=0,x2=0.5,y2=1", "Cannot read \""},
      {"lines", "a.b,x1=0.5,y1=0,x2=0.5,y2=1", "The name a.b may hold letters"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5", "The line door needs x1, y1, x2 and y2"},
      {"lines", "door,x1=left,y1=0,x2=0.5,y2=1", "The line door needs x1, y1, x2 and y2"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1.01", "The line door leaves the frame"},
      {"lines", "door,x1=0.5,y1=nan,x2=0.5,y2=1", "The line door"},
      {"lines", "door,x1=0.5,y1=1,x2=0.5,y2=1", "The line door has no length"},
      {"lines", "door,x1=0.5,y1=0.4,x2=0.5,y2=0.5,band=0.06", "shorter than its band"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1,bnad=0.1",
       "The line door has an unknown option bnad; known are x1, y1, x2, y2, class, band and "
       "settle."},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1,band=-0.1", "has a band that is no number"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1,settle=soon", "has a settle that is no number"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1,class=2", "has a class that is none"},
      {"lines", "door,x1=0.5,y1=0,x2=0.5,y2=1;door,x1=0,y1=0.5,x2=1,y2=0.5",
       "The line door is defined twice"},
      {"lines", many(60, "a"), "4096 bytes that readers take"},
      {"zones", "queue", "The zone queue needs at least three corners"},
      {"zones", "queue,points=<0,0,1,1>", "The zone queue needs at least three corners"},
      {"zones", "queue,points=<0,0,1,1,1>", "The zone queue needs at least three corners"},
      {"zones", "queue,points=<0,0,1,0,1,1.5>", "from 0 to 1"},
      {"zones", "queue,points=<0,0,1,1,1,0,0,1>", "The zone queue crosses or touches itself"},
      {"zones", "queue,points=<0,0,1,0,1,1>,x1=0",
       "The zone queue has an unknown option x1; known are points, class, band and settle."},
      {"zones", "q,points=<0,0,1,0,1,1>;q,points=<0,0,1,0,1,1>", "The zone q is defined twice"},
  };
  return cases;
}

TEST_F(CounterLines, ThatCannotWorkKeepItFromStarting) {
  Owned<GstElement> element(gst_element_factory_make("npccount", nullptr));
  gst_object_ref_sink(element.get());
  gst_element_set_bus(element.get(), bus_.get());
  for (const Refused &bad : refused()) {
    g_object_set(element.get(), bad.property, bad.text.c_str(), nullptr);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE)
        << bad.text;
    const std::string text = sentence(GST_MESSAGE_ERROR);
    EXPECT_NE(text.find(bad.sentence), std::string::npos) << text;
    EXPECT_NE(text.find(bad.property), std::string::npos) << text;
    gst_element_set_state(element.get(), GST_STATE_NULL);
    g_object_set(element.get(), bad.property, nullptr, nullptr);
  }
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(CounterLines, ThatCannotWorkLeaveTheOldOnes) {
  g_object_set(element(), "lines", kDoor, "zones", kQueue, nullptr);
  set_caps();
  for (const Refused &bad : refused()) {
    g_object_set(element(), bad.property, bad.text.c_str(), nullptr);
    const std::string text = sentence(GST_MESSAGE_WARNING);
    EXPECT_EQ(text.find("The property " + std::string(bad.property) + " stays as it was. "), 0u)
        << text;
    EXPECT_NE(text.find(bad.sentence), std::string::npos) << text;
  }
  EXPECT_EQ(get("lines"), kDoor);
  EXPECT_EQ(get("zones"), kQueue);
  crossing(0, 220, 420);
  const Record record = last_record();
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 1u);
  ASSERT_EQ(gst_npc_counts_get_n_zones(record.counts.get()), 1u);
  EXPECT_EQ(line(record).in_total, 1u);
}

TEST_F(CounterLines, TheMostThatIsTakenMakesARecord) {
  set_caps();
  // As many as are taken, whichever form of the record is the longer one.
  int most = 0;
  for (int count = 1; count < 60; count++) {
    g_object_set(element(), "lines", many(count, "gate").c_str(), nullptr);
    if (sentence(GST_MESSAGE_WARNING).empty())
      most = count;
  }
  EXPECT_GT(most, 15);
  crossing(0, 220, 420);
  const Record record = last_record();
  ASSERT_TRUE(record);
  EXPECT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), static_cast<guint>(most));
  // Longer names would not fit any more.
  const std::string longest(GST_NPC_NAME_MAX, 'n');
  g_object_set(element(), "site", longest.c_str(), nullptr);
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("4096 bytes that readers take"), std::string::npos);
  EXPECT_EQ(get("site"), "home");
}

TEST_F(CounterLines, AnotherSizeOfFrameKeepsThemInPlace) {
  g_object_set(element(), "lines", kDoor, nullptr);
  set_caps();
  crossing(0, 220, 420);
  set_caps(320, 240);
  for (int i = 0; i <= 20; i++)
    frame((50 + i) * 100 * GST_MSECOND, {person(90 + 5 * i, 150)});
  frames(7100 * GST_MSECOND, 10 * GST_SECOND);
  EXPECT_EQ(line(last_record()).in_total, 2u);
}

TEST_F(CounterLines, AFlushForgetsTracksNotTotals) {
  g_object_set(element(), "lines", kDoor, nullptr);
  set_caps();
  crossing(0, 220, 420);
  for (int i = 0; i <= 8; i++)
    frame((50 + i) * 100 * GST_MSECOND, {person(200 + 10 * i)});
  flush();
  // On the other side: somebody else.
  frames(0, 3 * GST_SECOND, {person(400)});
  const Record record = last_record();
  EXPECT_EQ(line(record).in, 0u);
  EXPECT_EQ(line(record).in_total, 1u);
}

class CounterState : public CounterLines {
 protected:
  /// Starts the element anew, with a line and the state file.
  void begin() {
    g_object_set(element(), "lines", kDoor, nullptr);
    gst_element_set_state(element(), GST_STATE_NULL);
    g_object_set(element(), "state-file", file_.c_str(), nullptr);
    gst_element_set_state(element(), GST_STATE_PLAYING);
    gst_harness_push_event(harness_.get(), gst_event_new_stream_start("again"));
    set_caps();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    set_segment(segment);
  }
};

TEST_F(CounterState, TotalsOutliveTheElement) {
  for (guint64 life = 1; life <= 3; life++) {
    begin();
    crossing(0, 220, 420);
    EXPECT_EQ(line(last_record()).in_total, life);
    EXPECT_NE(read(file_).find("\"in\":" + std::to_string(life)), std::string::npos)
        << "written when the window ends, not only when the element stops";
    EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
    restart();
  }
}

TEST_F(CounterState, ABrokenFileIsSetAside) {
  std::ofstream(file_) << "{\"format\":\"npc-tot";
  begin();
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("is broken, or not a file of npccount's"),
            std::string::npos);
  crossing(0, 220, 420);
  EXPECT_EQ(line(last_record()).in_total, 1u);
  EXPECT_EQ(read(file_.string() + ".bad"), "{\"format\":\"npc-tot");
  EXPECT_NE(read(file_).find("\"in\":1"), std::string::npos);
}

TEST_F(CounterState, AnUnwritablePathIsOneWarningAndTriedAgain) {
  file_ = folder_ / "later" / "state.json";
  begin();
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  crossing(0, 220, 420);
  crossing(5 * GST_SECOND, 420, 220);
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("cannot be written: "), std::string::npos);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  fs::create_directory(folder_ / "later");
  frames(10 * GST_SECOND, 13 * GST_SECOND);
  const Record record = last_record();
  EXPECT_EQ(line(record).in_total, 1u);
  EXPECT_EQ(line(record).out_total, 1u);
  EXPECT_NE(read(file_).find("\"in\":1,\"out\":1"), std::string::npos) << read(file_);
}

TEST_F(CounterState, APathThatComesAndGoesIsOneWarning) {
  file_ = folder_ / "now and then" / "state.json";
  begin();
  for (int i = 0; i < 6; i++) {
    if (i % 2 == 0)
      fs::remove_all(file_.parent_path());
    else
      fs::create_directory(file_.parent_path());
    crossing(i * 5 * GST_SECOND, i % 2 == 0 ? 220 : 420, i % 2 == 0 ? 420 : 220);
  }
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("cannot be written: "), std::string::npos);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
}

TEST_F(CounterState, NothingIsWrittenWhileNothingChanges) {
  begin();
  frames(0, 5 * GST_SECOND);
  EXPECT_FALSE(fs::exists(file_));
  crossing(5 * GST_SECOND, 220, 420);
  ASSERT_TRUE(fs::exists(file_));
  fs::remove(file_);
  frames(10 * GST_SECOND, 15 * GST_SECOND);
  EXPECT_FALSE(fs::exists(file_));
}

TEST_F(CounterState, StoppingWritesTheOpenWindow) {
  g_object_set(element(), "interval", static_cast<guint64>(3600 * GST_SECOND), nullptr);
  begin();
  crossing(0, 220, 420);
  EXPECT_FALSE(fs::exists(file_));
  gst_element_set_state(element(), GST_STATE_NULL);
  EXPECT_NE(read(file_).find("\"in\":1"), std::string::npos);
}

TEST_F(CounterState, ResetBeginsAtZeroInTheFileToo) {
  begin();
  g_object_set(element(), "lines", "door,x1=0.5,y1=0,x2=0.5,y2=1;other,x1=0.51,y1=0,x2=0.51,y2=1",
               nullptr);
  crossing(0, 220, 420);
  g_signal_emit_by_name(element(), "reset", "other");
  frames(5 * GST_SECOND, 8 * GST_SECOND);
  Record record = last_record();
  EXPECT_EQ(line(record, 0).in_total, 1u);
  EXPECT_EQ(line(record, 1).in_total, 0u);
  crossing(8 * GST_SECOND, 220, 420);
  for (const char *all : {"", static_cast<const char *>(nullptr)}) {
    g_signal_emit_by_name(element(), "reset", all);
    frames(13 * GST_SECOND, 16 * GST_SECOND);
    record = last_record();
    EXPECT_EQ(line(record, 0).in_total, 0u);
    EXPECT_EQ(line(record, 1).in_total, 0u);
  }
  EXPECT_EQ(read(file_).find("\"in\":1"), std::string::npos) << read(file_);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
  g_signal_emit_by_name(element(), "reset", "no\xff such");
  EXPECT_NE(sentence(GST_MESSAGE_WARNING).find("There is no line \""), std::string::npos);
}

TEST_F(CounterState, ResetWhileStoppedHolds) {
  begin();
  crossing(0, 220, 420);
  restart();
  gst_element_set_state(element(), GST_STATE_NULL);
  g_object_set(element(), "lines", kDoor, nullptr);
  g_signal_emit_by_name(element(), "reset", "door");
  begin();
  frames(0, 3 * GST_SECOND);
  EXPECT_EQ(line(last_record()).in_total, 0u);
}

TEST_F(CounterLines, MayBeSetAndResetFromOtherThreads) {
  g_object_set(element(), "lines", kDoor, nullptr);
  set_caps();
  std::thread other([this] {
    for (int i = 0; i < 200; i++) {
      g_object_set(element(), "lines", i % 2 == 0 ? "a,x1=0.4,y1=0,x2=0.4,y2=1" : kDoor, "zones",
                   i % 3 == 0 ? kQueue : "", nullptr);
      g_signal_emit_by_name(element(), "reset", "");
    }
    g_object_set(element(), "lines", kDoor, nullptr);
  });
  for (int i = 0; i < 40; i++)
    crossing(i * 5 * GST_SECOND, 220, 420);
  other.join();
  crossing(200 * GST_SECOND, 220, 420);
  const Record record = last_record();
  ASSERT_EQ(gst_npc_counts_get_n_lines(record.counts.get()), 1u);
  EXPECT_GE(line(record).in_total, 1u);
}

}  // namespace
