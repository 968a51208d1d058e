// SPDX-License-Identifier: LGPL-2.1-or-later
// When a real broker is told that a camera is online, and when that it is not.
#include <glib.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::record_json;
using npc::test::remember_subscriber;
using npc::test::retained;
using npc::test::Subscriber;

const std::string kDoor = "npc/home/door/";
const std::string kGate = "npc/home/gate/";

using Texts = std::vector<std::string>;

class MqttStatus : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "mosquitto_pub"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
    ASSERT_TRUE(broker_.start());
    ASSERT_TRUE(remember_subscriber(broker_));
  }
  std::string uri() const { return "mqtt://" + broker_.host(); }
  static bool delivered(PlayingSink &sink, guint64 records) {
    return eventually([&] { return sink.number("delivered") == records; });
  }

  Mosquitto broker_;
};

// A subscriber that misses nothing, and gets nothing twice when it connects again.
Texts news() {
  Texts arguments = npc::test::lasting();
  arguments.push_back("-R");
  return arguments;
}

std::size_t place_of(const Texts &lines, const std::string &line) {
  return static_cast<std::size_t>(std::find(lines.begin(), lines.end(), line) - lines.begin());
}

// Whoever is told that a camera is online has its count of now.
void expect_state_before_online(const Texts &lines) {
  std::map<std::string, std::string> last;  // by the topic of the camera
  for (const std::string &line : lines) {
    const std::string topic = line.substr(0, line.find(' '));
    const std::string camera = topic.substr(0, topic.rfind('/') + 1);
    const std::string what = topic.substr(camera.size());
    if (line == camera + "status online") {
      EXPECT_EQ(last[camera], "state") << testing::PrintToString(lines);
    }
    if (what == "state" || what == "status")
      last[camera] = what;
  }
}

TEST_F(MqttStatus, StateComesBeforeOnline) {
  Subscriber subscriber(broker_, news());
  PlayingSink sink(uri());
  sink.push(0, 3, "door");
  sink.push(5, 6, "gate");
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "online"));
  ASSERT_TRUE(subscriber.wait_for(kGate + "status", "online"));
  // Also over a connection that is lost, with a record that waits and without.
  broker_.kill();
  sink.wait_for("disconnected");
  sink.push(3, 4, "door");
  ASSERT_TRUE(broker_.start());
  ASSERT_TRUE(delivered(sink, 5));
  sink.stop();
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "offline"));
  ASSERT_TRUE(subscriber.wait_for(kGate + "status", "offline"));
  expect_state_before_online(subscriber.lines());
  for (const std::string &camera : {kDoor, kGate})
    EXPECT_EQ(subscriber.payloads(camera + "status"), (Texts{"online", "online", "offline"}));
}

TEST_F(MqttStatus, OnlineWaitsForTheNewestOfABacklog) {
  broker_.kill();
  PlayingSink sink(uri());
  sink.push(0, 2500);
  sink.wait_for("disconnected");
  ASSERT_TRUE(broker_.start());
  ASSERT_TRUE(delivered(sink, 2500));
  Subscriber subscriber(broker_, news());
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "online"));
  const Texts lines = subscriber.lines();
  EXPECT_LT(place_of(lines, kDoor + "state " + record_json(2499)),
            place_of(lines, kDoor + "status online"));
}

TEST_F(MqttStatus, OfflineAfterTheEndOfTheStream) {
  Subscriber subscriber(broker_, news());
  PlayingSink sink(uri());
  sink.push(0, 3, "door");
  sink.push(0, 3, "gate");
  ASSERT_TRUE(delivered(sink, 6));
  EXPECT_TRUE(sink.drain());
  ASSERT_TRUE(subscriber.wait_for(kGate + "status", "offline"));
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "offline"));
  EXPECT_EQ(retained(broker_, kDoor + "state"), record_json(2));

  // A new stream of one of them, on the connection that there is.
  sink.flush();
  sink.push(3, 4, "door");
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "online"));
  EXPECT_EQ(sink.number("failed"), 0u);
  sink.stop();
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "offline"));
  const Texts lines = subscriber.lines();
  expect_state_before_online(lines);
  EXPECT_EQ(subscriber.payloads(kGate + "status"), (Texts{"online", "offline"}));
  EXPECT_EQ(subscriber.payloads(kDoor + "status"),
            (Texts{"online", "offline", "online", "offline"}));
  EXPECT_LT(place_of(lines, kGate + "counts " + record_json(2, "gate")),
            place_of(lines, kGate + "status offline"));
}

// A start is no record.
TEST_F(MqttStatus, OnlineAfterAStartWithItsFirstRecord) {
  Subscriber subscriber(broker_, news());
  PlayingSink sink(uri());
  sink.push(0, 1, "door");
  ASSERT_TRUE(delivered(sink, 1));
  sink.stop();
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "offline"));
  sink.play();
  sink.flush();
  sink.push(0, 1, "gate");
  ASSERT_TRUE(subscriber.wait_for(kGate + "status", "online"));
  const Texts door = subscriber.payloads(kDoor + "status");
  EXPECT_EQ(std::count(door.begin(), door.end(), "online"), 1);
}

TEST_F(MqttStatus, AllTopicsFollowThePrefix) {
  Subscriber all(broker_, {"-t", "#"});
  ASSERT_TRUE(eventually(
      [&] { return broker_.log().find("Sending SUBACK to auto-") != std::string::npos; }));
  PlayingSink sink("mqtt://" + broker_.host() +
                   "/?topic-prefix=town/caf%C3%A9&discovery=homeassistant");
  sink.push(0, 2);
  // From the 257th on they are without a status.
  for (int i = 0; i < 256; i++)
    sink.push(0, 1, ("c" + std::to_string(i)).c_str());
  ASSERT_TRUE(delivered(sink, 258));
  const std::string door = "town/café/home/door/";
  ASSERT_TRUE(all.wait_for(door + "status", "online"));
  EXPECT_EQ(all.payloads("town/café/home/c255/counts").size(), 1u);
  const std::string config = "homeassistant/device/npc_home_door/config";
  ASSERT_TRUE(eventually([&] { return !retained(broker_, config).empty(); }));
  const auto device = nlohmann::json::parse(retained(broker_, config));
  EXPECT_EQ(device.at("stat_t"), door + "state");
  EXPECT_EQ(device.at("avty").at(0).at("t"), door + "status");
  EXPECT_EQ(device.at("cmps").at("uptime").at("stat_t"), door + "health");
  // The broker forgets, and is told again.
  broker_.kill();
  broker_.forget();
  sink.wait_for("disconnected");
  ASSERT_TRUE(broker_.start());
  sink.wait_for("connected");
  // The last one may be so long ago that the camera is silent.
  sink.push(2, 3);
  EXPECT_TRUE(eventually([&] { return retained(broker_, door + "state") == record_json(2); }));
  EXPECT_TRUE(all.wait_for(door + "status", "online"));
  EXPECT_NE(broker_.log().find("\t" + door + "status\n"), std::string::npos) << broker_.log();
  sink.stop();
  EXPECT_EQ(retained(broker_, door + "status"), "offline");
  for (const std::string &line : all.lines())
    EXPECT_FALSE(line.starts_with("npc/")) << line;
}

// They are two clients, which do not throw each other off.
TEST_F(MqttStatus, EachPrefixHasAClientIdOfItsOwn) {
  PlayingSink plain(uri());
  PlayingSink town(uri() + "/?topic-prefix=town");
  PlayingSink village(uri() + "/?topic-prefix=village");
  guint64 seq = 0;
  for (PlayingSink *sink : {&plain, &town, &village, &plain, &town, &village}) {
    sink->push(seq / 3, seq / 3 + 1);
    ASSERT_TRUE(delivered(*sink, seq / 3 + 1));
    seq++;
  }
  for (PlayingSink *sink : {&plain, &town, &village}) {
    EXPECT_TRUE(sink->drain());
    EXPECT_EQ(sink->number("failed"), 0u) << sink->last_error();
  }
}

// As behind a funnel, or when the name of a camera is changed while it runs.
TEST_F(MqttStatus, OfflineWhenOneOfManyCamerasIsSilent) {
  Subscriber subscriber(broker_, news());
  PlayingSink sink(uri() + "/?discovery=homeassistant");
  guint64 seq = 0;
  sink.push(0, 1, "door");
  ASSERT_TRUE(eventually([&] {
    sink.push(seq, seq + 1, "gate");
    seq++;
    g_usleep(200000);
    const Texts door = subscriber.payloads(kDoor + "status");
    return !door.empty() && door.back() == "offline";
  }));
  // The last will was about the camera that is silent, so there is another connection.
  EXPECT_TRUE(eventually([&] {
    sink.push(seq, seq + 1, "gate");
    seq++;
    g_usleep(200000);
    const std::string health = retained(broker_, kGate + "health");
    return !health.empty() && nlohmann::json::parse(health).at("will") == kGate + "status";
  }));
  EXPECT_NE(broker_.log().find("\t" + kGate + "status\n"), std::string::npos) << broker_.log();
  const std::string config = "homeassistant/device/npc_home_gate/config";
  EXPECT_TRUE(eventually([&] {
    const std::string text = retained(broker_, config);
    return !text.empty() && nlohmann::json::parse(text).at("avty").size() == 1;
  }));
  // No will was about it in between.
  EXPECT_EQ(subscriber.payloads(kGate + "status"), (Texts{"online", "offline", "online"}));
  sink.push(1, 2, "door");
  EXPECT_TRUE(subscriber.wait_for(kDoor + "status", "online"));
  expect_state_before_online(subscriber.lines());
  EXPECT_EQ(sink.number("failed"), 0u);
  EXPECT_FALSE(sink.posted_an_error());
}

// The connection with the next will may never be made: then no will tells it.
TEST_F(MqttStatus, OfflineWhileNoWillIsAboutIt) {
  const npc::test::TemporaryDirectory directory;
  const std::string password = directory / "password";
  std::ofstream(password) << "secret\n";
  std::filesystem::permissions(password, std::filesystem::perms(0600));
  Subscriber subscriber(broker_, news());
  PlayingSink sink("mqtt://me@" + broker_.host() + "/?password-file=" + password);
  guint64 seq = 0;
  sink.push(0, 1, "door");
  sink.push(seq, seq + 1, "gate");
  ASSERT_TRUE(subscriber.wait_for(kDoor + "status", "online"));
  ASSERT_TRUE(subscriber.wait_for(kGate + "status", "online"));
  std::filesystem::remove(password);
  ASSERT_TRUE(eventually([&] {
    seq++;
    sink.push(seq, seq + 1, "gate");
    g_usleep(200000);
    return sink.last_error().find(password) != std::string::npos;
  })) << sink.last_error();
  EXPECT_EQ(retained(broker_, kDoor + "status"), "offline");
  EXPECT_EQ(retained(broker_, kGate + "status"), "offline");

  // The broker may have forgotten everything before there is a connection again.
  broker_.kill();
  broker_.forget();
  std::ofstream(password) << "secret\n";
  std::filesystem::permissions(password, std::filesystem::perms(0600));
  ASSERT_TRUE(broker_.start());
  sink.push(seq + 1, seq + 2, "gate");
  EXPECT_TRUE(sink.drain()) << sink.last_error();
  EXPECT_TRUE(eventually([&] { return !retained(broker_, kDoor + "state").empty(); }));
}

}  // namespace
