// SPDX-License-Identifier: LGPL-2.1-or-later
// The influxdb updater against a stand-in for InfluxDB 2, which Debian does not have, and its
// faults.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "npcsink/updaters/registry.h"
#include "support/influxd.h"
#include "support/numbered.h"
#include "support/playingsink.h"
#include "support/waiting.h"
#include "transport/http/http.h"

namespace {

using npc::sink::DeliveryResult;
using npc::sink::Record;
using npc::test::eventually;
using npc::test::InfluxFake;
using npc::test::numbered;
using npc::test::PlayingSink;
using std::chrono::milliseconds;
using std::chrono::seconds;

class InfluxFaults : public testing::Test {
 protected:
  void SetUp() override {
    if (!npc::test::have_program("python3"))
      GTEST_SKIP() << "python3 is not installed";
    ASSERT_TRUE(fake_.started());
    updater_ = npc::sink::Registry::standard().make(fake_.uri());
    for (int i = 0; i < 100; i++)
      records_.push_back(numbered(i));
  }

  DeliveryResult deliver() { return updater_->deliver(records_, {}, {}); }

  // What the requests were, without their connection.
  std::vector<std::string> requests() const {
    std::vector<std::string> all;
    for (const std::string &request : fake_.requests())
      all.push_back(request.substr(request.find(' ') + 1));
    return all;
  }

  InfluxFake fake_;
  std::unique_ptr<npc::sink::Updater> updater_;
  std::vector<Record> records_;
};

TEST_F(InfluxFaults, DoNotComeBetweenUsAndARightServer) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(deliver().confirmed, 100u);
  EXPECT_EQ(fake_.lines().size(), 300u);
  EXPECT_EQ(fake_.lines()[5], records_[5].line_protocol);
  std::set<std::string> connections;
  for (const std::string &request : fake_.requests())
    connections.insert(request.substr(0, request.find(' ')));
  EXPECT_EQ(connections.size(), 1u);
  updater_->close();

  PlayingSink sink(fake_.uri());
  sink.push(0, 10);
  EXPECT_TRUE(sink.drain());
  EXPECT_EQ(fake_.lines().size(), 310u);
}

TEST_F(InfluxFaults, OfTheTokenAreSaid) {
  std::ofstream(fake_.directory() / "other") << "another\n";
  const std::string other =
      "influxdb://" + fake_.host() +
      "/?org=my%20home&bucket=npc&token-file=" + (fake_.directory() / "other");
  EXPECT_EQ(npc::sink::Registry::standard().make(other)->connect({}, {}).error(),
            "InfluxDB at " + fake_.host() +
                " refused the token: check what is in the token file, and that the token may write "
                "to the bucket \"npc\" of the organization \"my home\".");

  // While it runs.
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  std::ofstream(fake_.token_file()) << "changed\n";
  const DeliveryResult outcome = deliver();
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.pause, seconds(60));
  EXPECT_TRUE(
      outcome.status.error().starts_with("InfluxDB at " + fake_.host() + " refused the token"))
      << outcome.status.error();
  // The file is read anew, and a new token is tried at once.
  EXPECT_EQ(updater_->connect({}, {}).error(), "");
  EXPECT_EQ(deliver().confirmed, 100u);
}

TEST_F(InfluxFaults, OfTheBucketAreSaid) {
  const std::string other = "influxdb://" + fake_.host() +
                            "/?org=my%20home&bucket=birds&token-file=" + fake_.token_file();
  EXPECT_EQ(npc::sink::Registry::standard().make(other)->connect({}, {}).error(),
            "InfluxDB at " + fake_.host() +
                " has not the bucket \"birds\" of the organization \"my home\": check the names "
                "(bucket not found), or create it: influx bucket create --org 'my home' --name "
                "'birds'.");
}

TEST_F(InfluxFaults, AskForAPause) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  fake_.tell({R"({"status":429,"headers":{"Retry-After":"17"}})"});
  DeliveryResult outcome = deliver();
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.status.error(), "InfluxDB at " + fake_.host() + " asks for fewer requests.");
  EXPECT_EQ(outcome.pause, seconds(17));
  // Even if somebody is in a hurry.
  EXPECT_EQ(updater_->connect({}, {}).error(), outcome.status.error());
  EXPECT_EQ(requests().size(), 1u);
}

TEST_F(InfluxFaults, AskForAPauseUntilADate) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  const std::time_t then = std::time(nullptr) + 1000;
  char date[64];
  std::strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&then));
  fake_.tell({std::string(R"({"status":503,"headers":{"Retry-After":")") + date + "\"}}"});
  const DeliveryResult outcome = deliver();
  EXPECT_EQ(outcome.status.error(), "InfluxDB at " + fake_.host() + " is overloaded or starts.");
  EXPECT_GT(outcome.pause, seconds(900));
  EXPECT_LE(outcome.pause, seconds(1000));
}

TEST_F(InfluxFaults, WithoutAPauseAreTriedAgain) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  fake_.tell({R"({"status":500,"body":"{\"code\":\"internal error\",\"message\":\"timeout\"}"})",
              R"({"status":503,"headers":{"Retry-After":"soon"}})",
              R"({"status":307,"headers":{"Location":"http://127.0.0.1:1/elsewhere"}})"});
  for (const std::string &why :
       {"InfluxDB at " + fake_.host() + " answered 500: timeout.",
        "InfluxDB at " + fake_.host() + " is overloaded or starts.",
        "What is at " + fake_.host() +
            " sends us to http://127.0.0.1:1/elsewhere: write that host in the URI if it is the "
            "right one."}) {
    const DeliveryResult outcome = deliver();
    EXPECT_EQ(outcome.confirmed, 0u);
    EXPECT_EQ(outcome.status.error(), why);
    EXPECT_EQ(outcome.pause, milliseconds(0));
    ASSERT_EQ(updater_->connect({}, {}).error(), "");
  }
  EXPECT_EQ(deliver().confirmed, 100u);
}

TEST_F(InfluxFaults, OfSizeAreSplit) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  fake_.tell({R"({"status":413})", R"({"status":413})"});
  EXPECT_EQ(deliver().confirmed, 100u);
  EXPECT_EQ(requests(),
            (std::vector<std::string>{"100 413", "50 413", "25 204", "25 204", "50 204"}));
  EXPECT_EQ(deliver().confirmed, 100u);
  EXPECT_EQ(requests().size(), 9u);  // Now at most 25 at once.
}

TEST_F(InfluxFaults, OfALineAreSetAside) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  fake_.tell({R"({"status":400,"body":"{\"code\":\"invalid\",\"message\":\"unable to parse ')" +
              records_[7].line_protocol + R"(': bad timestamp\"}"})"});
  const DeliveryResult outcome = deliver();
  EXPECT_EQ(outcome.confirmed, 100u);
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].index, 7u);
  EXPECT_EQ(outcome.refused[0].error,
            "InfluxDB at " + fake_.host() + " refused the record: bad timestamp.");
  EXPECT_EQ(requests(), (std::vector<std::string>{"100 400", "99 204"}));
}

TEST_F(InfluxFaults, OfAServerThatDripsEnd) {
  npc::http::HttpSettings settings;
  settings.server = fake_.host();
  settings.token = npc::test::content_of(fake_.token_file());
  settings.token.resize(settings.token.find_last_not_of('\n') + 1);
  settings.timeout = milliseconds(500);
  npc::http::HttpClient client(settings);
  fake_.tell({R"({"drip":true})"});
  const std::string url =
      "http://" + fake_.host() + "/api/v2/write?org=my%20home&bucket=npc&precision=ns";
  const std::string lines = npc::http::gzipped(records_[0].line_protocol + "\n");
  npc::http::HttpAnswer answer = client.post(url, lines, true, {});
  EXPECT_EQ(answer.status, 0);
  EXPECT_TRUE(answer.slow);
  EXPECT_EQ(answer.result.error(),
            "What is at " + fake_.host() +
                " is too slow: a request was not answered in time, so smaller ones "
                "follow.");
}

TEST_F(InfluxFaults, OfAServerThatHangsDoNotHoldUpAStop) {
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  fake_.tell({R"({"hang":true})"});
  DeliveryResult outcome;
  {
    std::jthread delivering(
        [&](std::stop_token stop) { outcome = updater_->deliver(records_, {}, stop); });
    ASSERT_TRUE(eventually([&] { return !requests().empty(); }));
  }
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_TRUE(outcome.status.is_stopped());
}

TEST(InfluxHosts, ThatNobodyAnswersForDoNotHoldUpAStop) {
  // An address that is for documentation only.
  const auto updater = npc::sink::Registry::standard().make("influxdb://192.0.2.1/npc");
  npc::Status status;
  {
    std::jthread connecting([&](std::stop_token stop) { status = updater->connect({}, stop); });
    std::this_thread::sleep_for(milliseconds(50));
  }
  // Without a route it fails at once.
  EXPECT_TRUE(status.is_stopped() || status.error().starts_with("There is nothing to reach"))
      << status.error();
}

// Not a test: what the next one runs in a process of its own.
TEST(Child, DISABLED_IsRefusedOnce) {
  PlayingSink sink(std::getenv("NPC_TEST_UPDATERS"));
  sink.push(0, 10);
  sink.wait_for("disconnected");
  sink.retry_now();
}

TEST_F(InfluxFaults, DoNotMakeUsTalk) {
  fake_.tell({R"({"status":401})", R"({"status":500})"});
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string output = fake_.directory() / "output";
  npc::test::Process child({"/usr/bin/env", "GST_DEBUG=9", "NPC_TEST_UPDATERS=" + fake_.uri(), self,
                            "--gtest_also_run_disabled_tests", "--gtest_filter=Child.*"},
                           output);
  EXPECT_EQ(child.wait(), 0);
  const std::string log = npc::test::content_of(output);
  EXPECT_NE(log.find("refused\\ the\\ token"), std::string::npos);
  EXPECT_EQ(log.find("s3cr3t"), std::string::npos);
}

}  // namespace
