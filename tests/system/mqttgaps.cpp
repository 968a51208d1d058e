// SPDX-License-Identifier: LGPL-2.1-or-later
// What a broker loses is asked for: cameras, real brokers, and a gateway that is killed.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <string>

#include "support/mosquitto.h"
#include "support/pipeline.h"
#include "support/playingsink.h"
#include "support/process.h"
#include "support/sanitizer.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::Pipeline;
using npc::test::PlayingSink;
using npc::test::record_json;
using npc::test::Subscriber;

// One that forgets what it has, unlike the others here.
constexpr const char *kForgetful =
    "allow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\n";

class MqttGaps : public testing::Test {
 protected:
  void SetUp() override {
    if (!npc::test::have_program("mosquitto"))
      GTEST_SKIP() << "mosquitto is not installed";
  }

  std::string gateway(const Mosquitto &broker, const std::string &more = {}) const {
    return "npcsrc name=source uri=mqtt://gateway@" + broker.host() + more +
           " state-file=" + (directory_ / "received") +
           " ! npcsink drain-timeout=60000000000 store=" + (directory_ / "store.db") +
           " updaters=file:" + (directory_ / "counts.jsonl");
  }
  std::string camera(const Mosquitto &broker) const { return "mqtt://camera@" + broker.host(); }

  std::multiset<std::string> lines() const {
    const auto all = npc::test::lines_of(directory_ / "counts.jsonl");
    return {all.begin(), all.end()};
  }
  bool has(std::size_t records) const {
    return eventually([&] { return lines().size() >= records; });
  }
  static std::multiset<std::string> expected(guint64 from, guint64 to) {
    std::multiset<std::string> all;
    for (guint64 seq = from; seq < to; seq++)
      all.insert(record_json(seq));
    return all;
  }
  // Waits for a message of that name and state, if it has one.
  static npc::test::Owned<GstMessage> wait_for(const Pipeline &pipeline, const char *name,
                                               const std::string &state = {}) {
    while (true) {
      auto message = pipeline.next();
      const GstStructure *news = gst_message_get_structure(message.get());
      if (gst_structure_has_name(news, name) != FALSE &&
          (state.empty() || state == gst_structure_get_string(news, "state")))
        return message;
    }
  }

  npc::test::TemporaryDirectory directory_;
};

TEST_F(MqttGaps, WhatABrokerForgetsComesFromTheCamera) {
  Mosquitto broker = Mosquitto::plain(kForgetful);
  ASSERT_TRUE(broker.start());
  PlayingSink door(camera(broker), directory_ / "camera.db");
  std::optional<Pipeline> pipeline(std::in_place, gateway(broker));
  pipeline->play();
  wait_for(*pipeline, "npc-receiver", "connected");
  door.push(0, 100);
  ASSERT_TRUE(has(100));
  pipeline.reset();

  // It has these, for a gateway that is away.
  door.push(100, 350);
  ASSERT_TRUE(eventually([&] { return door.number("delivered") == 350; }));
  broker.kill();
  ASSERT_TRUE(broker.start());

  pipeline.emplace(gateway(broker));
  pipeline->play();
  wait_for(*pipeline, "npc-receiver", "connected");
  door.push(350, 360);
  ASSERT_TRUE(has(360));
  EXPECT_EQ(lines(), expected(0, 360));
  EXPECT_EQ(door.number("resent"), 250u);
  EXPECT_EQ(door.number("requests-refused"), 0u);
}

TEST_F(MqttGaps, WhatAnAccessListDropsComesFromTheCamera) {
  npc::test::TemporaryDirectory list;
  const auto allow = [&](const char *gateway) {
    std::ofstream(list / "acl") << "user camera\ntopic readwrite #\nuser gateway\n"
                                << "topic write npc/+/+/resend\ntopic read npc/+/+/lost\n"
                                << gateway;
  };
  allow("topic read npc/+/+/counts\n");
  Mosquitto broker(std::string("allow_anonymous true\nacl_file ") + (list / "acl") + "\n");
  ASSERT_TRUE(broker.start());
  PlayingSink door(camera(broker));
  const Pipeline pipeline(gateway(broker));
  pipeline.play();
  wait_for(pipeline, "npc-receiver", "connected");
  door.push(0, 100);
  ASSERT_TRUE(has(100));

  const auto reload = [&](const std::string &counts) {
    const auto loads = [&] {
      std::size_t found = 0;
      const std::string log = broker.log();
      for (auto at = log.find("Reloading"); at != log.npos; at = log.find("Reloading", at + 1))
        found++;
      return found;
    };
    const std::size_t before = loads();
    allow(counts.c_str());
    broker.signal(SIGHUP);
    return eventually([&] { return loads() > before; });
  };
  ASSERT_TRUE(reload(""));
  door.push(100, 200);
  ASSERT_TRUE(eventually([&] { return door.number("delivered") == 200; }));
  EXPECT_EQ(lines().size(), 100u);
  ASSERT_TRUE(reload("topic read npc/+/+/counts\n"));
  door.push(200, 210);
  ASSERT_TRUE(has(210));
  EXPECT_EQ(lines(), expected(0, 210));
}

// The camera keeps 500 in memory.
TEST_F(MqttGaps, WhatTheCameraDoesNotHaveIsLostAndSaidOnce) {
  Mosquitto broker = Mosquitto::plain(kForgetful);
  ASSERT_TRUE(broker.start());
  PlayingSink door(camera(broker));
  const Subscriber answers(broker, {"-t", "npc/+/+/lost", "-q", "1"});
  std::optional<Pipeline> pipeline(std::in_place, gateway(broker));
  pipeline->play();
  wait_for(*pipeline, "npc-receiver", "connected");
  door.push(0, 10);
  ASSERT_TRUE(has(10));
  pipeline.reset();
  door.push(10, 20);
  ASSERT_TRUE(eventually([&] { return door.number("delivered") == 20; }));
  broker.kill();
  ASSERT_TRUE(broker.start());
  pipeline.emplace(gateway(broker));
  pipeline->play();
  wait_for(*pipeline, "npc-receiver", "connected");
  for (guint64 seq = 20; seq < 1500; seq += 100) {
    door.push(seq, seq + 100);
    ASSERT_TRUE(eventually([&] { return door.number("pending") == 0; }));
  }
  npc::test::Owned<GstMessage> message;
  gboolean final = FALSE;
  while (final == FALSE) {
    message = wait_for(*pipeline, "npc-gap");
    gst_structure_get_boolean(gst_message_get_structure(message.get()), "final", &final);
  }
  guint64 from = 0, to = 0;
  gst_structure_get(gst_message_get_structure(message.get()), "from", G_TYPE_UINT64, &from, "to",
                    G_TYPE_UINT64, &to, nullptr);
  EXPECT_EQ(from, 10u);
  EXPECT_EQ(to, 19u);
  GstStructure *stats = nullptr;
  g_object_get(pipeline->element("source").get(), "stats", &stats, nullptr);
  guint64 lost = 0, missing = 1;
  gst_structure_get(stats, "lost", G_TYPE_UINT64, &lost, "missing", G_TYPE_UINT64, &missing,
                    nullptr);
  gst_structure_free(stats);
  EXPECT_EQ(lost, 10u);
}

// What somebody else has taken from the socket.
TEST_F(MqttGaps, ASocketIsAskedToo) {
  const std::string socket = "unix:" + (directory_ / "counts.sock");
  const std::string gateway =
      "npcsrc uri=" + socket + " state-file=" + (directory_ / "received") +
      " ! npcsink drain-timeout=60000000000 store=" + (directory_ / "store.db") +
      " updaters=file:" + (directory_ / "counts.jsonl");
  std::optional<Pipeline> reader(std::in_place, gateway);
  reader->play();
  PlayingSink door(socket + "?resend=1", directory_ / "camera.db");
  door.push(0, 20);
  ASSERT_TRUE(has(20));
  reader.reset();
  reader.emplace("npcsrc uri=" + socket + " ! fakesink");
  reader->play();
  door.push(20, 320);
  ASSERT_TRUE(eventually([&] { return door.number("delivered") == 320; }));
  reader.reset();
  reader.emplace(gateway);
  reader->play();
  door.push(320, 330);
  ASSERT_TRUE(has(330));
  EXPECT_EQ(lines(), expected(0, 330));
  EXPECT_TRUE(eventually([&] { return door.number("resent") == 300; }));
}

// A stranger who may write there gets an answer, but no flood.
TEST_F(MqttGaps, AFloodOfRequestsIsRefused) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  PlayingSink door(camera(broker));
  door.push(0, 400);
  ASSERT_TRUE(eventually([&] { return door.number("delivered") == 400; }));
  const std::string file = directory_ / "requests";
  {
    std::ofstream requests(file);
    for (int i = 0; i < 2000; i++)
      requests << R"({"boot":"b)" << i << R"(","from":0,"to":1000000000})" << '\n';
    requests << "nonsense\n";
  }
  npc::test::Process stranger({"sh", "-c",
                               "mosquitto_pub -h 127.0.0.1 -p " + std::to_string(broker.port()) +
                                   " -q 1 -l -t npc/home/door/resend < " + file},
                              directory_ / "log");
  ASSERT_EQ(stranger.wait(), 0);
  ASSERT_TRUE(eventually([&] { return door.number("requests-refused") > 1000; }));
  const std::string first = door.wait_for("not-answered"), second = door.wait_for("not-answered");
  EXPECT_NE((first + second).find("faster than they are sent again"), std::string::npos);
  EXPECT_NE((first + second).find("is no request"), std::string::npos);
  door.push(400, 500);
  EXPECT_TRUE(door.drain());
  EXPECT_EQ(door.number("delivered"), 500u);
  EXPECT_EQ(door.number("resent"), 0u);
}

// Between the broker's confirmation and the store, as often as not.
TEST_F(MqttGaps, AGatewayThatIsKilledLosesNothing) {
  if (npc::test::kSanitized)
    GTEST_SKIP() << "gst-launch-1.0 cannot load a plugin that is built with a sanitizer";
  Mosquitto broker = Mosquitto::plain(kForgetful);
  ASSERT_TRUE(broker.start());
  PlayingSink door(camera(broker), directory_ / "camera.db");
  {
    const Pipeline pipeline(gateway(broker));
    pipeline.play();
    wait_for(pipeline, "npc-receiver", "connected");
    door.push(0, 20);
    ASSERT_TRUE(has(20));
  }
  guint64 next = 20;
  const auto push_until = [&](auto holds) {
    return eventually([&] {
      door.push(next, next + 10);
      next += 10;
      g_usleep(100000);
      return holds();
    });
  };
  npc::test::Process process;
  const auto launch = [&] {
    process = npc::test::Process({"sh", "-c", "exec gst-launch-1.0 -q " + gateway(broker)},
                                 directory_ / "log");
  };
  for (int round = 0; round < 5; round++) {
    launch();
    const std::size_t before = lines().size();
    ASSERT_TRUE(push_until([&] { return lines().size() > before; }));
    process.signal(SIGKILL);
    process.wait();
    // With all that it keeps for the gateway.
    broker.kill();
    ASSERT_TRUE(broker.start());
  }
  launch();
  const auto wanted = expected(0, next);
  const auto is_all_there = [&] {
    const auto there = lines();
    const std::set<std::string> once(there.begin(), there.end());
    return std::ranges::includes(once, wanted);
  };
  EXPECT_TRUE(push_until(is_all_there)) << lines().size() << " of " << wanted.size();
}

}  // namespace
