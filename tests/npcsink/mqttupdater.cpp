// SPDX-License-Identifier: LGPL-2.1-or-later
// The mqtt updater where no broker is: what it says, and that a stop ends its waits.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

#include "npcsink/dispatcher.h"
#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/numbered.h"
#include "support/waiting.h"

namespace {

using npc::sink::Dispatcher;
using npc::sink::Drained;
using npc::test::eventually;
using npc::test::numbered;
using std::chrono::hours;
using std::chrono::milliseconds;

class MqttUpdater : public testing::Test {
 protected:
  MqttUpdater() { options_.retry_first = options_.retry_last = hours(1); }

  void start(const std::string &updaters) {
    store_ = std::make_shared<npc::sink::Store>(npc::sink::StoreOptions(),
                                                [](const npc::sink::StoreEvent &) {});
    delivery_ = std::make_unique<Dispatcher>(updaters, npc::sink::Registry::standard(), store_,
                                             options_, [](const npc::sink::UpdaterEvent &) {});
    delivery_->start();
    store_->push(numbered(0));
  }

  std::string failure() {
    EXPECT_TRUE(eventually([&] { return delivery_->stats()[0].failed == 1; }));
    return delivery_->stats()[0].last_error;
  }

  npc::sink::WorkerOptions options_;
  npc::test::Listener server_;
  std::shared_ptr<npc::sink::Store> store_;
  std::unique_ptr<Dispatcher> delivery_;
};

TEST_F(MqttUpdater, SaysThatThereIsNoBroker) {
  start("mqtt://" + server_.host());  // Bound, but nobody listens.
  EXPECT_EQ(failure(), "There is no MQTT broker to reach at " + server_.host() +
                           ": check the host and the port, and whether it runs.");
  EXPECT_EQ(delivery_->stats()[0].pending, 1u);
}

TEST_F(MqttUpdater, SaysThatTheServerIsNoBroker) {
  server_.listen();
  start("mqtt://" + server_.host());
  // Asked again for MQTT 3.1.1, as old brokers hang up on MQTT 5.
  for (int i = 0; i < 2; i++) {
    const int connection = server_.accept();
    ASSERT_EQ(write(connection, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
    close(connection);
  }
  EXPECT_EQ(failure(), "The broker at " + server_.host() +
                           " ended the connection instead of answering: check the host and the "
                           "port.");
}

TEST_F(MqttUpdater, StopsWhileAServerIsSilent) {
  server_.listen();
  start("mqtt://" + server_.host());
  const int connection = server_.accept();
  char connect = 0;
  ASSERT_EQ(read(connection, &connect, 1), 1);
  EXPECT_EQ(connect, 0x10);  // CONNECT was sent: now it waits for the answer.
  delivery_->stop();
  EXPECT_EQ(delivery_->stats()[0].failed, 0u);
  EXPECT_EQ(delivery_->stats()[0].pending, 1u);
  close(connection);
}

TEST_F(MqttUpdater, SaysThatAHostIsNotFound) {
  start("mqtt://no-such-host.invalid");
  const std::string why = failure();
  EXPECT_TRUE(why.starts_with("The host \"no-such-host.invalid\" is not found: ")) << why;
}

TEST_F(MqttUpdater, SaysThatThePasswordFileIsMissing) {
  start("mqtt://me@" + server_.host() + "/?password-file=/no/such/file");
  EXPECT_EQ(failure(),
            "The password file \"/no/such/file\" cannot be read: No such file or directory.");
}

TEST_F(MqttUpdater, SaysThatThePasswordFileIsEmpty) {
  std::string name = (std::filesystem::temp_directory_path() / "npcsink-XXXXXX").string();
  const int file = mkstemp(name.data());
  ASSERT_GE(file, 0);
  ASSERT_EQ(write(file, "\n", 1), 1);
  close(file);
  start("mqtt://me@" + server_.host() + "/?password-file=" + name);
  EXPECT_EQ(failure(),
            "The password file \"" + name +
                "\" must hold a password of 1 to 4096 bytes, without control characters, in "
                "its first line.");
  std::filesystem::remove(name);
}

// To open one would wait for its writer, and a stop for that.
TEST_F(MqttUpdater, SaysThatAPipeIsNoFile) {
  const npc::test::TemporaryDirectory directory;
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const auto &[scheme, parameter, what] :
       {std::tuple("mqtt", "password-file", "password"), std::tuple("mqtts", "ca-file", "CA")}) {
    start(std::string(scheme) + "://me@" + server_.host() + "/?" + parameter + "=" + pipe);
    EXPECT_EQ(failure(), "The " + std::string(what) + " file \"" + pipe +
                             "\" is not a file, but a directory, a pipe or a device.");
  }
}

// Nothing is shared between them, and nothing is left behind.
TEST_F(MqttUpdater, ManyComeAndGoAtTheSameTime) {
  options_.retry_first = options_.retry_last = milliseconds(1);
  std::string updaters;
  for (int i = 1; i <= 8; i++)
    updaters += "mqtt://127.0.0." + std::to_string(i) + server_.host().substr(9) + " ";
  start(updaters);
  for (std::size_t i = 0; i < 8; i++)
    EXPECT_TRUE(eventually([&] { return delivery_->stats()[i].failed > 5; }));
}

// A stop meets the worker at each of these; ThreadSanitizer watches.
TEST_F(MqttUpdater, IsStoppedAndLosesItsBrokerInMidStream) {
  for (const char *program : {"mosquitto", "mosquitto_sub"}) {
    if (!npc::test::have_program(program))
      GTEST_SKIP() << program << " is not installed";
  }
  npc::test::Mosquitto broker;
  ASSERT_TRUE(broker.start());
  options_.retry_first = options_.retry_last = milliseconds(20);
  options_.idle = milliseconds(5);
  start("mqtt://" + broker.host());
  const auto delivered = [this] { return delivery_->stats()[0].delivered; };
  int pushed = 1;
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < 1000; i++)
      store_->push(numbered(pushed++, i % 2 == 0 ? "door" : "gate"));
    const auto before = delivered();
    ASSERT_TRUE(eventually([&] { return delivered() > before + 150; }));
    if (round % 2 == 0) {
      delivery_->stop();
      delivery_->start();
    } else {
      broker.kill();
      ASSERT_TRUE(broker.start());
    }
  }
  EXPECT_EQ(delivery_->drain(hours(1)), Drained::kAll);
  EXPECT_EQ(delivered(), static_cast<std::uint64_t>(pushed));
  // It follows the newest record, which is delivered by now.
  EXPECT_TRUE(
      eventually([&] { return npc::test::retained(broker, "npc/home/door/status") == "online"; }));
  delivery_->stop();
  EXPECT_EQ(npc::test::retained(broker, "npc/home/door/status"), "offline");
  EXPECT_EQ(npc::test::retained(broker, "npc/home/gate/status"), "offline");

  // A start is no record: one camera is there again when it has one.
  delivery_->start();
  store_->push(numbered(pushed++, "gate"));
  EXPECT_EQ(delivery_->drain(hours(1)), Drained::kAll);
  EXPECT_EQ(npc::test::retained(broker, "npc/home/gate/status"), "online");
  EXPECT_EQ(npc::test::retained(broker, "npc/home/door/status"), "offline");
}

}  // namespace
