// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc with real sinks behind it and real senders before it.
#include <glib/gstdio.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "support/owned.h"
#include "support/pipeline.h"
#include "support/records.h"
#include "support/sender.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Owned;
using npc::test::Pipeline;
using npc::test::record_json;
using npc::test::Sender;

class NpcSrc : public testing::Test {
 protected:
  NpcSrc() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsrc-XXXXXX").string();
    directory_ = g_mkdtemp(name.data());
  }
  ~NpcSrc() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string &name) const { return directory_ + "/" + name; }
  void write(const std::string &name, const std::string &text) const {
    std::ofstream(path(name)) << text;
  }
  std::string content(const std::string &name) const {
    std::ostringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
  }
  static std::string lines(guint64 from, guint64 to, const char *camera = "door") {
    std::string text;
    for (guint64 seq = from; seq < to; seq++)
      text += record_json(seq, camera) + "\n";
    return text;
  }

  static Owned<GstStructure> stats(const Pipeline &pipeline) {
    GstStructure *structure = nullptr;
    g_object_get(pipeline.element("src").get(), "stats", &structure, nullptr);
    return Owned<GstStructure>(structure);
  }
  static guint64 number(const Pipeline &pipeline, const char *field) {
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(stats(pipeline).get(), field, &value);
    return value;
  }

  // How often each line is in a file.
  std::map<std::string, int> counted(const std::string &name) const {
    std::map<std::string, int> counts;
    std::istringstream text(content(name));
    for (std::string line; std::getline(text, line);)
      counts[line]++;
    return counts;
  }

  // The element refuses to start, and says why.
  static std::string refusal(const std::string &uri) {
    const Owned<GstElement> source(
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("npcsrc", nullptr))));
    const Owned<GstBus> bus(gst_bus_new());
    gst_element_set_bus(source.get(), bus.get());
    g_object_set(source.get(), "uri", uri.c_str(), nullptr);
    EXPECT_EQ(gst_element_set_state(source.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    const Owned<GstMessage> message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
    gst_element_set_state(source.get(), GST_STATE_NULL);
    // What is left on the bus refers to the element, which refers to the bus.
    gst_bus_set_flushing(bus.get(), TRUE);
    if (!message)
      return {};
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message.get(), &error, nullptr);
    return error->message;
  }

  std::string directory_;
};

TEST_F(NpcSrc, ReplaysARecordingByteForByte) {
  write("in.jsonl", lines(0, 3000));
  const Pipeline pipeline("npcsrc name=src uri=file:" + path("in.jsonl") +
                          "?speed=0 ! npcsink updaters=file:" + path("out.jsonl"));
  pipeline.play();
  pipeline.finish();
  EXPECT_EQ(content("out.jsonl"), content("in.jsonl"));
  EXPECT_EQ(number(pipeline, "received"), 3000u);
  EXPECT_EQ(number(pipeline, "refused"), 0u);
}

TEST_F(NpcSrc, WhatComesTwiceIsPassedOnOnce) {
  write("in.jsonl", lines(0, 50) + lines(20, 60) + "nonsense\n" + lines(59, 61));
  const Pipeline pipeline("npcsrc name=src uri=file:" + path("in.jsonl") +
                          "?speed=0 ! npcsink updaters=file:" + path("out.jsonl"));
  pipeline.play();
  const auto warning = pipeline.read(GST_MESSAGE_WARNING, 60 * GST_SECOND);
  ASSERT_TRUE(warning);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_warning(warning.get(), &error, nullptr);
  EXPECT_TRUE(std::string(error->message).starts_with("A record was refused and not passed on: "))
      << error->message;
  pipeline.finish();
  EXPECT_EQ(content("out.jsonl"), lines(0, 61));
  EXPECT_EQ(number(pipeline, "duplicates"), 31u);
  EXPECT_EQ(number(pipeline, "refused"), 1u);
}

TEST_F(NpcSrc, AtTheEndGapsAreFinal) {
  write("in.jsonl", lines(0, 5) + lines(7, 9) + lines(12, 13));
  const Pipeline pipeline("npcsrc name=src uri=file:" + path("in.jsonl") + "?speed=0 ! npcsink");
  pipeline.play();
  std::string messages;
  while (const auto message = pipeline.next()) {
    const GstStructure *structure = gst_message_get_structure(message.get());
    g_autofree gchar *text = gst_structure_to_string(structure);
    messages += std::string(text) + "\n";
  }
  EXPECT_EQ(messages,
            "npc-sender, site=(string)home, camera=(string)door, state=(string)active, "
            "reason=(string)\"\";\n"
            "npc-gap, site=(string)home, camera=(string)door, boot=(string)5f0c, "
            "from=(guint64)9, to=(guint64)11, records=(guint64)3, final=(boolean)true;\n"
            "npc-gap, site=(string)home, camera=(string)door, boot=(string)5f0c, "
            "from=(guint64)5, to=(guint64)6, records=(guint64)2, final=(boolean)true;\n");
  EXPECT_EQ(number(pipeline, "lost"), 5u);
  EXPECT_EQ(number(pipeline, "gaps"), 0u);
}

TEST_F(NpcSrc, KnowsAfterARestartWhatIsStored) {
  write("in.jsonl", lines(0, 10));
  const std::string line = "npcsrc name=src state-file=" + path("state") +
                           " uri=file:" + path("in.jsonl") +
                           "?speed=0 ! npcsink updaters=file:" + path("out.jsonl");
  for (const guint64 duplicates : {0, 10}) {
    const Pipeline pipeline(line);
    pipeline.play();
    pipeline.finish();
    EXPECT_EQ(number(pipeline, "duplicates"), duplicates);
  }
  EXPECT_EQ(content("out.jsonl"), lines(0, 10));
  EXPECT_EQ(content("state"), "npc-coverage 1\nhome door 5f0c 0-9\nend 1\n");
  // Damage costs no more than that.
  write("state", "nonsense");
  const Pipeline pipeline(line);
  pipeline.play();
  EXPECT_TRUE(pipeline.read(GST_MESSAGE_WARNING, 60 * GST_SECOND));
  pipeline.finish();
  EXPECT_EQ(content("state.bad"), "nonsense");
  EXPECT_EQ(content("out.jsonl"), lines(0, 10) + lines(0, 10));
}

// Two cameras, as they would be set up, and one program that sends nonsense.
TEST_F(NpcSrc, ReceivesOfSeveralSendersBesideAHostileOne) {
  const std::string socket = path("counts.sock");
  const Pipeline gateway("npcsrc name=src uri=unix:" + socket +
                         " ! npcsink name=sink updaters=file:" + path("out.jsonl"));
  gateway.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  write("door.jsonl", lines(0, 2000));
  write("gate.jsonl", lines(0, 2000, "gate"));
  const auto scanner = [&](const std::string &camera) {
    return std::make_unique<Pipeline>(
        "npcsrc uri=file:" + path(camera + ".jsonl") +
        "?speed=0 ! npcsink drain-timeout=60000000000 updaters=unix:" + socket);
  };
  const auto door = scanner("door"), gate = scanner("gate");
  door->play();
  gate->play();
  std::unique_ptr<Sender> hostile;
  for (int i = 0; i < 200; i++) {
    if (i % 10 == 0)
      hostile = std::make_unique<Sender>(socket);
    hostile->try_send(std::string(300, 'x') + "\n{\"version\":1}\n");
    g_usleep(1000);
  }
  door->finish();
  gate->finish();
  ASSERT_TRUE(eventually([&] { return counted("out.jsonl").size() == 4000u; }));
  for (const auto &[line, count] : counted("out.jsonl"))
    EXPECT_EQ(count, 1) << line;
  EXPECT_GT(number(gateway, "refused"), 10u);
  EXPECT_EQ(number(gateway, "senders"), 2u);
  // Each camera's in its order.
  std::map<std::string, std::string> by_camera;
  std::istringstream text(content("out.jsonl"));
  for (std::string line; std::getline(text, line);)
    by_camera[line.find("\"gate\"") != std::string::npos ? "gate" : "door"] += line + "\n";
  EXPECT_EQ(by_camera["door"], content("door.jsonl"));
  EXPECT_EQ(by_camera["gate"], content("gate.jsonl"));
}

// A sink that says what is stored, when the test wants it.
class Confirming {
 public:
  explicit Confirming(const Pipeline &pipeline) : sink_(pipeline.element("sink")) {
    const Owned<GstPad> pad(gst_element_get_static_pad(sink_.get(), "sink"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
        [](GstPad *, GstPadProbeInfo *info, gpointer) {
          const GstStructure *asked = gst_query_get_structure(GST_PAD_PROBE_INFO_QUERY(info));
          const bool is_ours = asked != nullptr && gst_structure_has_name(asked, "npc-store");
          return is_ours ? GST_PAD_PROBE_HANDLED : GST_PAD_PROBE_OK;
        },
        nullptr, nullptr);
  }

  void confirm(guint64 from, guint64 to) const {
    const Owned<GstPad> pad(gst_element_get_static_pad(sink_.get(), "sink"));
    GstStructure *stored = gst_structure_new(
        "npc-stored", "site", G_TYPE_STRING, "home", "camera", G_TYPE_STRING, "door", "boot",
        G_TYPE_STRING, "5f0c", "from", G_TYPE_UINT64, from, "to", G_TYPE_UINT64, to, nullptr);
    EXPECT_TRUE(
        gst_pad_push_event(pad.get(), gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, stored)));
  }

 private:
  Owned<GstElement> sink_;
};

TEST_F(NpcSrc, ASenderKeepsWhatTheSinkHasNotStored) {
  const std::string socket = path("counts.sock");
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket +
                          " ! queue ! fakesink name=sink async=false sync=false");
  const Confirming sink(pipeline);
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  Sender sender(socket);
  sender.send("{\"acknowledge\":true}\n" + lines(0, 3));
  ASSERT_TRUE(eventually([&] { return number(pipeline, "received") == 3u; }));
  gboolean confirming = FALSE;
  gst_structure_get_boolean(stats(pipeline).get(), "confirming", &confirming);
  EXPECT_TRUE(confirming);
  sink.confirm(0, 1);
  EXPECT_FALSE(sender.is_taken());
  // On its way, from another one who has it too: not passed on, but confirmed to both.
  const Sender other(socket);
  other.send("{\"acknowledge\":true}\n" + lines(2, 3));
  ASSERT_TRUE(eventually([&] { return number(pipeline, "duplicates") == 1u; }));
  sink.confirm(2, 2);
  ASSERT_TRUE(eventually([&] { return sender.is_taken() && other.is_taken(); }));
  std::string answers;
  ASSERT_TRUE(eventually([&] { return other.read(answers) && answers.ends_with('\n'); }));
  EXPECT_NE(answers.find("\"from\":2,\"to\":2"), std::string::npos) << answers;
}

// The number of records in a store.
int records_in(const std::string &path) {
  sqlite3 *database = nullptr;
  int count = -1;
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK)
    sqlite3_exec(
        database, "SELECT count(*) FROM records",
        [](void *data, int, char **values, char **) {
          *static_cast<int *>(data) = std::atoi(values[0]);
          return 0;
        },
        &count, nullptr);
  sqlite3_close(database);
  return count;
}

// Until `to` is acknowledged.
bool reads_up_to(const Sender &sender, guint64 to) {
  std::string answers;
  return eventually([&] {
    return sender.read(answers) &&
           answers.find("\"to\":" + std::to_string(to) + "}") != std::string::npos;
  });
}

TEST_F(NpcSrc, WhatIsAcknowledgedIsInTheStore) {
  const std::string socket = path("counts.sock"), store = path("counts.db");
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket +
                          " ! queue ! npcsink store=" + store);
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  const Sender sender(socket);
  sender.send("{\"acknowledge\":true}\n");
  for (guint64 seq = 0; seq < 500; seq += 50) {
    sender.send(lines(seq, seq + 50));
    ASSERT_TRUE(reads_up_to(sender, seq + 49));
    EXPECT_EQ(records_in(store), static_cast<int>(seq) + 50);
  }
  EXPECT_TRUE(eventually([&] { return sender.is_taken(); }));
  // What comes again is acknowledged again, and is there once.
  sender.send(lines(0, 3));
  ASSERT_TRUE(reads_up_to(sender, 2));
  EXPECT_EQ(records_in(store), 500);
  EXPECT_EQ(number(pipeline, "duplicates"), 3u);
}

// What the crash journal has is as safe as npcsink promises.
TEST_F(NpcSrc, ADiskThatIsAwayHoldsUpNoSender) {
  const std::string socket = path("counts.sock"), store = path("later/counts.db");
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket + " ! npcsink store=" + store);
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  const Sender sender(socket);
  sender.send("{\"acknowledge\":true}\n" + lines(0, 20));
  EXPECT_TRUE(reads_up_to(sender, 19));
  std::filesystem::create_directory(path("later"));
  EXPECT_TRUE(eventually([&] { return records_in(store) == 20; }));
}

// Windows that a radio's camera merged are not missing at the gateway after the next.
TEST_F(NpcSrc, NumbersOfMergedWindowsAreNotMissing) {
  const std::string socket = path("counts.sock");
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket +
                          " ! npcsink store=" + path("counts.db"));
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  const Sender sender(socket);
  std::string merged = lines(14, 15) + lines(44, 45) + lines(29, 30);
  for (auto at = merged.find("5f0c"); at != merged.npos; at = merged.find("\"5f0c"))
    merged.replace(merged.find("5f0c", at), 4, "lora-0001");
  sender.send(merged + lines(0, 1) + lines(2, 3));
  ASSERT_TRUE(eventually([&pipeline] { return number(pipeline, "gaps") == 1; }));
  EXPECT_EQ(number(pipeline, "missing"), 1u);
  sender.send(merged);
  EXPECT_TRUE(eventually([&pipeline] { return number(pipeline, "duplicates") == 3; }));
}

TEST_F(NpcSrc, SaysWhoAppearsAndFallsSilent) {
  const std::string socket = path("counts.sock");
  const Pipeline pipeline("npcsrc uri=unix:" + socket + " ! npcsink");
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  const Sender sender(socket);
  sender.send(lines(0, 1));
  for (const char *state : {"active", "silent"}) {
    const auto message = pipeline.next();
    ASSERT_TRUE(message);
    const GstStructure *structure = gst_message_get_structure(message.get());
    EXPECT_TRUE(gst_structure_has_name(structure, "npc-sender"));
    EXPECT_STREQ(gst_structure_get_string(structure, "state"), state);
    EXPECT_STREQ(gst_structure_get_string(structure, "camera"), "door");
  }
}

TEST_F(NpcSrc, BadUrisAreRefusedWithASentence) {
  EXPECT_EQ(refusal(""),
            "No uri is set: set it to where records come from, as in "
            "uri=unix:/run/npc/counts.sock.");
  EXPECT_EQ(refusal("ftp://host/"),
            "The receiver \"ftp://host/\" is refused: there is no receiver ftp:, it must be one of "
            "file:, lora:, mqtt:, mqtts:, unix:.");
  EXPECT_EQ(refusal("file:" + path("none")),
            "Cannot open \"" + path("none") +
                "\": No such file or directory. Check the path, and who may read it.");
  EXPECT_EQ(refusal("unix:" + path("none/a.sock")),
            "Cannot listen at \"" + path("none/a.sock") +
                "\": its directory does not exist. Create the directory, or choose another path.");
}

TEST_F(NpcSrc, LoraIsRefusedWithASentence) {
  const std::string uri =
      "lora:/dev/no-spidev?board=rak6421&state-file=/s&cameras=" + path("cameras");
  const auto refused = [](const std::string &text) {
    const std::string said = refusal(text);
    return said.substr(std::min(said.find("refused: "), said.size()));
  };
  EXPECT_EQ(refused("lora:/dev/spidev0.1?board=rak6421&state-file=/s"),
            "refused: cameras is missing; write the path of the file that names them.");
  EXPECT_EQ(
      refused("lora:/dev/spidev0.1?board=rak6421&cameras=/c"),
      "refused: state-file is missing; write the path of a file that keeps what was received.");
  EXPECT_EQ(
      refused(uri + "&power=23&frequency=869.525"),
      "refused: The chip SX1262 of this board sends with -9 to 22 dBm, not with 23: set power= "
      "to one of those.");
  EXPECT_EQ(refusal(uri), "The cameras file \"" + path("cameras") +
                              "\" cannot be read: No such file or directory.");
  write("cameras", "[7]\nsite=home\ncamera=door\nkey=secret\n");
  EXPECT_EQ(refusal(uri), "The cameras file \"" + path("cameras") +
                              "\" holds keys and must be open to its owner only: run chmod 600 " +
                              path("cameras") + ".");
  ASSERT_EQ(g_chmod(path("cameras").c_str(), 0600), 0);
  EXPECT_EQ(refusal(uri), "The cameras file \"" + path("cameras") +
                              "\" cannot be used. Line 4: key must have 64 hexadecimal digits. "
                              "openssl rand -hex 32 makes one.");
  write("cameras", "[7]\nsite=home\ncamera=door\nkey=" + std::string(64, '7') + "\n");
  EXPECT_EQ(refusal(uri),
            "There is no SPI device \"/dev/no-spidev\": write dtparam=spi=on into "
            "/boot/firmware/config.txt and start anew.");
}

TEST_F(NpcSrc, IsAUriHandler) {
  const Owned<GstElement> source(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("npcsrc", nullptr))));
  GstURIHandler *handler = GST_URI_HANDLER(source.get());
  EXPECT_EQ(gst_uri_handler_get_uri_type(handler), GST_URI_SRC);
  EXPECT_TRUE(g_strv_contains(gst_uri_handler_get_protocols(handler), "unix"));
  g_autoptr(GError) error = nullptr;
  EXPECT_TRUE(gst_uri_handler_set_uri(handler, "unix:/tmp/a.sock", &error));
  g_autofree gchar *uri = gst_uri_handler_get_uri(handler);
  EXPECT_STREQ(uri, "unix:/tmp/a.sock");
  EXPECT_FALSE(gst_uri_handler_set_uri(handler, "unix:/", &error));
  ASSERT_NE(error, nullptr);
  EXPECT_TRUE(g_error_matches(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI));
  EXPECT_NE(std::string(error->message).find("add the name of a socket"), std::string::npos);
}

}  // namespace
