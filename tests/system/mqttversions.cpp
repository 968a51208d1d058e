// SPDX-License-Identifier: LGPL-2.1-or-later
// What MQTT 5 adds, seen by a subscriber, and a broker that does not speak it.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::test::content_of;
using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::TemporaryDirectory;

class MqttVersions : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
    ASSERT_TRUE(broker_.start());
  }

  Mosquitto broker_;
};

TEST_F(MqttVersions, PropertiesAreSeen) {
  TemporaryDirectory directory;
  Process subscriber(
      {"mosquitto_sub", "-h", "127.0.0.1", "-p", std::to_string(broker_.port()), "-V", "5", "-t",
       "npc/+/+/counts", "-t", "npc/+/+/influx", "-C", "6", "-W", "30", "-F", "%t|%C|%E|%F|%P"},
      directory / "output");
  ASSERT_TRUE(
      eventually([&] { return broker_.log().find("Sending SUBACK") != std::string::npos; }));
  for (const char *query : {"", "?expiry=3600", "?expiry=0"}) {
    PlayingSink sink("mqtt://" + broker_.host() + "/" + query);
    sink.push(0, 1);
    EXPECT_TRUE(sink.drain());
  }
  EXPECT_EQ(subscriber.wait(), 0);
  const std::string output = content_of(directory / "output");
  // The first is the sink's store-retention, 30 days.
  for (const std::string expiry : {"2592000", "3600", ""}) {
    for (const std::string type : {"counts|application/json", "influx|text/vnd.influx"}) {
      EXPECT_NE(output.find("npc/home/door/" + type + "|" + expiry + "|1|schema:npc-counts/1\n"),
                std::string::npos)
          << output;
    }
  }
  // The session outlives the connection: c0 is clean start 0.
  EXPECT_NE(broker_.log().find(" as npc-home-door-"), std::string::npos);
  EXPECT_NE(broker_.log().find("(p5, c0, k30)"), std::string::npos) << broker_.log();
}

TEST_F(MqttVersions, ConfirmsWithinTheBrokersReceiveMaximum) {
  Mosquitto narrow = Mosquitto::plain("allow_anonymous true\nmax_inflight_messages 3\n");
  ASSERT_TRUE(narrow.start());
  for (const char *qos : {"1", "2"}) {
    PlayingSink sink("mqtt://" + narrow.host() + "/?qos=" + qos);
    sink.push(0, 1000);
    EXPECT_TRUE(sink.drain());
    EXPECT_EQ(sink.number("failed"), 0u);
  }
}

// In front of a real broker, refuses MQTT 5 as brokers did before there was one; or hangs up on the
// first connection only, as one that is being restarted may.
class OldBroker {
 public:
  enum class Way { kRefuse, kHangUpOnce };

  explicit OldBroker(int port, Way way = Way::kRefuse) : to_(port), way_(way) {
    listener_.listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~OldBroker() {
    listener_.end();
    thread_.join();
  }
  std::string host() const { return listener_.host(); }
  int refused() const { return refused_; }

 private:
  void serve() {
    int client;
    while ((client = listener_.accept()) >= 0) {
      char bytes[4096];
      const ssize_t size = recv(client, bytes, sizeof(bytes), 0);
      const std::string connect(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
      const auto name = connect.find("MQTT");
      if (way_ == Way::kHangUpOnce && refused_ == 0) {
        refused_++;
      } else if (way_ == Way::kRefuse && name != std::string::npos && connect.at(name + 4) == 5) {
        refused_++;
        send(client, "\x20\x02\x00\x01", 4, MSG_NOSIGNAL);
      } else if (name != std::string::npos) {
        relay(client, connect);
      }
      close(client);
    }
  }

  void relay(int client, const std::string &connect) {
    const int server = npc::test::connect_to(to_);
    send(server, connect.data(), connect.size(), MSG_NOSIGNAL);
    pollfd files[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    for (bool open = true; open && poll(files, 2, 60000) > 0;) {
      for (int i = 0; i < 2; i++) {
        char bytes[65536];
        if (files[i].revents == 0)
          continue;
        const ssize_t size = recv(files[i].fd, bytes, sizeof(bytes), 0);
        open = open && size > 0 &&
               send(files[1 - i].fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
      }
    }
    close(server);
  }

  const int to_;
  const Way way_;
  const npc::test::Listener listener_;
  std::atomic<int> refused_ = 0;
  std::thread thread_;
};

TEST_F(MqttVersions, FallsBackToTheOldVersion) {
  OldBroker old(broker_.port());
  PlayingSink sink("mqtt://" + old.host());
  sink.push(0, 500);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("delivered"), 500u);
  EXPECT_EQ(old.refused(), 1);
  EXPECT_NE(broker_.log().find("(p2, c0, k30)"), std::string::npos) << broker_.log();
  EXPECT_EQ(npc::test::retained(broker_, "npc/home/door/status"), "online");
  sink.stop();
  EXPECT_EQ(npc::test::retained(broker_, "npc/home/door/status"), "offline");
}

// To hang up is no word about the version.
TEST_F(MqttVersions, AsksForTheNewVersionAgainAfterAHangUp) {
  OldBroker once(broker_.port(), OldBroker::Way::kHangUpOnce);
  PlayingSink sink("mqtt://" + once.host());
  sink.push(0, 1);
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  EXPECT_NE(broker_.log().find("(p2, c0, k30)"), std::string::npos) << broker_.log();
  EXPECT_EQ(broker_.log().find("(p5, c0, k30)"), std::string::npos) << broker_.log();
  broker_.kill();
  sink.wait_for("disconnected");
  ASSERT_TRUE(broker_.start());
  sink.push(1, 2);
  EXPECT_TRUE(sink.drain());
  EXPECT_NE(broker_.log().find("(p5, c0, k30)"), std::string::npos) << broker_.log();
}

// Mosquitto ends the connection of whoever is silent for one and a half times as long.
TEST_F(MqttVersions, KeepsAliveAsTheBrokerAsks) {
  Mosquitto impatient("allow_anonymous true\nmax_keepalive 10\n");
  ASSERT_TRUE(impatient.start());
  PlayingSink sink("mqtt://" + impatient.host() + "/?topics=counts");
  sink.push(0, 1);
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  const auto pings = [&] {
    const std::string log = impatient.log();
    int count = 0;
    for (auto at = log.find("Received PINGREQ from npc-"); at != std::string::npos;
         at = log.find("Received PINGREQ from npc-", at + 1))
      count++;
    return count;
  };
  EXPECT_TRUE(eventually([&] { return pings() >= 2 || sink.number("failed") > 0; }));
  EXPECT_GE(pings(), 2) << impatient.log();
  EXPECT_EQ(sink.number("failed"), 0u) << sink.last_error();
  EXPECT_EQ(impatient.log().find("exceeded timeout"), std::string::npos) << impatient.log();
}

// Debian 12's Mosquitto does not say why it ends a connection.
TEST_F(MqttVersions, GivesWayToAnotherClientOfItsId) {
  PlayingSink first("mqtt://" + broker_.host() + "/?client-id=twin");
  PlayingSink second("mqtt://" + broker_.host() + "/?client-id=twin");
  first.push(0, 1);
  second.push(1, 2);
  const auto gives_way = [](PlayingSink &sink) {
    return sink.last_error().find("another client of the id \"twin\"") != std::string::npos;
  };
  ASSERT_TRUE(eventually([&] { return gives_way(first) || gives_way(second); }));
  // The other one is left in peace.
  PlayingSink &other = gives_way(first) ? second : first;
  other.push(2, 3);
  EXPECT_TRUE(other.drain());
  first.set_drain_timeout(0);
  second.set_drain_timeout(0);
}

}  // namespace
