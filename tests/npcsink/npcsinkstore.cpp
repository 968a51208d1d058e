// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink and its store: what outlives READY, NULL and the process.
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/database.h"
#include "support/sink.h"

namespace {

using npc::test::eventually;
using npc::test::Message;
using npc::test::query;
using npc::test::Structure;

using Rows = std::vector<std::string>;

class NpcSinkStore : public npc::test::Sink {
 protected:
  void set_store(const std::string &store) {
    g_object_set(sink_, "store", store.c_str(), "drain-timeout", guint64{0}, nullptr);
  }

  // As after a restart of the application.
  void restart() {
    gst_harness_teardown(std::exchange(harness_, nullptr));
    gst_element_set_state(sink_, GST_STATE_NULL);
  }

  std::string refused_store() {
    EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const Message message = pop(GST_MESSAGE_ERROR);
    return message ? text_of(message.get(), gst_message_parse_error) : std::string();
  }

  Structure store_stats() {
    const Structure all = stats();
    const GValue *store = gst_structure_get_value(all.get(), "store");
    return npc::test::Structure(gst_structure_copy(gst_value_get_structure(store)));
  }
  guint64 stored(const char *field) {
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(store_stats().get(), field, &value);
    return value;
  }
  // The next npc-store message.
  Structure store_news() {
    for (;;) {
      const Message message = wait_for(GST_MESSAGE_ELEMENT);
      EXPECT_TRUE(message);
      if (!message)
        return npc::test::Structure(gst_structure_new_empty("none"));
      const GstStructure *structure = gst_message_get_structure(message.get());
      if (gst_structure_has_name(structure, "npc-store"))
        return npc::test::Structure(gst_structure_copy(structure));
    }
  }
};

TEST_F(NpcSinkStore, HasDefaults) {
  gchar *store = nullptr;
  guint64 retention = 0, size = 0;
  g_object_get(sink_, "store", &store, "store-retention", &retention, "store-size", &size, nullptr);
  EXPECT_STREQ(store, "");
  EXPECT_EQ(retention, 30 * 24 * 3600 * GST_SECOND);
  EXPECT_EQ(size, guint64{256 << 20});
  g_free(store);
}

TEST_F(NpcSinkStore, DeliversAfterNullWhatWaited) {
  set_updaters("file:" + path("later/a"));
  set_store(path("counts.db"));
  play();
  push_records(0, 30);
  restart();
  play();
  EXPECT_EQ(number("pending"), 30u);
  push_records(30, 40);
  restart();
  std::filesystem::create_directory(path("later"));
  g_object_set(sink_, "drain-timeout", 30 * GST_SECOND, nullptr);
  play();
  push_records(40, 45);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_eos()));
  EXPECT_EQ(content(path("later/a")), lines(0, 45));
  EXPECT_EQ(number("dropped"), 0u);
}

TEST_F(NpcSinkStore, StoresTheRecordItself) {
  set_store(path("counts.db"));
  play();
  push_records(0, 3);
  gst_element_set_state(sink_, GST_STATE_READY);
  std::string records;
  for (const std::string &record :
       query(path("counts.db"), "SELECT record FROM records ORDER BY id"))
    records += record + "\n";
  EXPECT_EQ(records, lines(0, 3));
  EXPECT_EQ(query(path("counts.db"), "SELECT site, camera, boot, seq, time FROM records LIMIT 1"),
            Rows{"home|door|5f0c|0|1767225600000"});
  EXPECT_EQ(stored("records"), 3u);
  EXPECT_EQ(stored("unstored"), 0u);
  EXPECT_FALSE(pop(GST_MESSAGE_INFO)) << "records go somewhere";
}

TEST_F(NpcSinkStore, StoresARecordOnce) {
  set_store(path("counts.db"));
  play();
  push_records(0, 3);
  push_records(1, 4);
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_EQ(stored("records"), 4u);
  EXPECT_EQ(stored("repeated"), 2u);
}

TEST_F(NpcSinkStore, MovesInReady) {
  set_store(path("one.db"));
  play();
  push_records(0, 3);
  set_store(path("two.db"));  // For the next time.
  push_records(3, 5);
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_FALSE(std::filesystem::exists(path("two.db")));
  gst_element_set_state(sink_, GST_STATE_PLAYING);
  // The same file with another size is no second writer.
  gst_element_set_state(sink_, GST_STATE_READY);
  g_object_set(sink_, "store-size", guint64{9 << 20}, "updaters", ("file:" + path("a")).c_str(),
               nullptr);
  gst_element_set_state(sink_, GST_STATE_PLAYING);
  gst_element_set_state(sink_, GST_STATE_NULL);
  EXPECT_EQ(query(path("one.db"), "SELECT count(*) FROM records"), Rows{"5"});
  EXPECT_EQ(query(path("two.db"), "SELECT count(*) FROM records"), Rows{"0"});
}

TEST_F(NpcSinkStore, RefusesAStoreInUse) {
  set_store(path("counts.db"));
  play();
  GstElement *other = gst_element_factory_make("npcsink", nullptr);
  gst_object_ref_sink(other);
  gst_element_set_bus(other, bus_);
  g_object_set(other, "store", path("counts.db").c_str(), nullptr);
  EXPECT_EQ(gst_element_set_state(other, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  const Message message = pop(GST_MESSAGE_ERROR);
  ASSERT_TRUE(message);
  EXPECT_EQ(text_of(message.get(), gst_message_parse_error),
            "The store \"" + path("counts.db") +
                "\" is in use by another npcsink. Give each a store of its own.");
  gst_element_set_bus(other, nullptr);
  gst_object_unref(other);
  push_records(0, 3);
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_EQ(stored("records"), 3u);
}

TEST_F(NpcSinkStore, RefusesAnotherProgramsDatabase) {
  npc::test::change(path("music.db"), "CREATE TABLE songs (name)");
  set_store(path("music.db"));
  EXPECT_EQ(refused_store(), "The store \"" + path("music.db") +
                                 "\" is refused: it is a database of another program. Choose "
                                 "another path.");
  set_store(path("counts.db"));
  play();
  push_records(0, 1);
}

TEST_F(NpcSinkStore, CountsOnWithoutADirectory) {
  set_updaters("file:" + path("a"));
  set_store(path("later/counts.db"));
  play();
  push_records(0, 10);
  const Structure failing = store_news();
  EXPECT_STREQ(gst_structure_get_string(failing.get(), "state"), "failing");
  EXPECT_EQ(gst_structure_get_string(failing.get(), "store"), path("later/counts.db"));
  EXPECT_EQ(gst_structure_get_string(failing.get(), "reason"),
            "The store \"" + path("later/counts.db") +
                "\" cannot be written: its directory does not exist. Create the directory, or "
                "choose another path.");
  EXPECT_TRUE(eventually([this] { return content(path("a")) == lines(0, 10); }));
  gboolean writing = TRUE;
  gst_structure_get_boolean(store_stats().get(), "writing", &writing);
  EXPECT_FALSE(writing);
  EXPECT_FALSE(pop(static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_WARNING)));

  std::filesystem::create_directory(path("later"));
  const Structure again = store_news();
  EXPECT_STREQ(gst_structure_get_string(again.get(), "state"), "writing");
  gst_element_set_state(sink_, GST_STATE_READY);
  EXPECT_EQ(stored("records"), 10u);
}

TEST_F(NpcSinkStore, SetsADamagedFileAside) {
  std::ofstream(path("counts.db")) << "no database";
  std::ofstream(path("counts.db-lock")).flush();  // It was a store.
  set_store(path("counts.db"));
  play();
  push_records(0, 3);
  Structure news = store_news();
  while (gst_structure_get_string(news.get(), "state") == std::string("failing"))
    news = store_news();
  EXPECT_STREQ(gst_structure_get_string(news.get(), "state"), "replaced");
  EXPECT_EQ(content(path("counts.db.damaged-1")), "no database");
  EXPECT_TRUE(eventually([this] { return stored("records") == 3; }));
}

// gst-launch-1.0 without -e only goes to NULL.
TEST_F(NpcSinkStore, LosesNothingToAPipelineThatIsStopped) {
  set_updaters("file:" + path("never/a"));
  set_store(path("counts.db"));
  play();
  push_records(0, 2000);
  restart();
  EXPECT_EQ(query(path("counts.db"), "SELECT count(*) FROM records"), Rows{"2000"});
  EXPECT_EQ(query(path("counts.db"), "SELECT updater, last FROM cursors"),
            Rows{"file:" + path("never/a") + "|0"});
}

// What the streaming thread spends, while nothing of it reaches a disk or a broker.
TEST_F(NpcSinkStore, TakesRecordsWhileTheStoreIsLocked) {
  set_store(path("counts.db"));
  play();
  push_records(0, 10);
  ASSERT_TRUE(eventually([this] { return stored("records") == 10; }));
  sqlite3 *other = npc::test::open_database(path("counts.db"));
  npc::test::execute(other, "BEGIN IMMEDIATE");
  push_records(10, 1010);
  // Had render() waited for the lock, they would be stored, or given up.
  EXPECT_EQ(stored("unstored"), 1000u);
  EXPECT_EQ(total("received"), 1010u);
  npc::test::execute(other, "ROLLBACK");
  sqlite3_close(other);
  EXPECT_TRUE(eventually([this] { return stored("records") == 1010; }));
}

}  // namespace
