// SPDX-License-Identifier: LGPL-2.1-or-later
// The MQTT receiver at a real broker.
#include "npcsrc/receivers/mqtt.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/wait.h"
#include "npcsrc/receivers/lines.h"
#include "npcsrc/receivers/registry.h"
#include "support/mosquitto.h"
#include "support/records.h"
#include "support/waiting.h"
#include "transport/mqtt/link.h"

namespace npc::source {
namespace {

using test::eventually;
using test::Mosquitto;
using test::record_json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

const std::string kTopic = "npc/home/door/counts";

struct Text {
  std::string topic, payload;
  bool retained = false;
};

// Publishes, and waits until the broker has confirmed all of it.
void publish(const Mosquitto &broker, const std::vector<Text> &texts) {
  mqtt::Login login;
  login.broker = broker.host();
  login.host = "127.0.0.1";
  login.port = static_cast<std::uint16_t>(broker.port());
  login.client_id = "camera";
  mqtt::Link link(login);
  BackgroundCall background;
  ASSERT_EQ(link.open(background, {}).error(), "");
  std::vector<mqtt::Message> messages;
  for (const Text &text : texts)
    messages.push_back({text.topic.c_str(), text.payload, 1, text.retained});
  const mqtt::Published published = link.publish(messages, 20s, 60s, {});
  ASSERT_EQ(published.status.error(), "");
  ASSERT_EQ(published.confirmed, texts.size());
}

std::vector<Text> records(std::uint64_t from, std::uint64_t to, const char *camera = "door") {
  std::vector<Text> texts;
  for (std::uint64_t seq = from; seq < to; seq++)
    texts.push_back({std::string("npc/home/") + camera + "/counts", record_json(seq, camera)});
  return texts;
}

// A receiver, and all that came from it.
class Taker {
 public:
  Taker(const Mosquitto &broker, const std::string &rest)
      : receiver_(make_receiver("mqtt://" + broker.host() + rest)) {}
  ~Taker() { receiver_->close(); }

  void open() { EXPECT_TRUE(receiver_->open().is_ok()); }
  void close() { receiver_->close(); }
  void take() { EXPECT_TRUE(receiver_->receive(came, bell_.get(), Clock::now() + 20ms).is_ok()); }
  template <typename Condition>
  bool take_until(Condition holds) {
    return eventually([&] {
      take();
      return holds();
    });
  }
  bool connects() {
    return take_until([this] { return !came.news.empty() && came.news.back().connected; });
  }
  std::set<RecordId> ids() const {
    std::set<RecordId> ids;
    for (const Arrival &arrival : came.records)
      ids.insert(arrival.id);
    return ids;
  }
  void ask(const std::vector<Gap> &gaps) { receiver_->ask(gaps); }
  const Receiver &receiver() const { return *receiver_; }

  Reception came;

 private:
  std::unique_ptr<Receiver> receiver_;
  const Bell bell_;
};

TEST(MqttReceiver, TakesTheRecordsOfAllCameras) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "");
  EXPECT_EQ(taker.receiver().origin(), "topics npc/+/+/counts of the broker at " + broker.host());
  taker.open();
  ASSERT_TRUE(taker.connects());
  publish(broker, records(0, 300));
  publish(broker, records(0, 300, "hall"));
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() >= 600; }));
  EXPECT_EQ(taker.ids().size(), 600u);
  EXPECT_EQ(taker.came.records.front().json, record_json(0));
  EXPECT_EQ(taker.came.refused, 0u);
}

TEST(MqttReceiver, RefusesWhatIsNoRecordOfItsTopic) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "/npc/+/+/counts");
  taker.open();
  ASSERT_TRUE(taker.connects());
  publish(broker, {{kTopic, "{"},
                   {kTopic, ""},
                   {kTopic, std::string(kMostLine + 1, ' ')},
                   {kTopic, std::string(300000, 'x')},  // not even taken from the broker
                   {kTopic, record_json(1, "hall")},
                   {kTopic, record_json(2)},
                   // Wherever it is retained, it is a record.
                   {kTopic, record_json(3), true}});
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() == 2; }));
  EXPECT_EQ(taker.came.refused, 4u);
  EXPECT_EQ(taker.came.reason,
            "A record of home/hall is not for this topic. It came on npc/home/door/counts.");
}

TEST(MqttReceiver, TheBrokerKeepsWhatComesWhileItIsAway) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "");
  taker.open();
  ASSERT_TRUE(taker.connects());
  taker.close();
  publish(broker, records(0, 100));
  taker.open();
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() >= 100; }));
  EXPECT_EQ(taker.ids().size(), 100u);
}

TEST(MqttReceiver, AGuestLeavesNothingBehind) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "/?session=0"), other(broker, "/");
  taker.open();
  other.open();
  ASSERT_TRUE(taker.connects() && other.connects());
  taker.close();
  taker.came = {};
  publish(broker, records(0, 10));
  taker.open();
  ASSERT_TRUE(taker.connects());
  publish(broker, records(10, 20));
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() >= 10; }));
  EXPECT_EQ(taker.came.records.front().id.seq, 10u);
  ASSERT_TRUE(other.take_until([&] { return other.came.records.size() >= 20; }));
}

TEST(MqttReceiver, AsksWhereTheCameraPublishes) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  const test::Subscriber camera(broker, {"-t", "+/+/+/resend", "-q", "1"});
  Taker taker(broker, "/+/home/+/counts"), guest(broker, "/?session=0"),
      member(broker, "/?group=bridges"), quiet(broker, "/?gaps=0&client-id=quiet");
  EXPECT_TRUE(taker.receiver().can_ask());
  for (const Taker *other : {&guest, &member, &quiet})
    EXPECT_FALSE(other->receiver().can_ask());
  taker.open();
  ASSERT_TRUE(taker.connects());
  publish(broker, {{"shop/home/door/counts", record_json(1)}});
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() == 1; }));
  const std::string request = R"({"boot":"5f0c","from":3,"to":9})";
  ASSERT_TRUE(taker.take_until([&] {
    taker.ask({{{"home", "nobody", "5f0c"}, {1, 2}}, {{"home", "door", "5f0c"}, {3, 9}}});
    return !camera.lines().empty();
  }));
  EXPECT_EQ(camera.lines().front(), "shop/home/door/resend " + request);

  publish(broker, {{"shop/home/door/lost", request},
                   {"shop/home/door/lost", R"({"boot":"5f0c","from":9,"to":3})"},
                   {"shop/home/hall/lost",
                    R"({"site":"home","camera":"door","boot":"a","from":1,"to":1})"}});
  ASSERT_TRUE(taker.take_until([&] { return taker.came.unavailable.size() == 2; }));
  EXPECT_EQ(taker.came.unavailable.front(), (Gap{{"home", "door", "5f0c"}, {3, 9}}));
  EXPECT_EQ(taker.came.unavailable.back(), (Gap{{"home", "hall", "a"}, {1, 1}}))
      << "for itself, whatever it says";
  EXPECT_EQ(taker.came.refused, 1u);
}

// More than the memory of the receiver and the link takes.
TEST(MqttReceiver, WhatNobodyTakesStaysAtTheBroker) {
  constexpr std::size_t kCount = 20000;
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "");
  taker.open();
  ASSERT_TRUE(taker.connects());
  publish(broker, records(0, kCount));
  ASSERT_TRUE(taker.take_until([&] { return taker.came.records.size() >= kCount; }));
  EXPECT_EQ(taker.ids().size(), kCount);
}

TEST(MqttReceiver, AGroupSharesTheRecords) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  Taker one(broker, "/?group=bridges&client-id=one"), two(broker, "/?group=bridges&client-id=two");
  one.open();
  two.open();
  ASSERT_TRUE(one.connects() && two.connects());
  publish(broker, records(0, 400));
  ASSERT_TRUE(one.take_until([&] {
    two.take();
    return one.came.records.size() + two.came.records.size() >= 400;
  }));
  std::set<RecordId> all = one.ids();
  EXPECT_GT(all.size(), 100u);
  EXPECT_GT(two.ids().size(), 100u);
  all.merge(two.ids());
  EXPECT_EQ(all.size(), 400u);
}

TEST(MqttReceiver, FindsABrokerThatWasAway) {
  Mosquitto broker;
  Taker taker(broker, "");
  taker.open();
  ASSERT_TRUE(taker.take_until([&] { return !taker.came.news.empty(); }));
  EXPECT_FALSE(taker.came.news.back().connected);
  EXPECT_NE(taker.came.news.back().reason, "");
  for (std::uint64_t round = 0; round < 2; round++) {
    ASSERT_TRUE(broker.start());
    ASSERT_TRUE(taker.connects());
    publish(broker, records(round * 10, round * 10 + 10));
    ASSERT_TRUE(taker.take_until([&] { return taker.ids().size() == 10 * (round + 1); }));
    broker.kill();
    ASSERT_TRUE(taker.take_until([&] { return !taker.came.news.back().connected; }));
  }
}

TEST(MqttReceiver, SaysThatTheBrokerRefusesTheSubscription) {
  // Of the access lists of Mosquitto, this one answers to SUBSCRIBE.
  constexpr const char *kPlugin = "mosquitto_dynamic_security.so";
  std::string plugin;
  for (const std::string folder : {"/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/",
                                   "/usr/lib/arm-linux-gnueabihf/", "/usr/lib/"})
    if (plugin.empty() && std::filesystem::exists(folder + kPlugin))
      plugin = folder + kPlugin;
  if (plugin.empty())
    GTEST_SKIP() << "there is no " << kPlugin;
  test::TemporaryDirectory directory;
  std::ofstream(directory / "security.json")
      << R"({"defaultACLAccess":{"publishClientSend":true,"publishClientReceive":true,)"
      << R"("subscribe":false,"unsubscribe":true},"clients":[],"groups":[],"roles":[]})";
  Mosquitto broker("allow_anonymous true\nplugin " + plugin + "\nplugin_opt_config_file " +
                   (directory / "security.json") + "\n");
  ASSERT_TRUE(broker.start());
  Taker taker(broker, "");
  taker.open();
  ASSERT_TRUE(taker.take_until([&] { return !taker.came.news.empty(); }));
  EXPECT_EQ(taker.came.news.back().reason,
            "The broker at " + broker.host() +
                " refuses the subscription to npc/+/+/counts: let its access list allow that.");
}

TEST(MqttReceiver, BadUrisAreRefusedWithASentence) {
  for (const auto &[uri, error] : std::initializer_list<std::pair<const char *, const char *>>{
           {"mqtt:broker", "there is no host"},
           {"mqtt://broker?topic=a",
            "it has no parameter topic; there are client-id, gaps, group, "},
           {"mqtt://broker?ca-file=/a", "ca-file is for TLS: write mqtts://"},
           {"mqtt://broker?group=a/b", "group may have 1 to 64 letters"},
           {"mqtt://broker?session=2", "session must be 0 or 1"},
           {"mqtt://broker?gaps=yes", "gaps must be 0 or 1"},
           {"mqtt://broker?group=a&gaps=1", "who shares records with a group does not know what"},
           {"mqtt://broker//a", "the path must be a filter of topics"},
           {"mqtt://broker/npc/a+/counts", "the path must be a filter of topics"},
           {"mqtt://broker/npc/%23/counts", "the path must be a filter of topics"},
           {"mqtt://broker/$SYS/%23", "the path must be a filter of topics"}}) {
    try {
      make_receiver(uri);
      ADD_FAILURE() << uri;
    } catch (const UriError &refused) {
      EXPECT_NE(std::string(refused.what()).find(error), std::string::npos) << refused.what();
    }
  }
  EXPECT_EQ(make_receiver("mqtts://broker/shop/%23")->origin(),
            "topics shop/# of the broker at broker:8883");
}

}  // namespace
}  // namespace npc::source
