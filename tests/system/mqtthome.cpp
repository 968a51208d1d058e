// SPDX-License-Identifier: LGPL-2.1-or-later
// Home Assistant's discovery, and what is retained, with a real broker in between.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using Json = nlohmann::json;
using npc::test::all_retained;
using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::retained;
using npc::test::Subscriber;
using npc::test::TemporaryDirectory;

constexpr const char *kConfig = "homeassistant/device/npc_home_door/config";
constexpr const char *kGateConfig = "homeassistant/device/npc_home_gate/config";
constexpr const char *kStatus = "npc/home/door/status";
constexpr const char *kState = "npc/home/door/state";
constexpr const char *kHealth = "npc/home/door/health";

// What Home Assistant's device discovery knows, abbreviated. In each list the required keys first,
// up to the empty one.
const std::vector<std::string> kRoots = {"dev",    "o",      "cmps",  "",    "avty", "avty_mode",
                                         "avty_t", "stat_t", "cmd_t", "qos", "e"};
const std::vector<std::string> kDevice = {"ids", "",   "name", "mf", "mdl", "mdl_id",
                                          "sw",  "hw", "sn",   "sa", "cu",  "cns"};
const std::vector<std::string> kOrigin = {"name", "", "sw", "url"};
const std::vector<std::string> kSensor = {"p",        "uniq_id",      "",        "name",
                                          "stat_cla", "unit_of_meas", "val_tpl", "sug_dsp_prc",
                                          "dev_cla",  "ent_cat",      "stat_t",  "exp_aft"};
const std::vector<std::string> kBinarySensor = {"p",       "uniq_id", "",       "name",   "dev_cla",
                                                "val_tpl", "ent_cat", "stat_t", "exp_aft"};
using Texts = std::vector<std::string>;
const std::set<std::string> kStateClasses = {"measurement", "total", "total_increasing"};

void expect_keys(const Json &object, const std::vector<std::string> &keys) {
  ASSERT_TRUE(object.is_object()) << object;
  bool required = true;
  std::set<std::string> known;
  for (const std::string &key : keys) {
    required = required && !key.empty();
    known.insert(key);
    if (required) {
      EXPECT_TRUE(object.contains(key)) << key << " in " << object;
    }
  }
  for (const auto &item : object.items())
    EXPECT_TRUE(known.contains(item.key())) << item.key() << " in " << object;
}

void expect_valid(const Json &config) {
  expect_keys(config, kRoots);
  expect_keys(config.at("dev"), kDevice);
  expect_keys(config.at("o"), kOrigin);
  std::set<std::string> ids;
  for (const auto &item : config.at("cmps").items()) {
    const Json &component = item.value();
    const bool sensor = component.at("p") == "sensor";
    EXPECT_TRUE(sensor || component.at("p") == "binary_sensor") << component;
    expect_keys(component, sensor ? kSensor : kBinarySensor);
    EXPECT_TRUE(ids.insert(component.at("uniq_id")).second) << component;
    if (component.contains("stat_cla")) {
      EXPECT_TRUE(kStateClasses.contains(component.at("stat_cla"))) << component;
    }
    if (component.contains("ent_cat")) {
      EXPECT_EQ(component.at("ent_cat"), "diagnostic");
    }
  }
}

std::set<std::string> keys_of(const Json &config) {
  std::set<std::string> keys;
  for (const auto &item : config.at("cmps").items())
    keys.insert(item.key());
  return keys;
}

// Record `seq` with these lines, and a zone.
GstBuffer *record_with(guint64 seq, const std::vector<std::string> &lines) {
  Json record = Json::parse(npc::test::record_json(seq));
  // The camera is not taken for silent, however slow a test is.
  record["interval"] = 60000;
  for (const std::string &line : lines)
    record["lines"][line] = {{"in", 1}, {"out", 0}, {"in_total", seq + 1}, {"out_total", 0}};
  record["zones"]["queue"] = {{"people", 1}, {"people_max", 1}, {"entered", 0}, {"dwell", 4000}};
  return npc::test::text_buffer(record.dump() + "\n");
}

class MqttHome : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "mosquitto_pub"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
    ASSERT_TRUE(broker_.start());
  }
  std::string uri(const std::string &more = {}) const {
    return "mqtt://" + broker_.host() + "/?discovery=homeassistant" + more;
  }
  // Waits until a mosquitto_sub has subscribed.
  bool is_watched() const {
    return eventually([this] {
      const std::string log = broker_.log();
      return log.find("Sending SUBACK to auto-") != std::string::npos ||
             log.find("Sending SUBACK to mosq-") != std::string::npos;
    });
  }
  Json config() const { return Json::parse(retained(broker_, kConfig)); }
  void publish(const std::string &topic, const std::string &payload) {
    // No name: a small system may not know localhost.
    Process publisher({"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(broker_.port()),
                       "-q", "1", "-t", topic, "-m", payload},
                      directory_ / "log");
    ASSERT_EQ(publisher.wait(), 0);
  }

  TemporaryDirectory directory_;
  Mosquitto broker_;
};

TEST_F(MqttHome, IsDescribedByTheKeyTables) {
  PlayingSink sink(uri());
  sink.push(record_with(0, {"door", "back-2"}));
  EXPECT_TRUE(sink.drain());
  const Json found = config();
  expect_valid(found);
  EXPECT_EQ(keys_of(found),
            (std::set<std::string>{"people", "moving", "faces", "occupancy", "line_door_in",
                                   "line_door_out", "line_back-2_in", "line_back-2_out",
                                   "zone_queue_people", "zone_queue_dwell", "problem", "uptime",
                                   "delay", "pending", "dropped", "reconnects"}));
  const Json &in = found.at("cmps").at("line_back-2_in");
  EXPECT_EQ(in.at("stat_cla"), "total_increasing");
  EXPECT_EQ(in.at("val_tpl"), "{{ value_json.lines['back-2']['in_total'] }}");
  EXPECT_EQ(in.at("uniq_id"), "npc_home_door_line_back-2_in");
  EXPECT_EQ(found.at("cmps").at("people").at("stat_cla"), "measurement");
  EXPECT_EQ(found.at("cmps").at("occupancy").at("dev_cla"), "occupancy");
  EXPECT_EQ(found.at("cmps").at("uptime").at("stat_t"), kHealth);
  EXPECT_EQ(found.at("stat_t"), "npc/home/door/state");
  EXPECT_EQ(found.at("avty"), Json::parse(R"([{"t":"npc/home/door/status"}])"));

  const Json health = Json::parse(retained(broker_, kHealth));
  EXPECT_EQ(health.at("will"), kStatus);
  for (const char *number :
       {"time", "uptime", "delivered", "delay", "pending", "dropped", "reconnects"})
    EXPECT_TRUE(health.at(number).is_number_unsigned()) << health;
}

// The state is retained: it may only expire in Home Assistant if it does so in the broker, too, or
// each restart would make an old one new.
TEST_F(MqttHome, ExpiresWhereTheBrokerForgetsItToo) {
  Subscriber watcher(broker_, {"-V", "mqttv5", "-F", "%t %E", "-t", kState, "-t", kHealth});
  ASSERT_TRUE(is_watched());
  PlayingSink sink(uri());
  sink.push(record_with(0, {"door"}));
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  EXPECT_TRUE(eventually([&] { return watcher.payloads(kState) == Texts{"180"}; }));
  const Json found = config();
  for (const auto &[key, component] : found.at("cmps").items())
    EXPECT_EQ(component.value("exp_aft", 0), component.contains("stat_t") ? 0 : 180) << component;
  sink.stop();
  EXPECT_EQ(watcher.payloads(kHealth), Texts{""});
  // Others read what it was.
  PlayingSink plain("mqtt://" + broker_.host());
  plain.push(record_with(1, {"door"}));
  EXPECT_TRUE(plain.drain());
  EXPECT_TRUE(watcher.wait_for(kState, ""));
}

TEST_F(MqttHome, ALineThatIsGoneLosesItsEntities) {
  Subscriber watcher(broker_, {"-t", kConfig});
  ASSERT_TRUE(
      eventually([&] { return broker_.log().find("Sending SUBACK") != std::string::npos; }));
  {
    PlayingSink sink(uri());
    sink.push(record_with(0, {"door", "exit", "old"}));
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
    EXPECT_TRUE(keys_of(config()).contains("line_exit_in"));
    // Removed while it runs: first its platform alone, then nothing.
    sink.push(record_with(1, {"door", "old"}));
    EXPECT_TRUE(sink.drain());
    EXPECT_FALSE(keys_of(config()).contains("line_exit_in"));
  }
  // And over a restart, by what the broker retains.
  PlayingSink sink(uri());
  sink.push(record_with(2, {"door"}));
  EXPECT_TRUE(sink.drain());
  ASSERT_TRUE(eventually([&] { return watcher.payloads(kConfig).size() >= 5; }));
  const auto all = watcher.payloads(kConfig);
  const Json platform = {{"p", "sensor"}};
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(Json::parse(all[1]).at("cmps").at("line_exit_in"), platform);
  EXPECT_EQ(Json::parse(all[1]).at("cmps").at("line_exit_out"), platform);
  EXPECT_TRUE(keys_of(Json::parse(all[2])).contains("line_old_in"));
  EXPECT_EQ(Json::parse(all[3]).at("cmps").at("line_old_out"), platform);
  EXPECT_FALSE(keys_of(Json::parse(all[4])).contains("line_old_out"));
  for (const std::size_t last : {0, 2, 4})
    expect_valid(Json::parse(all[last]));
  EXPECT_EQ(Json::parse(all[4]), config());
}

// One message for each entity.
TEST_F(MqttHome, EntitiesAreDescribedByTheKeyTables) {
  std::vector<std::string> sensor = {"uniq_id", "dev", "o",         "avty",
                                     "stat_t",  "",    "avty_mode", "qos"};
  std::vector<std::string> binary_sensor = sensor;
  sensor.insert(sensor.end(), kSensor.begin() + 3, kSensor.end());
  binary_sensor.insert(binary_sensor.end(), kBinarySensor.begin() + 3, kBinarySensor.end());
  Json device;
  {
    PlayingSink sink(uri());
    sink.push(record_with(0, {"door", "back-2"}));
    EXPECT_TRUE(sink.drain());
    device = config();
  }
  PlayingSink sink(uri("&discovery-form=entities"));
  sink.push(record_with(1, {"door", "back-2"}));
  ASSERT_TRUE(eventually([&] { return all_retained(broker_, "homeassistant/#").size() == 16; }));
  for (const auto &[key, component] : device.at("cmps").items()) {
    const std::string platform = component.at("p");
    const std::string topic = "homeassistant/" + platform + "/npc_home_door/" + key + "/config";
    const Json entity = Json::parse(retained(broker_, topic));
    expect_keys(entity, platform == "sensor" ? sensor : binary_sensor);
    EXPECT_EQ(entity.at("uniq_id"), component.at("uniq_id"));
    EXPECT_EQ(entity.at("val_tpl"), component.at("val_tpl"));
    EXPECT_EQ(entity.at("stat_t"), component.value("stat_t", device.at("stat_t")));
    for (const char *common : {"dev", "o", "avty", "qos"})
      EXPECT_EQ(entity.at(common), device.at(common));
  }
}

TEST_F(MqttHome, AChangeOfFormLeavesNothingBehind) {
  Subscriber watcher(broker_, {"-t", "homeassistant/#"});
  ASSERT_TRUE(is_watched());
  const auto run = [&](guint64 seq, const std::string &form,
                       const std::vector<std::string> &lines) {
    PlayingSink sink(uri("&discovery-form=" + form));
    sink.push(record_with(seq, lines));
    EXPECT_TRUE(sink.drain());
  };
  const std::string people = "homeassistant/sensor/npc_home_door/people/config";
  const std::string line = "homeassistant/sensor/npc_home_door/line_door_in/config";
  const std::string migrate = "{\"migrate_discovery\":true}";
  run(0, "device", {"door", "old"});
  run(1, "entities", {"door"});
  ASSERT_TRUE(watcher.wait_for(kConfig, ""));
  EXPECT_EQ(all_retained(broker_, "homeassistant/#").size(), 14u);
  const auto device = watcher.payloads(kConfig);
  ASSERT_EQ(device.size(), 4u);
  EXPECT_EQ(Json::parse(device[1]).at("cmps").at("line_old_in"), Json({{"p", "sensor"}}));
  EXPECT_EQ(device[2], migrate);

  // Within a form, too.
  run(2, "entities", {"exit"});
  ASSERT_TRUE(watcher.wait_for(line, ""));
  EXPECT_EQ(all_retained(broker_, "homeassistant/#").size(), 14u);
  EXPECT_EQ(watcher.payloads(line).size(), 2u);

  run(3, "device", {"door"});
  ASSERT_TRUE(watcher.wait_for(people, ""));
  ASSERT_TRUE(eventually([&] { return all_retained(broker_, "homeassistant/#").size() == 1; }));
  expect_valid(config());
  const auto sensor = watcher.payloads(people);
  ASSERT_EQ(sensor.size(), 4u);
  EXPECT_EQ(sensor[2], migrate);
  // The entities of a line that is gone are not kept for another message.
  const auto gone = watcher.payloads("homeassistant/sensor/npc_home_door/line_exit_in/config");
  ASSERT_EQ(gone.size(), 2u);
  EXPECT_EQ(gone[1], "");
}

// In front of a real broker, sends what is retained only when it has seen something published
// there: brokers that look it up beside the connection answer a subscription before they are done.
class LateBroker {
 public:
  LateBroker(int port, std::string until) : to_(port), until_(std::move(until)) {
    listener_.listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~LateBroker() {
    listener_.end();
    thread_.join();
  }
  std::string host() const { return listener_.host(); }

 private:
  void serve() {
    const int client = listener_.accept();
    if (client < 0)
      return;
    const int server = npc::test::connect_to(to_);
    pollfd files[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    std::string unread, seen, late;
    for (char bytes[65536]; poll(files, 2, 60000) > 0;) {
      const bool from_client = files[0].revents != 0;
      const ssize_t size = recv(from_client ? client : server, bytes, sizeof(bytes), 0);
      if (size <= 0)
        break;
      if (!from_client) {
        unread.append(bytes, static_cast<std::size_t>(size));
        std::string now;
        for (std::string packet; !(packet = take_packet(unread)).empty();)
          (is_retained(packet) && !late_enough_ ? late : now) += packet;
        send(client, now.data(), now.size(), MSG_NOSIGNAL);
        continue;
      }
      send(server, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
      seen.append(bytes, static_cast<std::size_t>(size));
      if (!late_enough_ && seen.find(until_) != std::string::npos) {
        late_enough_ = true;
        send(client, late.data(), late.size(), MSG_NOSIGNAL);
      }
    }
    close(server);
    close(client);
  }

  static bool is_retained(const std::string &packet) { return (packet.front() & 0xf1) == 0x31; }
  // The packet at the front, or nothing if it is not complete.
  static std::string take_packet(std::string &unread) {
    std::size_t length = 0;
    for (std::size_t i = 1; i < unread.size(); i++) {
      const auto byte = static_cast<unsigned char>(unread[i]);
      length |= static_cast<std::size_t>(byte & 0x7f) << (7 * (i - 1));
      if ((byte & 0x80) != 0)
        continue;
      if (unread.size() < i + 1 + length)
        return {};
      std::string packet = unread.substr(0, i + 1 + length);
      unread.erase(0, packet.size());
      return packet;
    }
    return {};
  }

  const int to_;
  const std::string until_;
  const npc::test::Listener listener_;
  bool late_enough_ = false;
  std::thread thread_;
};

TEST_F(MqttHome, ALineThatIsGoneIsFoundByABrokerThatIsLate) {
  {
    PlayingSink sink(uri());
    sink.push(record_with(0, {"door", "old"}));
    EXPECT_TRUE(sink.drain());
  }
  Subscriber watcher(broker_, {"-t", kConfig});
  LateBroker late(broker_.port(), "\"cmps\":");
  PlayingSink sink("mqtt://" + late.host() + "/?discovery=homeassistant");
  sink.push(record_with(1, {"door"}));
  const Json platform = {{"p", "sensor"}};
  EXPECT_TRUE(eventually([&] {
    const auto all = watcher.payloads(kConfig);
    return std::any_of(all.begin(), all.end(), [&](const std::string &config) {
      return Json::parse(config).at("cmps").value("line_old_in", Json()) == platform;
    });
  }));
  EXPECT_TRUE(eventually([&] { return !keys_of(config()).contains("line_old_in"); }));
}

TEST_F(MqttHome, TellsEverythingAgainWhenHomeAssistantStarts) {
  PlayingSink sink(uri("&discovery-prefix=ha"));
  sink.push(record_with(0, {"door"}));
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  Subscriber watcher(broker_, {"-t", "npc/#", "-t", "ha/#", "-R"});
  ASSERT_TRUE(is_watched()) << broker_.log();
  publish("ha/status", "online");
  EXPECT_TRUE(watcher.wait_for(kStatus, "online"));
  EXPECT_TRUE(eventually([&] { return watcher.payloads(kHealth).size() == 1; }));
  EXPECT_TRUE(
      eventually([&] { return watcher.payloads("ha/device/npc_home_door/config").size() == 1; }));
  EXPECT_EQ(watcher.payloads("npc/home/door/state").size(), 1u);
  EXPECT_EQ(watcher.payloads("npc/home/door/counts").size(), 0u);
}

// While no record comes that would make us read.
TEST_F(MqttHome, HearsHomeAssistantBehindMuchElse) {
  PlayingSink sink(uri());
  sink.push(record_with(0, {"door"}));
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 1; }));
  Process strangers({"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(broker_.port()), "-q",
                     "1", "-t", "homeassistant/status", "-m", "strange", "--repeat", "2000"},
                    directory_ / "log");
  ASSERT_EQ(strangers.wait(), 0);
  Subscriber watcher(broker_, {"-t", kState, "-R"});
  ASSERT_TRUE(is_watched()) << broker_.log();
  publish("homeassistant/status", "online");
  EXPECT_TRUE(eventually([&] { return watcher.payloads(kState).size() == 1; }));
  EXPECT_EQ(sink.number("failed"), 0u);
}

TEST_F(MqttHome, TellsEverythingAgainToABrokerThatForgot) {
  PlayingSink sink(uri());
  sink.push(record_with(0, {"door"}));
  sink.push(npc::test::record_buffer(0, "gate"));
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 2; }));
  broker_.kill();
  broker_.forget();
  sink.wait_for("disconnected");
  ASSERT_TRUE(broker_.start());
  sink.wait_for("connected");
  EXPECT_EQ(retained(broker_, kStatus), "online");
  EXPECT_EQ(Json::parse(retained(broker_, "npc/home/door/state")).at("seq"), 0);
  EXPECT_EQ(Json::parse(retained(broker_, kHealth)).at("reconnects"), 1);
  // It comes last.
  ASSERT_TRUE(eventually([&] { return !retained(broker_, kGateConfig).empty(); }));
  EXPECT_TRUE(keys_of(config()).contains("line_door_in"));
  // The will is about the first camera: the second is there only if the first is.
  const Json gate = Json::parse(retained(broker_, kGateConfig));
  EXPECT_EQ(gate.at("avty"),
            Json::parse(R"([{"t":"npc/home/gate/status"},{"t":"npc/home/door/status"}])"));
  EXPECT_EQ(gate.at("avty_mode"), "all");
}

// As docs/mqtt.md says it.
TEST_F(MqttHome, ACameraThatIsNoMoreIsRemovedByTheRecipe) {
  const std::string docs = npc::test::content_of(std::string(NPC_TESTS) + "/../docs/mqtt.md");
  const auto begin = docs.find("mosquitto_sub -h 127.0.0.1 -p 1883");
  ASSERT_NE(begin, std::string::npos);
  std::string recipe = docs.substr(begin, docs.find("\n```", begin) - begin);
  recipe.replace(recipe.find("1883"), 4, std::to_string(broker_.port()));
  for (const char *form : {"device", "entities"}) {
    PlayingSink sink(uri(std::string("&discovery-form=") + form));
    sink.push(record_with(0, {"door"}));
    sink.push(npc::test::record_buffer(0, "gate"));
    EXPECT_TRUE(sink.drain());
    sink.stop();
    ASSERT_NE(retained(broker_, kHealth), "");
    const auto gate = all_retained(broker_, "npc/home/gate/#");
    Process({"sh", "-c", recipe}, directory_ / "log").wait();
    EXPECT_EQ(all_retained(broker_, "npc/#"), gate);
    for (const std::string &line : all_retained(broker_, "homeassistant/#"))
      EXPECT_NE(line.find("/npc_home_gate/"), std::string::npos) << line;
  }
}

TEST_F(MqttHome, OnlyTheTopicsThatWereAskedFor) {
  Subscriber watcher(broker_);
  ASSERT_TRUE(
      eventually([&] { return broker_.log().find("Sending SUBACK") != std::string::npos; }));
  PlayingSink sink("mqtt://" + broker_.host() + "/?topics=counts");
  sink.push(0, 5);
  EXPECT_TRUE(sink.drain());
  sink.stop();
  EXPECT_TRUE(watcher.wait_for(kStatus, "offline"));
  EXPECT_EQ(watcher.payloads("npc/home/door/counts").size(), 5u);
  EXPECT_EQ(watcher.lines().size(), 7u);
}

}  // namespace
