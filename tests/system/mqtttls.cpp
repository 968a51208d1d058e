// SPDX-License-Identifier: LGPL-2.1-or-later
// mqtts against a real Mosquitto: who is trusted, and what is said if nobody is.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "support/authority.h"
#include "support/mosquitto.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::test::Authority;
using npc::test::content_of;
using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::TemporaryDirectory;

constexpr const char *kPassword = "s3cret-Of-The-Door";

class MqttTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!npc::test::have_program("openssl"))
      return;
    ours_ = new Authority;
    theirs_ = new Authority;
    EXPECT_TRUE(ours_->sign("good", "IP:127.0.0.1", 2));
    EXPECT_TRUE(ours_->sign("elsewhere", "DNS:elsewhere.example", 2));
    EXPECT_TRUE(ours_->sign("expired", "IP:127.0.0.1", -1));
    EXPECT_TRUE(ours_->sign("client", "DNS:camera", 2));
  }
  static void TearDownTestSuite() {
    delete std::exchange(ours_, nullptr);
    delete std::exchange(theirs_, nullptr);
  }
  void SetUp() override {
    for (const char *program : {"mosquitto", "mosquitto_sub", "mosquitto_passwd", "openssl"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed";
    }
  }

  static std::string file(const std::string &name) { return *ours_ / name; }
  // The configuration of a broker with this certificate.
  static std::string with(const std::string &name, const std::string &more = {}) {
    return "allow_anonymous true\ncertfile " + file(name + ".crt") + "\nkeyfile " +
           file(name + ".key") + "\n" + more;
  }
  // What is said of a broker when it refuses, or is refused. The pipeline goes on.
  static std::string refusal(const Mosquitto &broker, const std::string &query) {
    PlayingSink sink("mqtts://" + broker.host() + "/?" + query);
    sink.set_drain_timeout(0);
    sink.push(0, 10);
    const std::string reason = sink.wait_for("disconnected");
    sink.push(10, 20);
    EXPECT_EQ(sink.number("pending"), 20u);
    EXPECT_EQ(sink.number("delivered"), 0u);
    EXPECT_FALSE(sink.posted_an_error());
    return reason;
  }
  static std::string cut_off(const Mosquitto &broker) {
    return "The broker at " + broker.host() +
           " ended the connection during TLS's handshake: check the port, or write mqtt://. If it "
           "wants another certificate of ours, its log says so.";
  }
  static bool delivers(const std::string &uri) {
    PlayingSink sink(uri);
    sink.push(0, 300);
    return sink.drain() && sink.number("delivered") == 300;
  }

  static Authority *ours_;
  static Authority *theirs_;
};

Authority *MqttTls::ours_ = nullptr;
Authority *MqttTls::theirs_ = nullptr;

TEST_F(MqttTls, DeliversToATrustedBroker) {
  Mosquitto broker(with("good"));
  ASSERT_TRUE(broker.start());
  EXPECT_TRUE(delivers("mqtts://" + broker.host() + "/?ca-file=" + ours_->certificate()));
  EXPECT_NE(broker.log().find("(p5, "), std::string::npos) << broker.log();
}

TEST_F(MqttTls, RefusesAnotherAuthority) {
  Mosquitto broker(with("good"));
  ASSERT_TRUE(broker.start());
  const std::string certificate = "The certificate of the broker at " + broker.host();
  for (const std::string &query : {"ca-file=" + theirs_->certificate(), std::string("qos=1")}) {
    const std::string reason = refusal(broker, query);
    EXPECT_TRUE(reason.starts_with(certificate + " is not trusted (")) << reason;
    EXPECT_TRUE(reason.ends_with("): name the file of who signed it with ca-file=.")) << reason;
  }
}

TEST_F(MqttTls, RefusesAnExpiredCertificate) {
  Mosquitto broker(with("expired"));
  ASSERT_TRUE(broker.start());
  EXPECT_EQ(refusal(broker, "ca-file=" + ours_->certificate()),
            "The certificate of the broker at " + broker.host() +
                " has expired: renew it there, or set the clock here.");
}

TEST_F(MqttTls, RefusesAnotherHost) {
  Mosquitto broker(with("elsewhere"));
  ASSERT_TRUE(broker.start());
  EXPECT_EQ(refusal(broker, "ca-file=" + ours_->certificate()),
            "The certificate of the broker at " + broker.host() +
                " is for another host: write the name that is in it.");
  EXPECT_TRUE(delivers("mqtts://" + broker.host() + "/?insecure=1"));
}

TEST_F(MqttTls, ShowsItsCertificate) {
  Mosquitto broker(with("good", "cafile " + ours_->certificate() + "\nrequire_certificate true\n"));
  ASSERT_TRUE(broker.start());
  const std::string ca = "ca-file=" + ours_->certificate();
  const std::string name = "The broker at " + broker.host();
  // With TLS 1.3 the end of the connection may overtake the broker's reason.
  const auto refuses = [&](const std::string &query, const std::string &sentence) {
    const std::string reason = refusal(broker, query);
    EXPECT_TRUE(reason == sentence || reason == cut_off(broker)) << reason;
  };
  refuses(ca, name + " wants a certificate of ours: name its files with cert-file= and key-file=.");
  const std::string ours = "&cert-file=" + file("client.crt") + "&key-file=";
  EXPECT_TRUE(delivers("mqtts://" + broker.host() + "/?" + ca + ours + file("client.key")));
  EXPECT_EQ(refusal(broker, ca + ours + file("good.key")),
            "The key file \"" + file("good.key") + "\" belongs to another certificate.");
  refuses(ca + "&cert-file=" + theirs_->certificate() + "&key-file=" + (*theirs_ / "ca.key"),
          name + " does not trust our certificate: check cert-file= and who signed it.");

  std::filesystem::permissions(file("client.key"), std::filesystem::perms(0644));
  EXPECT_EQ(refusal(broker, ca + ours + file("client.key")),
            "The key file \"" + file("client.key") +
                "\" is open to everybody on this machine: run chmod o-rwx " + file("client.key") +
                ".");
  std::filesystem::permissions(file("client.key"), std::filesystem::perms(0600));
}

TEST_F(MqttTls, SaysWhichFileIsMissing) {
  Mosquitto broker(with("good"));
  ASSERT_TRUE(broker.start());
  EXPECT_EQ(refusal(broker, "ca-file=/no/such/file"),
            "The CA file \"/no/such/file\" cannot be read: No such file or directory.");
  EXPECT_EQ(refusal(broker, "ca-file=" + file("ca.key")),
            "The CA file \"" + file("ca.key") + "\" holds no certificate in PEM.");
  EXPECT_EQ(refusal(broker, "cert-file=/no/such/file&key-file=/no/such/file"),
            "The certificate file \"/no/such/file\" cannot be read: No such file or directory.");
}

TEST_F(MqttTls, SaysThatThereIsNoTls) {
  Mosquitto broker;
  ASSERT_TRUE(broker.start());
  const std::string why = refusal(broker, "ca-file=" + ours_->certificate());
  EXPECT_EQ(why, cut_off(broker));
}

// Not a test: what the next one runs in a process of its own, with everything logged.
TEST(Child, DISABLED_DeliversWithAPassword) {
  PlayingSink sink(std::getenv("NPC_TEST_UPDATERS"));
  sink.push(0, 10);
  const bool connected = std::string(std::getenv("NPC_TEST_STATE")) == "connected";
  if (!connected)
    sink.set_drain_timeout(0);
  std::printf("%s\n", sink.wait_for(std::getenv("NPC_TEST_STATE")).c_str());
  std::printf("%s\n", content_of("/proc/self/cmdline").c_str());
  std::printf("%s\n", content_of("/proc/self/environ").c_str());
  EXPECT_EQ(sink.drain(), connected);
}

TEST_F(MqttTls, ThePasswordIsNowhere) {
  TemporaryDirectory directory;
  const std::string users = directory / "users";
  std::ofstream(users).close();
  ASSERT_EQ(Process({"mosquitto_passwd", "-b", users, "me", kPassword}, directory / "log").wait(),
            0);
  Mosquitto broker(with("good", "password_file " + users + "\n") + "allow_anonymous false\n");
  ASSERT_TRUE(broker.start());
  const std::string password = directory / "password";
  const std::string uri = "mqtts://me@" + broker.host() + "/?ca-file=" + ours_->certificate() +
                          "&password-file=" + password;
  for (const std::string &state : {std::string("connected"), std::string("disconnected")}) {
    const std::string written = state == "connected" ? kPassword : std::string("x") + kPassword;
    std::filesystem::remove(password);
    std::ofstream(password) << written << "\n";
    std::filesystem::permissions(password, std::filesystem::perms(0600));
    Process child(
        {"/usr/bin/env", "NPC_TEST_UPDATERS=" + uri, "NPC_TEST_STATE=" + state, "GST_DEBUG=9",
         "GST_DEBUG_NO_COLOR=1", std::string(std::filesystem::read_symlink("/proc/self/exe")),
         "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
        directory / state);
    EXPECT_EQ(child.wait(), 0) << state;
    const std::string output = content_of(directory / state);
    EXPECT_NE(output.find("npcsink"), std::string::npos);
    EXPECT_EQ(output.find(kPassword), std::string::npos) << state;
    if (state == "disconnected") {
      EXPECT_NE(output.find("refused the user name or the password"), std::string::npos);
    }
  }
}

}  // namespace
