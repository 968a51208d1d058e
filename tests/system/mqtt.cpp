// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink against a real Mosquitto that is absent, killed, frozen or refuses.
#include <gtest/gtest.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/records.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::lasting;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::record_json;
using npc::test::remember_subscriber;
using npc::test::retained;
using npc::test::Subscriber;
using npc::test::TemporaryDirectory;

constexpr const char *kCounts = "npc/home/door/counts";
constexpr const char *kState = "npc/home/door/state";
constexpr const char *kStatus = "npc/home/door/status";

std::vector<std::string> records(guint64 from, guint64 to, const char *camera = "door") {
  std::vector<std::string> texts;
  for (guint64 seq = from; seq < to; seq++)
    texts.push_back(record_json(seq, camera));
  return texts;
}

class Mqtt : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "mosquitto_passwd"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed (packages mosquitto, mosquitto-clients)";
    }
  }

  // Waits until the lasting subscriber has subscribed so often. Before that, the broker holds back
  // for it what a kill would take away, and what is retained comes a second time.
  static bool subscribed(const Mosquitto &broker, int times) {
    return eventually([&] {
      int found = 0;
      const std::string log = broker.log();
      constexpr const char *kSubscribed = "Sending SUBACK to audit";
      for (std::size_t at = 0; (at = log.find(kSubscribed, at)) != std::string::npos; at++)
        found++;
      return found >= times;
    });
  }
  // A record may come twice, but each of them comes.
  static bool gets_all(const Subscriber &subscriber, guint64 count) {
    const auto expected = records(0, count);
    const std::set<std::string> all(expected.begin(), expected.end());
    return eventually([&] {
      const auto payloads = subscriber.payloads(kCounts);
      return std::set<std::string>(payloads.begin(), payloads.end()) == all;
    });
  }
};

TEST_F(Mqtt, PublishesTheTopics) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(remember_subscriber(broker));
  Subscriber subscriber(broker, lasting());
  ASSERT_TRUE(subscribed(broker, 2)) << broker.log();
  PlayingSink sink("mqtt://" + broker.host());
  sink.push(0, 3);
  sink.wait_for("connected");
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 3; }));
  EXPECT_EQ(retained(broker, kStatus), "online");
  EXPECT_EQ(retained(broker, kState), record_json(2));
  EXPECT_EQ(retained(broker, kCounts), "");
  EXPECT_EQ(retained(broker, "npc/home/door/influx"), "");
  sink.stop();
  EXPECT_EQ(sink.wait_for("disconnected"), "The sink was stopped.");
  EXPECT_TRUE(subscriber.wait_for(kStatus, "offline"));
  EXPECT_EQ(retained(broker, kStatus), "offline");

  EXPECT_EQ(subscriber.payloads(kStatus), (std::vector<std::string>{"online", "offline"}));
  EXPECT_EQ(subscriber.payloads(kCounts), records(0, 3));
  EXPECT_EQ(subscriber.payloads(kState).back(), record_json(2));
  // The lines of all that waited come in one message.
  std::string influx;
  for (const std::string &line : subscriber.lines())
    influx += line + "\n";
  for (const char *people : {"0i", "1i", "2i"}) {
    EXPECT_NE(influx.find("npc,camera=door,site=home people=" + std::string(people)),
              std::string::npos)
        << influx;
  }
  EXPECT_EQ(subscriber.lines().front(), std::string(kCounts) + " " + record_json(0));
  EXPECT_FALSE(sink.posted_an_error());
}

TEST_F(Mqtt, GivesEachCameraItsTopics) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  PlayingSink sink("mqtt://" + broker.host());
  sink.push(0, 2, "door");
  sink.push(5, 6, "gate");
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 3; }));
  EXPECT_EQ(retained(broker, "npc/home/gate/status"), "online");
  EXPECT_EQ(retained(broker, "npc/home/gate/state"), record_json(5, "gate"));
  EXPECT_EQ(retained(broker, kState), record_json(1));
  sink.stop();
  EXPECT_EQ(retained(broker, "npc/home/gate/status"), "offline");
  EXPECT_EQ(retained(broker, kStatus), "offline");
}

TEST_F(Mqtt, StartsWithoutABroker) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(remember_subscriber(broker));
  broker.kill();

  PlayingSink sink("mqtt://" + broker.host());
  sink.push(0, 500);
  EXPECT_EQ(sink.wait_for("disconnected"), "There is no MQTT broker to reach at " + broker.host() +
                                               ": check the host and the port, and whether it "
                                               "runs.");
  EXPECT_EQ(sink.number("pending"), 500u);
  ASSERT_TRUE(broker.start());
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("dropped"), 0u);
  Subscriber subscriber(broker, lasting());
  EXPECT_TRUE(eventually([&] { return subscriber.payloads(kCounts) == records(0, 500); }));
  EXPECT_FALSE(sink.posted_an_error());
}

TEST_F(Mqtt, LosesNothingWhenTheBrokerIsKilled) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(remember_subscriber(broker));
  Subscriber subscriber(broker, lasting());
  PlayingSink sink("mqtt://" + broker.host());
  guint64 seq = 0;
  for (int kill = 0; kill < 3; kill++) {
    ASSERT_TRUE(subscribed(broker, kill + 2)) << broker.log();
    // In mid-stream: some are delivered, some are on their way, some wait.
    sink.push(seq, seq + 1000);
    seq += 1000;
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") > seq - 900; }));
    broker.kill();
    sink.push(seq, seq + 100);
    seq += 100;
    ASSERT_TRUE(broker.start());
  }
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("delivered"), seq);
  EXPECT_EQ(sink.number("dropped"), 0u);
  EXPECT_TRUE(gets_all(subscriber, seq));
  EXPECT_FALSE(sink.posted_an_error());
}

TEST_F(Mqtt, TellsARestartedBrokerAgainWithoutANewRecord) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  PlayingSink sink("mqtt://" + broker.host());
  sink.push(0, 3, "door");
  sink.push(7, 8, "gate");
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 4; }));
  sink.wait_for("connected");
  broker.kill();
  broker.forget();
  EXPECT_EQ(sink.wait_for("disconnected"),
            "The connection to the broker at " + broker.host() + " was lost.");
  ASSERT_TRUE(broker.start());
  sink.wait_for("connected");
  EXPECT_EQ(retained(broker, kStatus), "online");
  EXPECT_EQ(retained(broker, kState), record_json(2));
  EXPECT_EQ(retained(broker, "npc/home/gate/status"), "online");
  EXPECT_EQ(retained(broker, "npc/home/gate/state"), record_json(7, "gate"));
}

// Not a test: what the next one runs in a process of its own.
TEST(Child, DISABLED_StreamsUntilItIsKilled) {
  const char *updaters = std::getenv("NPC_TEST_UPDATERS");
  ASSERT_NE(updaters, nullptr);
  PlayingSink sink(updaters);
  for (guint64 seq = 0; seq < 600; seq++) {
    sink.push(seq, seq + 1);
    g_usleep(100000);
  }
}

TEST_F(Mqtt, IsOfflineWhenTheProcessIsKilled) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Subscriber subscriber(broker);
  TemporaryDirectory directory;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  Process child({"/usr/bin/env", "NPC_TEST_UPDATERS=mqtt://" + broker.host(), self,
                 "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
                directory / "output");
  ASSERT_TRUE(eventually([&] { return !subscriber.payloads(kStatus).empty(); }))
      << npc::test::content_of(directory / "output");
  EXPECT_EQ(retained(broker, kStatus), "online");
  child.signal(SIGKILL);
  EXPECT_EQ(child.wait(), -SIGKILL);
  EXPECT_TRUE(subscriber.wait_for(kStatus, "offline"));
  EXPECT_EQ(retained(broker, kStatus), "offline");

  // Back again, and not offline because of what was before.
  child = Process({"/usr/bin/env", "NPC_TEST_UPDATERS=mqtt://" + broker.host(), self,
                   "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
                  directory / "output");
  EXPECT_TRUE(subscriber.wait_for(kStatus, "online"));
}

TEST_F(Mqtt, SaysThatThePasswordIsWrongAndGoesOn) {
  TemporaryDirectory directory;
  const std::string users = directory / "users";
  std::ofstream(users).close();
  ASSERT_EQ(Process({"mosquitto_passwd", "-b", users, "me", "right"}, directory / "log").wait(), 0);
  Mosquitto broker("allow_anonymous false\npassword_file " + users + "\n");
  ASSERT_TRUE(broker.start());
  const std::string password = directory / "password";
  std::ofstream(password) << "wrong\n";
  std::filesystem::permissions(password, std::filesystem::perms(0600));

  PlayingSink sink("mqtt://me@" + broker.host() + "/?password-file=" + password);
  sink.push(0, 10);
  EXPECT_EQ(sink.wait_for("disconnected"),
            "The broker at " + broker.host() +
                " refused the user name or the password: check the user in the URI and what is in "
                "the password file.");
  sink.push(10, 20);
  EXPECT_EQ(sink.number("pending"), 20u);
  EXPECT_FALSE(sink.posted_an_error());

  std::ofstream(password) << "right\n";
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("delivered"), 20u);
  EXPECT_NE(broker.log().find("'me'"), std::string::npos) << broker.log();

  PlayingSink nobody("mqtt://" + broker.host());
  nobody.set_drain_timeout(0);
  nobody.push(0, 1);
  EXPECT_EQ(nobody.wait_for("disconnected"), "The broker at " + broker.host() +
                                                 " wants a user name and a password: write "
                                                 "mqtt://user@host/?password-file=/path/to/file.");

  PlayingSink forgetful("mqtt://me@" + broker.host());
  forgetful.set_drain_timeout(0);
  forgetful.push(0, 1);
  EXPECT_EQ(forgetful.wait_for("disconnected"),
            "The broker at " + broker.host() +
                " refused the user without a password: add password-file=/path/to/file.");
}

TEST_F(Mqtt, IsNotHeldUpByAFrozenBroker) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(remember_subscriber(broker));
  TemporaryDirectory directory;
  {
    PlayingSink sink("mqtt://" + broker.host() + " file:" + directory / "counts");
    sink.push(0, 10);
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 10; }));
    broker.signal(SIGSTOP);
    sink.push(10, 3000);
    EXPECT_TRUE(eventually([&] { return sink.number("delivered", 1) == 3000; }));
    EXPECT_GT(sink.number("pending"), 0u);
    broker.signal(SIGCONT);
    EXPECT_TRUE(sink.drain());
    Subscriber subscriber(broker, lasting());
    EXPECT_TRUE(gets_all(subscriber, 3000));
    EXPECT_FALSE(sink.posted_an_error());
  }

  // Nor is a stop: the goodbye is waited for, but not for ever.
  PlayingSink sink("mqtt://" + broker.host());
  sink.push(0, 10);
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 10; }));
  broker.signal(SIGSTOP);
  sink.set_drain_timeout(0);
  sink.push(10, 20);
  sink.stop();
  broker.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return retained(broker, kStatus) == "offline"; }));
}

class MqttUris : public Mqtt, public testing::WithParamInterface<const char *> {};

TEST_P(MqttUris, Deliver) {
  Mosquitto broker("allow_anonymous true\n");
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(remember_subscriber(broker));
  std::string uri = GetParam();
  addrinfo *found = nullptr;
  if (uri.find("localhost") != std::string::npos &&
      getaddrinfo("localhost", nullptr, nullptr, &found) != 0)
    GTEST_SKIP() << "localhost has no address here: there is no /etc/hosts";
  if (found != nullptr)
    freeaddrinfo(found);
  uri.replace(uri.find("PORT"), 4, std::to_string(broker.port()));
  PlayingSink sink(uri);
  sink.push(0, 200);
  EXPECT_TRUE(sink.drain());
  sink.stop();
  Subscriber subscriber(broker, lasting());
  EXPECT_TRUE(eventually([&] { return subscriber.payloads(kCounts) == records(0, 200); }));
  EXPECT_EQ(retained(broker, kStatus), "offline");
}

INSTANTIATE_TEST_SUITE_P(All, MqttUris,
                         testing::Values("mqtt://127.0.0.1:PORT/?qos=1",
                                         "mqtt://127.0.0.1:PORT/?qos=2",
                                         "mqtt://localhost:PORT?client-id=my-client.1",
                                         "mqtt://me@127.0.0.1:PORT"));

TEST_F(Mqtt, ReachesABrokerOnIpv6) {
  Mosquitto broker;
  std::ofstream(broker.directory() / "mosquitto.conf", std::ios::app)
      << "listener " << broker.port() << " ::1\n";
  if (!broker.start())
    GTEST_SKIP() << "there is no IPv6 loopback";
  PlayingSink sink("mqtt://[::1]:" + std::to_string(broker.port()));
  sink.push(0, 10);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(retained(broker, kState), record_json(9));
}

}  // namespace
