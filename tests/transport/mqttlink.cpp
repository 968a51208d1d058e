// SPDX-License-Identifier: LGPL-2.1-or-later
// What is between a client and its broker: who may use the tunnel, and how much it and the link
// keep.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqtt/async_client.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/sanitizer.h"
#include "support/waiting.h"
#include "transport/mqtt/link.h"
#include "transport/mqtt/loopbackproxy.h"
#include "transport/mqtt/pahothread.h"
#include "transport/mqtt/tunnel.h"

namespace {

using npc::Waited;
using npc::mqtt::Connection;
using npc::mqtt::Link;
using npc::mqtt::Login;
using npc::mqtt::Message;
using npc::mqtt::Tunnel;
using npc::test::connect_to;
using npc::test::eventually;
using std::chrono::seconds;

std::string read_some(int socket, std::size_t size) {
  std::string text(size, '\0');
  const ssize_t got = recv(socket, text.data(), size, MSG_WAITALL);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

void say(int socket, const std::string &text) {
  EXPECT_EQ(send(socket, text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// Whatever needs that lock, as the end of another client's connection does, waits meanwhile.
TEST(PahoThread, RunsWhatItIsGivenUnderPahosLock) {
  npc::mqtt::keep_paho();
  const mqtt::async_client other("tcp://broker:1883", "other");
  std::atomic<bool> answered = false;
  bool while_running = true;
  std::jthread asks;
  const auto task = [&] {
    asks = std::jthread([&] {
      other.is_connected();
      answered = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    while_running = answered;
  };
  ASSERT_EQ(npc::mqtt::run_on_paho(task, seconds(20)), Waited::kReady);
  EXPECT_FALSE(while_running);
  EXPECT_TRUE(eventually([&] { return answered.load(); }));
}

TEST(PahoThread, IsOneAndRunsEverything) {
  constexpr int kCallers = 8, kCalls = 200;
  std::atomic<std::thread::id> thread;
  ASSERT_EQ(npc::mqtt::run_on_paho([&] { thread = std::this_thread::get_id(); }, seconds(20)),
            Waited::kReady);
  int ran = 0;  // on one thread, and so without a lock
  std::vector<std::jthread> callers;
  for (int i = 0; i < kCallers; i++) {
    callers.emplace_back([&] {
      for (int k = 0; k < kCalls; k++) {
        EXPECT_EQ(
            npc::mqtt::run_on_paho(
                [&] { ran += std::this_thread::get_id() == thread.load() ? 1 : kCallers * kCalls; },
                seconds(20)),
            Waited::kReady);
      }
    });
  }
  callers.clear();
  EXPECT_EQ(ran, kCallers * kCalls);
}

// Which file is open under a number, as long as it is; empty if none.
std::string name_of(int file) {
  std::error_code none;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), none).string();
}

// Its two ends are in this process.
TEST(PahoThread, ComesBackWhenItsConnectionIsLost) {
  std::thread::id thread;
  const auto note = [&] { thread = std::this_thread::get_id(); };
  ASSERT_EQ(npc::mqtt::run_on_paho(note, seconds(20)), Waited::kReady);
  const std::thread::id before = thread;
  std::set<std::string> shut;
  for (int file = 3; file < 1024; file++) {
    sockaddr_in far{};
    socklen_t size = sizeof(far);
    // Asked first: Paho may close it at once, and open another under its number.
    const std::string name = name_of(file);
    if (getpeername(file, reinterpret_cast<sockaddr *>(&far), &size) == 0 &&
        far.sin_family == AF_INET && ntohl(far.sin_addr.s_addr) == INADDR_LOOPBACK &&
        shutdown(file, SHUT_RDWR) == 0)
      shut.insert(name);
  }
  EXPECT_FALSE(shut.empty());
  // What was on its way before is read.
  ASSERT_TRUE(eventually([&] {
    int left = 0;
    for (int file = 3; file < 1024; file++)
      left += shut.contains(name_of(file)) ? 1 : 0;
    return left == 0;
  }));
  ASSERT_EQ(npc::mqtt::run_on_paho(note, seconds(60)), Waited::kReady);
  EXPECT_EQ(thread, before);
}

TEST(PahoThread, AStopEndsTheWaitForIt) {
  std::atomic<bool> begun = false, freed = false, ran = false;
  std::jthread other([&] {
    npc::mqtt::run_on_paho(
        [&] {
          begun = true;
          freed.wait(false);
        },
        seconds(60));
  });
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  std::stop_source source;
  std::jthread stops([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    source.request_stop();
  });
  EXPECT_EQ(npc::mqtt::run_on_paho([&] { ran = true; }, std::chrono::hours(1), source.get_token()),
            Waited::kStopped);
  freed = true;
  freed.notify_all();
  ASSERT_EQ(npc::mqtt::run_on_paho([] {}, seconds(60)), Waited::kReady);
  EXPECT_FALSE(ran);
}

// As many descriptors as this process may open from now on.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t few) {
    getrlimit(RLIMIT_NOFILE, &before_);
    // The lowest that is free and above all others: below it there are no gaps then.
    int highest = 2;
    for (int file = 3; file < 1024; file++)
      highest = fcntl(file, F_GETFD) >= 0 ? file : highest;
    while (true) {
      const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (file > highest) {
        close(file);
        break;
      }
      gaps_.push_back(file);
    }
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(highest) + 1 + few;
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~FewDescriptors() {
    setrlimit(RLIMIT_NOFILE, &before_);
    for (const int file : gaps_)
      close(file);
  }

 private:
  rlimit before_{};
  std::vector<int> gaps_;
};

TEST(LoopbackProxy, WaitsNoLongerThanItMayWhereThereAreNoDescriptors) {
  npc::mqtt::LoopbackProxy proxy;
  const std::string &url = proxy.url();
  const int client = connect_to(std::stoi(url.substr(url.rfind(':') + 1)));
  ASSERT_GE(client, 0);
  const FewDescriptors none(0);
  std::string rest;
  EXPECT_FALSE(proxy.accept(-1, std::chrono::milliseconds(300), &rest).is_open());
  close(client);
}

class MqttTunnel : public testing::Test {
 protected:
  MqttTunnel() {
    broker_.listen();
    make();
  }
  ~MqttTunnel() override { close(far_); }

  void make() {
    tunnel_.reset();
    close(far_);
    Connection connection(broker_.host(), std::nullopt);
    EXPECT_EQ(
        connection.open({"127.0.0.1"}, static_cast<std::uint16_t>(broker_.port()), seconds(10), {})
            .error(),
        "");
    tunnel_ = std::make_unique<Tunnel>(std::move(connection), [] {});
    far_ = broker_.accept();
  }

  // Who has connected, and was answered.
  int join(const std::string &credentials) const {
    const std::string proxy = tunnel_->proxy();
    const int client = connect_to(std::stoi(proxy.substr(proxy.rfind(':') + 1)));
    say(client, "CONNECT broker:1883 HTTP/1.1\r\nHost: broker\r\n" + credentials + "\r\n");
    EXPECT_EQ(read_some(client, 19), "HTTP/1.1 200 OK\r\n\r\n");
    return client;
  }
  std::string credentials() const {
    // http://npc:<32 digits>@…
    const std::string secret = tunnel_->proxy().substr(7, 36);
    constexpr const char *kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < secret.size(); i += 3) {
      const auto byte = [&](std::size_t k) {
        return static_cast<unsigned>(static_cast<unsigned char>(secret[i + k]));
      };
      const unsigned bits = byte(0) << 16 | byte(1) << 8 | byte(2);
      for (int shift = 18; shift >= 0; shift -= 6)
        text += kDigits[bits >> shift & 63];
    }
    return "Proxy-authorization: Basic " + text + "\r\n";
  }

  npc::test::Listener broker_;
  std::unique_ptr<Tunnel> tunnel_;
  int far_ = -1;
};

TEST_F(MqttTunnel, CarriesBothWays) {
  const int client = join(credentials());
  say(client, "question");
  EXPECT_EQ(read_some(far_, 8), "question");
  say(far_, "answer");
  EXPECT_EQ(read_some(client, 6), "answer");
  close(client);
  EXPECT_EQ(read_some(far_, 1), "");
}

TEST_F(MqttTunnel, CarriesNothingForStrangers) {
  const int stranger = join("Proxy-authorization: Basic bnBjOjA=\r\n");
  say(stranger, "stranger");
  EXPECT_EQ(read_some(stranger, 1), "");  // It is thrown out.
  const int client = join(credentials());
  say(client, "client");
  EXPECT_EQ(read_some(far_, 6), "client");
  close(stranger);
  close(client);
}

TEST_F(MqttTunnel, ASilentStrangerDoesNotHoldUpTheClient) {
  const std::string proxy = tunnel_->proxy();
  std::vector<int> strangers;
  for (int i = 0; i < 4; i++)
    strangers.push_back(connect_to(std::stoi(proxy.substr(proxy.rfind(':') + 1))));
  const int client = join(credentials());
  say(client, "client");
  EXPECT_EQ(read_some(far_, 6), "client");
  close(client);
  for (const int stranger : strangers)
    close(stranger);
}

// Both ends of a broker that does not read: the client never waits, and nor does the end.
TEST_F(MqttTunnel, TakesWhatABrokerDoesNot) {
  const int client = join(credentials());
  // The answer comes before the tunnel has seen who asks: nobody is carried for yet.
  ASSERT_TRUE(eventually([&] { return tunnel_->entered(); }));
  say(client, std::string(400 * 1024, 'x'));
  close(client);
  tunnel_.reset();
  EXPECT_EQ(read_some(far_, 16), std::string(16, 'x'));
}

TEST_F(MqttTunnel, TheClientLearnsThatTheBrokerIsGone) {
  const int client = join(credentials());
  say(far_, "farewell");
  close(std::exchange(far_, -1));
  EXPECT_EQ(read_some(client, 9), "farewell");
  close(client);
}

// A write that fails would make Paho 1.3.14 free a message twice.
TEST_F(MqttTunnel, IsLeftByTheClientAndNotTheOtherWayRound) {
  const int client = join(credentials());
  close(std::exchange(far_, -1));
  EXPECT_EQ(read_some(client, 1), "");
  EXPECT_TRUE(tunnel_->ended());
  for (int i = 0; i < 1000; i++)
    say(client, std::string(1000, 'x'));
  close(client);
}

// Paho would free the message of a PUBLISH twice.
TEST_F(MqttTunnel, EndsAtAnAnswerToWhatWasNotAsked) {
  using namespace std::string_literals;
  const std::string asked = "\x32\x07\x00\x01t\x00\x01\x00x"s + "\x34\x07\x00\x01t\x00\x02\x00x"s +
                            "\x62\x02\x00\x02"s + "\x82\x06\x00\x03\x00\x01t\x00"s;
  const std::string answers = "\x30\xc8\x01"s + std::string(200, '\x70') + "\xd0\x00"s +
                              "\x70\x02\x00\x02"s + "\x90\x03\x00\x03\x00"s;
  for (const std::string &wrong :
       {"\x70\x02\x00\x01"s, "\x90\x03\x00\x01\x00"s, "\x40\x02\x00\x02"s, "\x40\x00"s}) {
    make();
    const int client = join(credentials());
    say(client, asked);
    EXPECT_EQ(read_some(far_, asked.size()), asked);
    for (const char byte : answers)
      say(far_, std::string(1, byte));
    EXPECT_EQ(read_some(client, answers.size()), answers);
    say(far_, wrong);
    EXPECT_EQ(read_some(client, 1), "");
    close(client);
  }
}

// However few there are: it is not the broker's fault, and no reason for an older version.
TEST(MqttLink, SaysThatThereAreTooFewDescriptors) {
  if (npc::test::kSanitized)
    GTEST_SKIP() << "UBSan makes a pipe to see whether memory is there";
  if (!npc::test::have_program("mosquitto"))
    GTEST_SKIP() << "mosquitto is not installed";
  npc::test::Mosquitto broker;
  ASSERT_TRUE(broker.start());
  ASSERT_EQ(npc::mqtt::run_on_paho([] {}, seconds(20)), Waited::kReady);
  npc::BackgroundCall background;
  int said = 0;
  bool opened = false;
  for (rlim_t few = 0; few < 40 && !opened; few++) {
    Login login;
    login.broker = broker.host();
    login.host = "127.0.0.1";
    login.port = static_cast<std::uint16_t>(broker.port());
    login.client_id = "few";
    login.will_topic = "test/status";
    Link link(std::move(login));
    npc::Status status;
    {
      const FewDescriptors left(few);
      try {
        status = link.open(background, {});
      } catch (const std::system_error &) {
        continue;
      }
    }
    opened = status.is_ok();
    const std::string &failure = status.error();
    EXPECT_EQ(link.version(), npc::mqtt::Version::k5) << few << " " << failure;
    EXPECT_EQ(failure.find("ended the connection"), std::string::npos) << few << " " << failure;
    EXPECT_EQ(failure.find("whether it hangs"), std::string::npos) << few << " " << failure;
    said += failure.find("(ulimit -n)") != std::string::npos ? 1 : 0;
  }
  EXPECT_TRUE(opened);
  EXPECT_GT(said, 0);
}

TEST(MqttLink, KeepsNoMoreOfStrangersThanADeviceCan) {
  for (const char *program : {"mosquitto", "mosquitto_sub"}) {
    if (!npc::test::have_program(program))
      GTEST_SKIP() << program << " is not installed";
  }
  npc::test::Mosquitto broker;
  ASSERT_TRUE(broker.start());
  npc::BackgroundCall background;
  const auto link_named = [&](const char *id) {
    Login login;
    login.broker = broker.host();
    login.host = "127.0.0.1";
    login.port = static_cast<std::uint16_t>(broker.port());
    login.client_id = id;
    login.will_topic = "test/status";
    auto link = std::make_unique<Link>(std::move(login));
    EXPECT_EQ(link->open(background, {}).error(), "");
    return link;
  };
  const auto stranger = link_named("stranger");
  const auto ours = link_named("ours");
  const std::vector<std::string> filters = {"homeassistant/status", "test/end"};
  ASSERT_EQ(ours->subscribe(filters, {}).error(), "");
  const std::string large(200 * 1024, 'x');
  const std::vector<Message> flood(60, Message{"homeassistant/status", large});
  ASSERT_EQ(stranger->publish(flood, seconds(60), seconds(60), {}).status.error(), "");
  // They come in their order: the answer to this comes after them.
  ASSERT_EQ(ours->subscribe(filters, {}).error(), "");
  std::size_t size = 0;
  for (const npc::mqtt::Arrived &arrived : ours->take_arrived())
    size += arrived.payload.size();
  EXPECT_GT(size, 0u);
  EXPECT_LE(size, 1024u * 1024u);
  // What comes later is taken again.
  const std::vector<Message> one = {{"test/end", "end"}};
  ASSERT_EQ(stranger->publish(one, seconds(60), seconds(60), {}).status.error(), "");
  EXPECT_TRUE(eventually([&] { return !ours->take_arrived().empty(); }));
}

}  // namespace
