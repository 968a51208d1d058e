// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink against a real InfluxDB that is absent, killed, frozen or refuses.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "npcsink/updaters/registry.h"
#include "support/authority.h"
#include "support/influxd.h"
#include "support/playingsink.h"
#include "support/waiting.h"

namespace {

using npc::sink::DeliveryResult;
using npc::sink::Record;
using npc::test::Authority;
using npc::test::eventually;
using npc::test::Influxd;
using npc::test::PlayingSink;
using npc::test::TemporaryDirectory;

constexpr guint64 kFirstTime = 1767225600000;

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// As npcsink makes them, but for the text.
std::vector<Record> plain_records(int count) {
  std::vector<Record> all;
  for (int seq = 0; seq < count; seq++) {
    Record record;
    record.site = "home";
    record.camera = "door";
    record.line_protocol = "npc,camera=door,site=home people=1i,seq=" + std::to_string(seq) + "i " +
                           std::to_string(kFirstTime + static_cast<guint64>(seq)) + "000000";
    all.push_back(record);
  }
  return all;
}

std::unique_ptr<npc::sink::Updater> make(const std::string &uri) {
  return npc::sink::Registry::standard().make(uri);
}

class Influx : public testing::Test {
 protected:
  void SetUp() override {
    for (const char *program : {"influxd", "openssl"}) {
      if (!npc::test::have_program(program))
        GTEST_SKIP() << program << " is not installed (packages influxdb, openssl)";
    }
  }
  static bool start(Influxd &influxd) {
    return influxd.start() &&
           influxd.query("CREATE DATABASE npc").find("error") == std::string::npos;
  }
};

TEST_F(Influx, GetsEachRecordAsPoints) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  PlayingSink sink("influxdb://" + influxd.host() + "/npc");
  sink.push(0, 12000);
  sink.wait_for("connected");
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(sink.number("delivered"), 12000u);
  EXPECT_EQ(influxd.sequence(), numbers(12000));
  const std::string last = influxd.query(
      "SELECT people, boot, interval FROM npc WHERE camera = 'door' AND site = 'home' AND seq = 7");
  EXPECT_NE(last.find("[1767225614000905174,7,\"5f0c\",2000]"), std::string::npos) << last;
  EXPECT_FALSE(sink.posted_an_error());
}

// As after a clock is set back, and on a board without a clock.
TEST_F(Influx, GetsEachRecordOfOneTime) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  PlayingSink sink("influxdb://" + influxd.host() + "/npc");
  int number = 0;
  for (const char *run : {R"("aaaaaaaaaaaaaaaa","seq":7)", R"("aaaaaaaaaaaaaaaa","seq":8)",
                          R"("bbbbbbbbbbbbbbbb","seq":7)"}) {
    sink.push(npc::test::text_buffer(
        std::string(R"({"version":1,"site":"home","camera":"door","boot":)") + run +
        R"(,"time":1700000001000,"interval":1000,"people":)" + std::to_string(number++) +
        R"(,"zones":{"queue":{"people":1}}})"));
  }
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd.sequence().size(), 3u);
  EXPECT_NE(influxd.query("SELECT sum(people), count(people) FROM npc").find(",3,3]"),
            std::string::npos);
  EXPECT_NE(influxd.query("SELECT sum(people), count(people) FROM npc_zone").find(",3,3]"),
            std::string::npos);
}

TEST_F(Influx, WritesIntoARetentionPolicy) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  PlayingSink sink("influxdb://" + influxd.host() + "/npc?rp=ten%20years");
  sink.push(0, 10);
  EXPECT_EQ(sink.wait_for("disconnected"),
            "The database \"npc\" of InfluxDB at " + influxd.host() +
                " has no retention policy \"ten years\": create it: influx -execute 'CREATE "
                "RETENTION POLICY \"ten years\" ON \"npc\" DURATION 52w REPLICATION 1'.");
  influxd.query(R"(CREATE RETENTION POLICY "ten years" ON "npc" DURATION 520w REPLICATION 1)");
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd.query("SELECT seq FROM npc").find("values"), std::string::npos);
  const std::string answer = influxd.query(R"(SELECT count(seq) FROM "ten years".npc)");
  EXPECT_NE(answer.find(",10]"), std::string::npos) << answer;
}

TEST_F(Influx, LosesNothingAndDoublesNothingWhenItIsKilled) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  PlayingSink sink("influxdb://" + influxd.host() + "/npc");
  guint64 seq = 0;
  for (int kill = 0; kill < 3; kill++) {
    sink.push(seq, seq + 2000);
    seq += 2000;
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") + 1900 > seq; }));
    influxd.kill();
    sink.push(seq, seq + 200);
    seq += 200;
    ASSERT_TRUE(influxd.start());
  }
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd.sequence(), numbers(static_cast<int>(seq)));
  EXPECT_FALSE(sink.posted_an_error());
}

TEST_F(Influx, MayComeLater) {
  Influxd influxd;
  PlayingSink sink("influxdb://" + influxd.host() + "/npc");
  sink.push(0, 100);
  EXPECT_EQ(sink.wait_for("disconnected"), "There is nothing to reach at " + influxd.host() +
                                               ": check the host and the port, and whether it "
                                               "runs.");
  ASSERT_TRUE(influxd.start());
  EXPECT_EQ(sink.wait_for("disconnected"),
            "InfluxDB at " + influxd.host() +
                " has no database \"npc\": create it: influx -execute 'CREATE DATABASE \"npc\"'.");
  influxd.query("CREATE DATABASE npc");
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd.sequence(), numbers(100));
}

TEST_F(Influx, IsNotVersion2) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  std::ofstream(influxd.directory() / "token") << "token\n";
  const auto updater = make("influxdb://" + influxd.host() +
                            "/?org=o&bucket=b&token-file=" + (influxd.directory() / "token"));
  EXPECT_EQ(updater->connect({}, {}).error(), "What is at " + influxd.host() +
                                                  " is not InfluxDB 2: for InfluxDB 1 write "
                                                  "influxdb://host/database.");
}

TEST_F(Influx, RefusesWrongCredentialsAndTakesTheRightOnes) {
  Influxd influxd("auth-enabled = true\n");
  ASSERT_TRUE(influxd.start());
  const std::string admin = "admin:a1b2";
  influxd.query("CREATE USER admin WITH PASSWORD 'a1b2' WITH ALL PRIVILEGES");
  influxd.query("CREATE DATABASE npc", admin);
  influxd.query("CREATE USER me WITH PASSWORD 'right:secret'", admin);

  const std::string base = "influxdb://" + influxd.host() + "/npc";
  EXPECT_EQ(make(base)->connect({}, {}).error(),
            "InfluxDB at " + influxd.host() +
                " wants a user name and a password: write "
                "influxdb://user@host/database?password-file=/path/to/file.");

  const std::string password = influxd.directory() / "password";
  const std::string uri = "influxdb://me@" + influxd.host() + "/npc?password-file=" + password;
  const auto updater = make(uri);
  EXPECT_EQ(updater->connect({}, {}).error(),
            "The password file \"" + password + "\" cannot be read: No such file or directory.");
  std::ofstream(password) << "wrong\n";
  const std::string refused = "InfluxDB at " + influxd.host() +
                              " refused the user name or the password: check the user in the URI "
                              "and what is in the password file.";
  EXPECT_EQ(updater->connect({}, {}).error(), refused);
  // The same password is not tried again for a minute: the server does not hear of it.
  const auto asked = [&] {
    std::size_t count = 0;
    const std::string log = influxd.log();
    for (auto at = log.find("POST /write"); at != log.npos; at = log.find("POST /write", at + 1))
      count++;
    return count;
  };
  ASSERT_TRUE(eventually([&] { return asked() == 2; })) << influxd.log();
  EXPECT_EQ(updater->connect({}, {}).error(), refused);
  EXPECT_EQ(asked(), 2u);

  std::ofstream(password) << "right:secret\n";
  EXPECT_EQ(updater->connect({}, {}).error(),
            "The user \"me\" may not write to the database \"npc\" of "
            "InfluxDB at " +
                influxd.host() +
                ": run the statement GRANT WRITE ON \"npc\" TO \"me\" "
                "there.");
  influxd.query("GRANT WRITE ON npc TO me", admin);
  PlayingSink sink(uri);
  sink.push(0, 10);
  EXPECT_TRUE(sink.drain());
  EXPECT_NE(influxd.query("SELECT COUNT(seq) FROM npc", admin).find(",10]"), std::string::npos);
}

TEST_F(Influx, SetsABadLineAmong5000Aside) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  const auto updater = make("influxdb://" + influxd.host() + "/npc");
  auto records = plain_records(5000);
  EXPECT_GE(updater->batch(), records.size());
  records[1717].line_protocol = "npc,camera=door,site=home people=,seq=1717i 1";
  records[4000].line_protocol =
      "npc,camera=door,site=home people=1.5,seq=4000i 1767225604000000000";
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  const DeliveryResult outcome = updater->deliver(records, {}, {});
  EXPECT_EQ(outcome.confirmed, 5000u);
  EXPECT_EQ(outcome.status.error(), "");
  ASSERT_EQ(outcome.refused.size(), 2u);
  EXPECT_EQ(outcome.refused[0].index, 1717u);
  EXPECT_EQ(outcome.refused[0].error,
            "InfluxDB at " + influxd.host() + " refused the record: missing field value.");
  EXPECT_EQ(outcome.refused[1].index, 4000u);
  EXPECT_NE(outcome.refused[1].error.find("field type conflict"), std::string::npos);
  auto expected = numbers(5000);
  expected.erase(expected.begin() + 4000);
  expected.erase(expected.begin() + 1717);
  EXPECT_EQ(influxd.sequence(), expected);
}

TEST_F(Influx, SetsAsideWhatIsOlderThanItsRetention) {
  Influxd influxd;
  ASSERT_TRUE(influxd.start());
  influxd.query("CREATE DATABASE npc WITH DURATION 1d NAME short");
  const auto updater = make("influxdb://" + influxd.host() + "/npc");
  const auto records = plain_records(1000);
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  const DeliveryResult outcome = updater->deliver(records, {}, {});
  EXPECT_EQ(outcome.confirmed, 1000u);
  EXPECT_EQ(outcome.refused.size(), 1000u);
}

TEST_F(Influx, SplitsWhatIsTooLarge) {
  Influxd influxd("max-body-size = 4000\n");
  ASSERT_TRUE(start(influxd));
  const auto updater = make("influxdb://" + influxd.host() + "/npc");
  const auto records = plain_records(1000);
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  EXPECT_EQ(updater->deliver(records, {}, {}).confirmed, 1000u);
  EXPECT_EQ(influxd.sequence(), numbers(1000));
}

TEST_F(Influx, DoesNotHoldUpAStopWhenItIsFrozen) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  const auto updater = make("influxdb://" + influxd.host() + "/npc");
  const auto records = plain_records(10);
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  influxd.signal(SIGSTOP);
  DeliveryResult outcome;
  {
    std::jthread delivering(
        [&](std::stop_token stop) { outcome = updater->deliver(records, {}, stop); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  influxd.signal(SIGCONT);
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_TRUE(outcome.status.is_stopped());
}

TEST_F(Influx, IsWaitedForWhileItIsFrozen) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  TemporaryDirectory directory;
  PlayingSink sink("influxdb://" + influxd.host() + "/npc file:" + (directory / "counts"));
  sink.push(0, 10);
  ASSERT_TRUE(eventually([&] { return sink.number("delivered") == 10; }));
  influxd.signal(SIGSTOP);
  sink.push(10, 3000);
  EXPECT_TRUE(eventually([&] { return sink.number("delivered", 1) == 3000; }));
  EXPECT_GT(sink.number("pending"), 0u);
  influxd.signal(SIGCONT);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd.sequence(), numbers(3000));
}

class InfluxTls : public Influx {
 protected:
  // An InfluxDB that shows a certificate of our authority.
  std::unique_ptr<Influxd> serve(const std::string &subject, int days) {
    EXPECT_TRUE(authority_.sign("server", subject, days));
    auto influxd = std::make_unique<Influxd>(
        "https-enabled = true\nhttps-certificate = \"" + authority_ / "server.crt" +
        "\"\nhttps-private-key = \"" + authority_ / "server.key" + "\"\n");
    EXPECT_TRUE(start(*influxd));
    return influxd;
  }
  static std::string connect(const std::string &uri) { return make(uri)->connect({}, {}).error(); }

  Authority authority_;
};

TEST_F(InfluxTls, TrustsOnlyTheAuthorityThatIsNamed) {
  const auto influxd = serve("IP:127.0.0.1", 2);
  const std::string uri = "influxdbs://" + influxd->host() + "/npc";
  PlayingSink sink(uri + "?ca-file=" + authority_.certificate());
  sink.push(0, 100);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(influxd->sequence(), numbers(100));

  const std::string refused = "The certificate of " + influxd->host() + " is refused: ";
  EXPECT_TRUE(connect(uri).starts_with(refused)) << connect(uri);
  const Authority other;
  const std::string wrong = uri + "?ca-file=" + other.certificate();
  EXPECT_TRUE(connect(wrong).starts_with(refused)) << connect(wrong);
  // Nobody writes to the pipe.
  const std::string pipe = influxd->directory() / "pipe", empty = influxd->directory() / "empty";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::ofstream(empty).flush();
  const std::pair<std::string, std::string> files[] = {
      {"/nowhere", "cannot be read: No such file or directory."},
      {pipe, "is not a file, but a directory, a pipe or a device."},
      {empty, "holds no certificate in PEM."}};
  for (const auto &[file, why] : files)
    EXPECT_EQ(connect(uri + "?ca-file=" + file), "The CA file \"" + file + "\" " + why);
  EXPECT_EQ(connect(uri + "?insecure=1"), "");
  EXPECT_EQ(connect("influxdb://" + influxd->host() + "/npc"),
            "What is at " + influxd->host() + " speaks TLS: write influxdbs:// for influxdb://.");
}

TEST_F(InfluxTls, RefusesTheCertificateOfAnother) {
  const auto influxd = serve("DNS:example.org", 2);
  const std::string why =
      connect("influxdbs://" + influxd->host() + "/npc?ca-file=" + authority_.certificate());
  EXPECT_TRUE(why.starts_with("The certificate of " + influxd->host() + " is refused: ")) << why;
}

TEST_F(InfluxTls, RefusesACertificateThatHasExpired) {
  const auto influxd = serve("IP:127.0.0.1", -1);
  const std::string why =
      connect("influxdbs://" + influxd->host() + "/npc?ca-file=" + authority_.certificate());
  EXPECT_NE(why.find("expired"), std::string::npos) << why;
}

TEST_F(InfluxTls, NeedsAServerThatSpeaksIt) {
  Influxd influxd;
  ASSERT_TRUE(start(influxd));
  const std::string why = connect("influxdbs://" + influxd.host() + "/npc");
  EXPECT_TRUE(why.starts_with("There is no TLS connection to " + influxd.host())) << why;
}

}  // namespace
