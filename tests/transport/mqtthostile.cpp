// SPDX-License-Identifier: LGPL-2.1-or-later
// Brokers that send what is wrong in every way: no client crashes, hangs or forgets how to publish.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/process.h"
#include "support/sanitizer.h"
#include "support/waiting.h"
#include "transport/mqtt/link.h"

namespace {

using namespace std::string_literals;
using npc::test::eventually;
using npc::test::Process;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Random = std::mt19937;

constexpr int kClients = 8;
// Of what is sent on one connection, most comes after what ended it. With a sanitizer each takes
// many times as long.
constexpr int kPackets = npc::test::kSanitized ? 10000 : 100000;
constexpr int kPacketsEach = 40;
constexpr const char *kTopic = "npc/home/door/counts";

npc::mqtt::Login login_to(const std::string &host, const std::string &id) {
  npc::mqtt::Login login;
  login.broker = host;
  login.host = "127.0.0.1";
  login.port = static_cast<std::uint16_t>(std::stoi(host.substr(host.find(':') + 1)));
  login.client_id = id;
  login.will_topic = "npc/home/door/status";
  return login;
}

// Like an updater, but as fast as it goes, and without patience.
void meet(npc::mqtt::Login login) {
  npc::BackgroundCall background;
  npc::mqtt::Link link(std::move(login));
  std::stop_source stop;
  const std::jthread watch([&stop, begin = std::chrono::steady_clock::now()](std::stop_token end) {
    while (!end.stop_requested() && std::chrono::steady_clock::now() < begin + seconds(2))
      std::this_thread::sleep_for(milliseconds(5));
    stop.request_stop();
  });
  if (!link.open(background, stop.get_token()).is_ok())
    return;
  const std::array<npc::mqtt::Message, 2> messages = {{{kTopic, "1"}, {kTopic, "2"}}};
  const std::vector<std::string> filters = {"homeassistant/status"};
  link.publish(messages, milliseconds(50), milliseconds(100), stop.get_token());
  if (!link.lost())
    static_cast<void>(link.subscribe(filters, stop.get_token()));
  while (!link.lost() && !stop.stop_requested()) {
    link.poll_state();
    link.take_arrived();
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// Not a test: what the next ones run in a process of its own. A client library that crashes takes
// that one with it.
TEST(Child, DISABLED_MeetsHostility) {
  const std::string path = std::getenv("NPC_TEST_PATH");
  const std::string end = std::getenv("NPC_TEST_END");
  std::vector<std::jthread> clients;
  for (int i = 0; i < kClients; i++) {
    clients.emplace_back([&, i] {
      while (!std::filesystem::exists(end)) {
        npc::mqtt::Login login =
            login_to(std::getenv("NPC_TEST_HOSTILE"), "client-" + std::to_string(i));
        login.version = i % 4 == 0 ? npc::mqtt::Version::k311 : npc::mqtt::Version::k5;
        login.web_path = path;
        meet(std::move(login));
      }
    });
  }
  clients.clear();
  npc::BackgroundCall background;
  npc::mqtt::Link link(login_to(std::getenv("NPC_TEST_GOOD"), "client"));
  EXPECT_EQ(link.open(background, {}).error(), "");
  const std::array<npc::mqtt::Message, 1> messages = {{{kTopic, "counted", 1, true}}};
  EXPECT_EQ(link.publish(messages, seconds(20), seconds(20), {}).confirmed, 1u);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

struct Mode {
  const char *what;
  const char *answer;  // to CONNECT, in hexadecimal
  const char *after;   // and what follows it
};

constexpr const char *kYes = "2003000000";
constexpr Mode kModes[] = {
    {"no answer", "", ""},
    {"half an answer", "2003", ""},
    {"an answer without content", "2000", ""},
    {"an answer of one byte", "200100", ""},
    {"an unknown property of CONNACK", "20050000027e00", ""},
    {"properties longer than CONNACK", "20050000ff2100", ""},
    {"a length of properties that does not end", "20060000ffffffff", ""},
    {"a property twice", "200900000621001421", ""},
    {"no receive maximum", "2006000003210000", ""},
    {"no packet size", "20080000052700000000", ""},
    {"a text longer than CONNACK", "200800000512ffff6161", ""},
    {"a text that is no text", "2008000005120002c0af", ""},
    {"a text with a NUL", "2008000005120002610061", ""},
    {"reserved flags of CONNACK", "2fff000000", ""},
    {"a reason that does not exist", "200300ff00", ""},
    {"a length that does not end", "20ffffffff01", ""},
    {"a packet of 256 MiB", "20ffffff7f0000", ""},
    {"CONNACK twice", kYes, "2003000000"},
    {"PUBACK of nothing", kYes, "40021234"},
    {"PUBACK without content", kYes, "4000"},
    {"PUBACK of one byte", kYes, "400100"},
    {"PUBACK with an unknown property", kYes, "4006000100027e00"},
    {"PUBACK with properties that are not there", kYes, "400400010010"},
    {"PUBREC, PUBREL, PUBCOMP of nothing", kYes, "500212346202123470021234"},
    {"PUBREC without content", kYes, "5000"},
    {"PUBREL without content", kYes, "6200"},
    {"PUBCOMP without content", kYes, "7000"},
    {"SUBACK without content", kYes, "9000"},
    {"SUBACK of nothing", kYes, "900412340000"},
    {"SUBACK with too many answers", kYes, "900a00010000000000000000"},
    {"SUBACK with properties that are not there", kYes, "90040001ff00"},
    {"UNSUBACK without content", kYes, "b000"},
    {"UNSUBACK of nothing", kYes, "b00412340011"},
    {"PINGRESP with content", kYes, "d00161"},
    {"PUBLISH without content", kYes, "3000"},
    {"a topic longer than PUBLISH", kYes, "3004ffff6161"},
    {"a topic that is no text", kYes, "30060002c0af0061"},
    {"no topic and no alias", kYes, "300400000061"},
    {"an alias of nothing", kYes,
     "3007000003230007"
     "61"},
    {"QoS 3", kYes,
     "360800016100010061"
     "61"},
    {"QoS 1 without a number", kYes,
     "320500016100"
     "00"},
    {"PUBLISH with an unknown property", kYes,
     "30070001610302"
     "7e00"},
    {"PUBLISH with properties that do not end", kYes,
     "300800016"
     "1ffffffffff"},
    {"DISCONNECT without content", kYes, "e000"},
    {"DISCONNECT with an unknown property", kYes, "e00495027e00"},
    {"DISCONNECT with properties that are not there", kYes, "e0028bff"},
    {"AUTH", kYes,
     "f00218"
     "00"},
    {"AUTH without content", kYes, "f000"},
    {"a packet of type 0", kYes, "0000"},
    {"CONNECT of a broker", kYes, "100f00044d51545404020000000361626300"},
    {"SUBSCRIBE of a broker", kYes,
     "820600010001610"
     "0"},
    {"UNSUBSCRIBE of a broker", kYes, "a2050001000161"},
    {"PINGREQ of a broker", kYes, "c000"},
    {"a web server", "485454502f312e31203430302042616420526571756573740d0a0d0a", ""},
    {"TLS", "1603030031020000", ""}};

// Any packet, mostly with the right length, often nearly right.
std::string random_packet(Random &random) {
  const auto below = [&random](unsigned most) { return random() % most; };
  static const std::vector<std::string> kRight = {from_hex("40020001"),
                                                  from_hex("4003000100"),
                                                  from_hex("400400010000"),
                                                  from_hex("50020001"),
                                                  from_hex("62020001"),
                                                  from_hex("70020001"),
                                                  from_hex("900400010000"),
                                                  from_hex("b00400010011"),
                                                  from_hex("d000"),
                                                  from_hex("3006000161006161"),
                                                  from_hex("3208000161000100"
                                                           "6161"),
                                                  from_hex("e0028b00"),
                                                  from_hex("301a0001611526000361626300036465660800"
                                                           "026162"
                                                           "0302636a6162"),
                                                  from_hex("400e00010"
                                                           "00a1f0007"
                                                           "72656173"
                                                           "6f6e21")};
  if (below(3) != 0) {
    std::string packet = kRight[below(static_cast<unsigned>(kRight.size()))];
    for (unsigned flips = below(3); flips > 0; flips--)
      packet[below(static_cast<unsigned>(packet.size()))] ^= static_cast<char>(1u << below(8));
    if (below(8) == 0)
      packet.resize(below(static_cast<unsigned>(packet.size()) + 1));
    return packet;
  }
  std::string body(below(below(10) == 0 ? 3000 : 20), '\0');
  for (char &byte : body)
    byte = static_cast<char>(random());
  std::string packet(1, static_cast<char>(random()));
  unsigned size = below(20) == 0 ? random() : static_cast<unsigned>(body.size());
  for (int i = 0; i < 4; i++) {
    packet += static_cast<char>((size & 127) | (size > 127 ? 128 : 0));
    if ((size >>= 7) == 0)
      break;
  }
  return packet + body;
}

// What a web server says before WebSocket begins.
std::string upgrade(const std::string &request) {
  constexpr std::string_view kName = "Sec-WebSocket-Key: ";
  const auto at = request.find(kName);
  if (at == std::string::npos)
    return {};
  const auto begin = at + kName.size();
  const std::string key = request.substr(begin, request.find('\r', begin) - begin) +
                          "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(key.data(), key.size(), hash, &size, EVP_sha1(), nullptr);
  unsigned char text[64];
  EVP_EncodeBlock(text, hash, static_cast<int>(size));
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         std::string(reinterpret_cast<char *>(text)) + "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
}

std::string frame(const std::string &content) {
  std::string text = "\x82"s;
  if (content.size() < 126) {
    text += static_cast<char>(content.size());
  } else {
    text += '\x7e';
    text += static_cast<char>(content.size() >> 8);
    text += static_cast<char>(content.size());
  }
  return text + content;
}

// Mostly right frames of wrong packets; sometimes it is the frame.
std::string random_frame(Random &random) {
  std::string text = frame(random_packet(random));
  if (random() % 4 == 0)
    text[random() % std::min<std::size_t>(text.size(), 4)] ^= static_cast<char>(1u << random() % 8);
  return text;
}

class MqttHostile : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
    listener_.listen();
    ASSERT_TRUE(good_.start());
  }

  void start_clients(const std::string &path) {
    web_ = !path.empty();
    // A frame of WebSocket may claim any size: Paho asks for as much, and takes no for an answer.
    const char *options = std::getenv("ASAN_OPTIONS");
    const std::string sanitizer = options != nullptr ? options + ":"s : ""s;
    child_ = Process(
        {"/usr/bin/env", "NPC_TEST_HOSTILE=" + listener_.host(), "NPC_TEST_GOOD=" + good_.host(),
         "NPC_TEST_PATH=" + path, "NPC_TEST_END=" + (directory_ / "end"),
         "ASAN_OPTIONS=" + sanitizer + "allocator_may_return_null=1",
         std::string(std::filesystem::read_symlink("/proc/self/exe")),
         "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
        directory_ / "output");
    alive_ = true;
    cache_ = std::jthread([this](std::stop_token stop) {
      while (!stop.stop_requested() && child_.running())
        std::this_thread::sleep_for(milliseconds(10));
      if (stop.stop_requested())
        return;
      alive_ = false;
      listener_.end();
    });
  }

  // They deliver to a good broker as if nothing had been.
  void end_clients() {
    ASSERT_TRUE(alive_) << npc::test::content_of(directory_ / "output");
    std::ofstream(directory_ / "end").close();
    cache_ = {};
    // Who still waits for an answer gets none.
    std::thread hang_up([this] {
      for (int client; (client = listener_.accept()) >= 0;)
        close(client);
    });
    EXPECT_EQ(child_.wait(), 0) << npc::test::content_of(directory_ / "output");
    listener_.end();
    hang_up.join();
    EXPECT_EQ(npc::test::retained(good_, kTopic), "counted");
  }

  // The next client, and what it sends first; -1 if the clients are dead.
  int accept(std::string *connect) {
    const int client = listener_.accept();
    if (client < 0)
      return client;
    const auto hear = [&] {
      char bytes[4096];
      const ssize_t size = recv(client, bytes, sizeof(bytes), 0);
      connect->assign(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
    };
    hear();
    if (web_) {
      const std::string answer = upgrade(*connect);
      send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      hear();
    }
    return client;
  }

  std::string yes_to(const std::string &connect) const {
    const auto name = connect.find("MQTT");
    const bool old =
        name != std::string::npos && connect.size() > name + 4 && connect[name + 4] == 4;
    const std::string answer = from_hex(old ? "20020000" : kYes);
    return web_ ? frame(answer) : answer;
  }

  static bool say(int client, const std::string &bytes) {
    return send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // Waits for the client to answer, to hang up, or for neither.
  static bool has_hung_up(int client, milliseconds most) {
    const timeval wait = {0, static_cast<suseconds_t>(most.count() * 1000)};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    char bytes[4096];
    return recv(client, bytes, sizeof(bytes), 0) == 0;
  }

  void send_random_packets(int count, std::string (*make)(Random &)) {
    std::atomic<int> left = count;
    std::vector<std::jthread> brokers;
    for (unsigned i = 0; i < kClients; i++) {
      brokers.emplace_back([&, i] {
        Random random(i);
        std::string connect;
        for (int client; left > 0 && (client = accept(&connect)) >= 0;) {
          bool open = say(client, yes_to(connect));
          for (int packet = 0; packet < kPacketsEach && open; packet++) {
            open = say(client, make(random));
            left--;
          }
          has_hung_up(client, milliseconds(20));
          close(client);
        }
      });
    }
  }

  const npc::test::TemporaryDirectory directory_;
  npc::test::Listener listener_;
  npc::test::Mosquitto good_;
  Process child_;  // of cache_, as long as there is one
  std::atomic<bool> alive_ = false;
  bool web_ = false;
  std::jthread cache_;
};

TEST_F(MqttHostile, EveryPacketWrongInEveryWay) {
  start_clients("");
  for (const Mode &mode : kModes) {
    SCOPED_TRACE(mode.what);
    for (int i = 0; i < kClients; i++) {
      std::string connect;
      const int client = accept(&connect);
      ASSERT_GE(client, 0) << npc::test::content_of(directory_ / "output");
      const bool yes = std::string_view(mode.answer) == kYes;
      say(client, yes ? yes_to(connect) : from_hex(mode.answer));
      say(client, from_hex(mode.after));
      has_hung_up(client, milliseconds(50));
      close(client);
    }
  }
  end_clients();
}

TEST_F(MqttHostile, RandomPackets) {
  start_clients("");
  send_random_packets(kPackets, random_packet);
  end_clients();
}

TEST_F(MqttHostile, RandomPacketsOverWebSocket) {
  start_clients("/mqtt");
  send_random_packets(kPackets / 5, random_frame);
  end_clients();
}

}  // namespace
