// SPDX-License-Identifier: LGPL-2.1-or-later
// Brokers that do not take everything, and strangers who publish what they should not.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::retained;
using npc::test::Subscriber;
using npc::test::TemporaryDirectory;

class MqttLimits : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "mosquitto_pub"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
  }

  // Mosquitto's configuration with an access list of these lines.
  std::string access_list(const std::string &lines) const {
    std::ofstream(directory_ / "access") << lines;
    return "allow_anonymous true\nacl_file " + (directory_ / "access") + "\n";
  }

  TemporaryDirectory directory_;
};

// With the first, CONNACK says the limit; with the second, Mosquitto ends the connection behind a
// PUBACK that may not arrive.
TEST_F(MqttLimits, ABacklogFitsWhereARecordFits) {
  for (const char *limit : {"max_packet_size 1500", "message_size_limit 1500"}) {
    Mosquitto broker("allow_anonymous true\n" + std::string(limit) + "\n");
    PlayingSink sink("mqtt://" + broker.host());
    sink.push(0, 500);
    sink.wait_for("disconnected");
    ASSERT_TRUE(broker.start());
    EXPECT_TRUE(sink.drain()) << limit << ": " << sink.last_error();
    EXPECT_EQ(retained(broker, "npc/home/door/state"), npc::test::record_json(499));
  }
}

TEST_F(MqttLimits, SaysThatAMessageIsTooLarge) {
  for (const char *limit : {"max_packet_size 100", "message_size_limit 100"}) {
    Mosquitto broker("allow_anonymous true\n" + std::string(limit) + "\n");
    ASSERT_TRUE(broker.start());
    PlayingSink sink("mqtt://" + broker.host() + "/?topics=counts");
    sink.retry_now();
    sink.push(0, 1);
    const std::string reason = sink.wait_for("disconnected");
    EXPECT_EQ(reason, "A message for npc/home/door/counts is too large for the broker at " +
                          broker.host() + ": allow it larger ones.")
        << limit;
    EXPECT_EQ(sink.number("pending"), 1u);
  }
}

TEST_F(MqttLimits, SaysWhichTopicIsNotAllowed) {
  Mosquitto broker(access_list("topic readwrite npc/home/gate/#\n"));
  ASSERT_TRUE(broker.start());
  PlayingSink sink("mqtt://" + broker.host());
  sink.retry_now();
  sink.push(0, 1);
  EXPECT_EQ(sink.wait_for("disconnected"),
            "The broker at " + broker.host() +
                " does not let us publish on npc/home/door/counts: allow this user to write there "
                "in its access list.");
  EXPECT_EQ(sink.number("pending"), 1u);
}

// With these topics, state is all that a record becomes.
TEST_F(MqttLimits, ARecordWaitsUntilItsStateIsTaken) {
  for (const char *query : {"/?topics=state", "/?topics=state,health"}) {
    Mosquitto broker(access_list("topic readwrite npc/home/gate/#\n"));
    ASSERT_TRUE(broker.start());
    PlayingSink sink("mqtt://" + broker.host() + query);
    sink.retry_now();
    sink.push(0, 2);
    EXPECT_EQ(sink.wait_for("disconnected"),
              "The broker at " + broker.host() +
                  " does not let us publish on npc/home/door/state: allow this user to write there "
                  "in its access list.");
    EXPECT_EQ(sink.number("delivered"), 0u);
    EXPECT_EQ(sink.number("pending"), 2u);
  }
}

// What is not set up for Home Assistant holds up nobody else.
TEST_F(MqttLimits, RecordsGoWhereDiscoveryMayNot) {
  Mosquitto broker(access_list("topic readwrite #\n"));
  ASSERT_TRUE(broker.start());
  PlayingSink sink("mqtt://" + broker.host() + "/?discovery=homeassistant");
  sink.push(0, 1);
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  broker.kill();
  sink.wait_for("disconnected");
  access_list("topic readwrite npc/#\n");
  ASSERT_TRUE(broker.start());
  sink.push(1, 100);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("delivered"), 100u);
  EXPECT_TRUE(eventually([&] {
    return sink.last_error() ==
           "The broker at " + broker.host() +
               " does not let us publish on homeassistant/device/npc_home_door/config: allow this "
               "user to write there in its access list.";
  })) << sink.last_error();
}

// A small one may be ours, of an earlier run.
TEST_F(MqttLimits, AStrangersLargeMessageIsNotRead) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  constexpr const char *kConfig = "homeassistant/device/npc_home_door/config";
  const auto publish_components = [&](int count) {
    nlohmann::json config;
    for (int i = 0; i < count; i++)
      config["cmps"]["strange" + std::to_string(i)] = {{"p", "sensor"}, {"uniq_id", "strange"}};
    std::ofstream(directory_ / "config") << config.dump();
    Process publisher({"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(broker.port()),
                       "-q", "1", "-r", "-t", kConfig, "-f", directory_ / "config"},
                      directory_ / "log");
    ASSERT_EQ(publisher.wait(), 0);
  };
  const Subscriber watcher(broker, {"-t", kConfig});
  // Ours that remove what they found.
  const auto removals = [&watcher] {
    const auto payloads = watcher.payloads(kConfig);
    return std::count_if(payloads.begin(), payloads.end(), [](const std::string &payload) {
      return payload.find("npcsink") != std::string::npos &&
             payload.find("strange") != std::string::npos;
    });
  };
  for (const int count : {100, 20000}) {
    publish_components(count);
    PlayingSink sink("mqtt://" + broker.host() + "/?discovery=homeassistant");
    sink.push(0, 1);
    EXPECT_TRUE(sink.drain());
    EXPECT_EQ(sink.number("failed"), 0u) << sink.last_error();
    const std::string config = retained(broker, kConfig);
    EXPECT_EQ(config.find("strange"), std::string::npos);
    EXPECT_TRUE(watcher.wait_for(kConfig, config));
    EXPECT_EQ(removals(), 1) << count;
  }
}

}  // namespace
