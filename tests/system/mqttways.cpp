// SPDX-License-Identifier: LGPL-2.1-or-later
// Ways to a broker: WebSocket, TLS, IPv6, and what lies beside them.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "support/authority.h"
#include "support/listener.h"
#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::test::Authority;
using npc::test::content_of;
using npc::test::Listener;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;

class MqttWays : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "openssl"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
  }

  // A broker with a second listener, on the port other_.
  Mosquitto broker_with(const std::string &lines, const std::string &address = "127.0.0.1") const {
    return Mosquitto("allow_anonymous true\nlistener " + std::to_string(other_) + " " + address +
                     "\n" + lines);
  }
  // What lets a listener speak TLS.
  std::string tls_for(const std::string &address) const {
    EXPECT_TRUE(authority_.sign("broker", "IP:" + address, 2));
    return "certfile " + (authority_ / "broker.crt") + "\nkeyfile " + (authority_ / "broker.key") +
           "\n";
  }
  std::string other() const { return "127.0.0.1:" + std::to_string(other_); }

  static void expect_delivery(const std::string &uri, const Mosquitto &broker) {
    PlayingSink sink(uri);
    sink.push(0, 500);
    EXPECT_TRUE(sink.drain()) << uri << ": " << sink.last_error();
    EXPECT_EQ(npc::test::retained(broker, "npc/home/door/state"), npc::test::record_json(499));
    sink.stop();
    EXPECT_EQ(npc::test::retained(broker, "npc/home/door/status"), "offline");
  }

  const int other_ = Listener().port();
  const Authority authority_;
};

TEST_F(MqttWays, WebSocket) {
  Mosquitto broker = broker_with("protocol websockets\n");
  ASSERT_TRUE(broker.start());
  expect_delivery("ws://" + other() + "/mqtt?discovery=homeassistant", broker);
}

TEST_F(MqttWays, WebSocketWithTls) {
  Mosquitto broker = broker_with("protocol websockets\n" + tls_for("127.0.0.1"));
  ASSERT_TRUE(broker.start());
  expect_delivery("wss://" + other() + "/mqtt?ca-file=" + authority_.certificate(), broker);
  PlayingSink sink("wss://" + other() + "/mqtt");
  sink.set_drain_timeout(0);
  sink.push(0, 1);
  const std::string reason = sink.wait_for("disconnected");
  EXPECT_TRUE(reason.starts_with("The certificate of the broker at " + other())) << reason;
}

// A web server may have more than one host, and more than a broker.
TEST_F(MqttWays, WebSocketKeepsPathAndHost) {
  const Listener server;
  server.listen();
  PlayingSink sink("ws://localhost:" + std::to_string(server.port()) + "/a/b?qos=0");
  sink.set_drain_timeout(0);
  sink.push(0, 1);
  const int client = server.accept();
  std::string request;
  char bytes[4096];
  for (ssize_t size; request.find("\r\n\r\n") == std::string::npos &&
                     (size = recv(client, bytes, sizeof(bytes), 0)) > 0;)
    request.append(bytes, static_cast<std::size_t>(size));
  close(client);
  EXPECT_TRUE(request.starts_with("GET /a/b HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Host: localhost:" + std::to_string(server.port()) + "\r\n"),
            std::string::npos)
      << request;
  EXPECT_EQ(sink.wait_for("disconnected"),
            "The broker at localhost:" + std::to_string(server.port()) +
                " ended the connection instead of answering: check the host and the port.");
}

TEST_F(MqttWays, WhatOpensNoWebSocketIsSaid) {
  for (const char *answer :
       {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n"}) {
    const Listener server;
    server.listen();
    PlayingSink sink("ws://" + server.host() + "/none");
    sink.set_drain_timeout(0);
    sink.push(0, 1);
    const int client = server.accept();
    send(client, answer, std::strlen(answer), MSG_NOSIGNAL);
    EXPECT_EQ(sink.wait_for("disconnected"),
              "What is at " + server.host() +
                  " opens no WebSocket for MQTT at /none: check the port, and the path in the URI; "
                  "that of many brokers is /mqtt.");
    close(client);
  }
}

TEST_F(MqttWays, TlsToAnAddressOfIPv6) {
  const int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool have = bind(socket, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
  close(socket);
  if (!have)
    GTEST_SKIP() << "there is no IPv6";
  Mosquitto broker = broker_with(tls_for("::1"), "::1");
  ASSERT_TRUE(broker.start());
  expect_delivery(
      "mqtts://[::1]:" + std::to_string(other_) + "/?ca-file=" + authority_.certificate(), broker);
}

// Not a test: what the next one runs in a process of its own, where nobody reads the environment
// yet.
TEST(Child, DISABLED_Delivers) {
  PlayingSink sink(std::getenv("NPC_TEST_UPDATERS"));
  sink.push(0, 10);
  EXPECT_TRUE(sink.drain()) << sink.last_error();
}

// Proxies are for the web.
TEST_F(MqttWays, AProxyIsNotForBrokers) {
  Mosquitto broker = broker_with(tls_for("127.0.0.1"));
  ASSERT_TRUE(broker.start());
  const Listener proxy;  // where nobody listens
  const npc::test::TemporaryDirectory directory;
  for (const std::string &uri : {"mqtt://" + broker.host(),
                                 "mqtts://" + other() + "/?ca-file=" + authority_.certificate()}) {
    Process child({"/usr/bin/env", "-u", "no_proxy", "http_proxy=http://" + proxy.host(),
                   "https_proxy=http://" + proxy.host(), "NPC_TEST_UPDATERS=" + uri,
                   std::string(std::filesystem::read_symlink("/proc/self/exe")),
                   "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
                  directory / "output");
    EXPECT_EQ(child.wait(), 0) << content_of(directory / "output");
  }
}

}  // namespace
