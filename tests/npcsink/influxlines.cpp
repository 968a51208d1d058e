// SPDX-License-Identifier: LGPL-2.1-or-later
// How records become requests to InfluxDB, and what its answers mean.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "npcsink/updaters/influxdb/influxlines.h"
#include "support/numbered.h"

namespace {

using npc::http::HttpAnswer;
using npc::sink::DeliveryResult;
using npc::sink::InfluxLines;
using npc::sink::InfluxTarget;
using npc::sink::InfluxVerdict;
using npc::sink::Record;
using npc::test::numbered;
using Kind = InfluxVerdict::Kind;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

InfluxTarget database() {
  return {.server = "host:8086",
          .database = "npc",
          .policy = {},
          .org = {},
          .bucket = {},
          .user = "me"};
}

InfluxTarget bucket() {
  return {.server = "host:8086",
          .database = {},
          .policy = {},
          .org = "home",
          .bucket = "npc",
          .user = {}};
}

// What a database would do, by the rules that a test sets.
class InfluxLinesTest : public testing::Test {
 protected:
  std::vector<Record> records(int count) {
    std::vector<Record> all;
    for (int i = 0; i < count; i++)
      all.push_back(numbered(i));
    return all;
  }

  InfluxVerdict take(std::string_view text) {
    requests_++;
    std::vector<std::string> lines;
    std::istringstream stream{std::string(text)};
    for (std::string line; std::getline(stream, line);)
      lines.push_back(line);
    sizes_.push_back(lines.size());
    if (requests_ == fail_at_)
      return {Kind::kFailed, "Lost.", seconds(7), {}};
    if (lines.size() > limit_)
      return {Kind::kTooLarge, "Too large."};
    InfluxVerdict verdict;
    for (const std::string &line : lines) {
      if (bad_.contains(line)) {
        verdict.kind = Kind::kBadLines;
        verdict.error = "Some are bad.";
        if (names_them_)
          verdict.bad_lines.emplace(line, "This one.");
      }
    }
    if (verdict.kind == Kind::kTaken)
      taken_.insert(taken_.end(), lines.begin(), lines.end());
    return verdict;
  }

  DeliveryResult write(const std::vector<Record> &records) {
    return lines_.write(records, [this](std::string_view text) { return take(text); });
  }

  void expect_all_but(const std::vector<Record> &records, const DeliveryResult &outcome,
                      const std::set<std::size_t> &refused) {
    EXPECT_EQ(outcome.confirmed, records.size());
    EXPECT_EQ(outcome.status.error(), "");
    std::set<std::size_t> indices;
    for (const auto &one : outcome.refused)
      indices.insert(one.index);
    EXPECT_EQ(indices, refused);
    EXPECT_EQ(outcome.refused.size(), refused.size());
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < records.size(); i++) {
      if (!refused.contains(i))
        expected.push_back(records[i].line_protocol);
    }
    EXPECT_EQ(taken_, expected);
  }

  InfluxLines lines_;
  std::set<std::string> bad_;
  bool names_them_ = false;
  std::size_t limit_ = 100000;
  int fail_at_ = 0;
  int requests_ = 0;
  std::vector<std::size_t> sizes_;
  std::vector<std::string> taken_;
};

TEST_F(InfluxLinesTest, SendsAtMost5000LinesAtOnce) {
  std::vector<Record> all = records(5001);
  expect_all_but(all, write(all), {});
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{5000, 1}));

  // A record of several lines is never torn.
  sizes_.clear();
  for (Record &record : all)
    record.line_protocol += "\nnpc_line x=1i\nnpc_zone x=1i";
  EXPECT_EQ(write(all).confirmed, 5001u);
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{4998, 4998, 4998, 9}));
}

TEST_F(InfluxLinesTest, SetsNamedLinesAside) {
  const auto all = records(5000);
  names_them_ = true;
  bad_ = {all[0].line_protocol, all[77].line_protocol, all[4999].line_protocol};
  const DeliveryResult outcome = write(all);
  expect_all_but(all, outcome, {0, 77, 4999});
  EXPECT_EQ(outcome.refused[1].error, "This one.");
  EXPECT_EQ(requests_, 2);
}

TEST_F(InfluxLinesTest, SearchesForUnnamedLinesByHalves) {
  const auto all = records(5000);
  bad_ = {all[1234].line_protocol, all[4321].line_protocol};
  const DeliveryResult outcome = write(all);
  expect_all_but(all, outcome, {1234, 4321});
  EXPECT_EQ(outcome.refused[0].error, "Some are bad.");
  EXPECT_LE(requests_, 60);
}

TEST_F(InfluxLinesTest, SetsTheWholeRecordOfABadLineAside) {
  auto all = records(10);
  all[3].line_protocol += "\nbad";
  names_them_ = true;
  bad_ = {"bad"};
  expect_all_but(all, write(all), {3});
}

TEST_F(InfluxLinesTest, SurvivesNothingButBadLines) {
  const auto all = records(300);
  for (const Record &record : all)
    bad_.insert(record.line_protocol);
  const DeliveryResult outcome = write(all);
  EXPECT_EQ(outcome.confirmed, 300u);
  EXPECT_EQ(outcome.refused.size(), 300u);
  names_them_ = true;
  EXPECT_EQ(write(all).refused.size(), 300u);
  EXPECT_TRUE(taken_.empty());
}

TEST_F(InfluxLinesTest, SendsLessAfterARequestThatWasTooLarge) {
  const auto all = records(5000);
  limit_ = 700;
  expect_all_but(all, write(all), {});
  requests_ = 0;
  taken_.clear();
  expect_all_but(all, write(all), {});
  EXPECT_EQ(requests_, 8);  // 625 lines each: none is sent twice.
}

TEST_F(InfluxLinesTest, FailsIfOneRecordIsTooLarge) {
  limit_ = 0;
  const DeliveryResult outcome = write(records(3));
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.status.error(), "Too large.");
  EXPECT_TRUE(outcome.refused.empty());
}

TEST_F(InfluxLinesTest, KeepsWhatWasTakenBeforeAFailure) {
  const auto all = records(12000);
  bad_ = {all[10].line_protocol, all[5500].line_protocol};
  names_them_ = true;
  fail_at_ = 4;  // The second try of the second 5000.
  const DeliveryResult outcome = write(all);
  EXPECT_EQ(outcome.confirmed, 5000u);
  EXPECT_EQ(outcome.status.error(), "Lost.");
  EXPECT_EQ(outcome.pause, seconds(7));
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].index, 10u);
}

TEST_F(InfluxLinesTest, EndsAtARequestThatIsStopped) {
  const auto all = records(10001);
  const DeliveryResult outcome = lines_.write(all, [this](std::string_view text) {
    return requests_ == 1 ? InfluxVerdict{Kind::kStopped, {}} : take(text);
  });
  EXPECT_EQ(outcome.confirmed, 5000u);
  EXPECT_TRUE(outcome.status.is_stopped());
}

HttpAnswer answer(long status, const std::string &body = {}, seconds retry_after = seconds(0)) {
  HttpAnswer made;
  made.status = status;
  made.body = body;
  made.retry_after = retry_after;
  return made;
}

struct Case {
  const char *name;
  HttpAnswer answer;
  InfluxTarget place;
  Kind kind;
  const char *error;
  milliseconds pause = milliseconds(0);
};

class Judgements : public testing::TestWithParam<Case> {};

TEST_P(Judgements, AreRight) {
  const InfluxVerdict verdict = npc::sink::judge_lines(GetParam().answer, GetParam().place);
  EXPECT_EQ(verdict.kind, GetParam().kind) << verdict.error;
  EXPECT_EQ(verdict.error, GetParam().error);
  EXPECT_EQ(verdict.pause, GetParam().pause);
}

HttpAnswer redirect(const std::string &to) {
  HttpAnswer made = answer(301);
  made.redirect = to;
  return made;
}

HttpAnswer no_answer(const std::string &why) {
  HttpAnswer made;
  made.result = npc::Status::failed(why);
  return made;
}

INSTANTIATE_TEST_SUITE_P(
    All, Judgements,
    testing::Values(
        Case{"NoContent", answer(204), database(), Kind::kTaken, ""},
        Case{"LoginPage", answer(200, "<html>Welcome</html>"), database(), Kind::kFailed,
             "What is at host:8086 answered 200, which is not how InfluxDB confirms: check the "
             "host and the port, and whether a proxy or a login page answers for it."},
        Case{"Silence", no_answer("Gone."), database(), Kind::kFailed, "Gone."},
        Case{"TypeConflict",
             answer(400, R"({"error":"partial write: field type conflict: x dropped=1"})"),
             database(), Kind::kBadLines,
             "InfluxDB at host:8086 refused the record: partial write: field type conflict: x."},
        Case{"TypeConflictOf2",
             answer(422, R"({"code":"unprocessable entity","message":"failure writing points to )"
                         R"(database: partial write: field type conflict: x"})"),
             bucket(), Kind::kBadLines,
             "InfluxDB at host:8086 refused the record: failure writing points to database: "
             "partial write: field type conflict: x."},
        Case{"TooOld",
             answer(400, R"({"error":"partial write: points beyond retention policy dropped=1"})"),
             database(), Kind::kBadLines,
             "InfluxDB at host:8086 refused the record: partial write: points beyond retention "
             "policy."},
        // Whatever is not about lines must not cost one.
        Case{"Limit", answer(400, R"({"error":"partial write: max-series-per-database limit"})"),
             database(), Kind::kFailed,
             "InfluxDB at host:8086 answered 400: partial write: max-series-per-database limit."},
        Case{"Proxy", answer(400, "<html>unable to parse</html>"), database(), Kind::kFailed,
             "InfluxDB at host:8086 answered 400."},
        Case{"Tls", answer(400, "Client sent an HTTP request to an HTTPS server.\n"), database(),
             Kind::kFailed, "What is at host:8086 speaks TLS: write influxdbs:// for influxdb://."},
        Case{"Password", answer(401, R"({"error":"authorization failed"})"), database(),
             Kind::kFailed,
             "InfluxDB at host:8086 refused the user name or the password: check the user in the "
             "URI and what is in the password file.",
             seconds(60)},
        Case{"Token", answer(401, R"({"code":"unauthorized","message":"unauthorized access"})"),
             bucket(), Kind::kFailed,
             "InfluxDB at host:8086 refused the token: check what is in the token file, and that "
             "the token may write to the bucket \"npc\" of the organization \"home\".",
             seconds(60)},
        Case{"Forbidden", answer(403, R"({"error":"x"})"), database(), Kind::kFailed,
             "The user \"me\" may not write to the database \"npc\" of InfluxDB at host:8086: run "
             "the statement GRANT WRITE ON \"npc\" TO \"me\" there.",
             seconds(60)},
        Case{"NoDatabase", answer(404, R"({"error":"database not found: \"npc\""})"), database(),
             Kind::kFailed,
             "InfluxDB at host:8086 has no database \"npc\": create it: influx -execute 'CREATE "
             "DATABASE \"npc\"'."},
        Case{
            "NoBucket", answer(404, R"({"code":"not found","message":"bucket \"npc\" not found"})"),
            bucket(), Kind::kFailed,
            "InfluxDB at host:8086 has not the bucket \"npc\" of the organization \"home\": check "
            "the names (bucket \"npc\" not found), or create it: influx bucket create --org 'home' "
            "--name 'npc'."},
        Case{"NotVersion2", answer(404, "404 page not found\n"), bucket(), Kind::kFailed,
             "What is at host:8086 is not InfluxDB 2: for InfluxDB 1 write "
             "influxdb://host/database."},
        Case{"NotVersion1", answer(404, "404 page not found\n"), database(), Kind::kFailed,
             "What is at host:8086 is not InfluxDB 1: for InfluxDB 2 write "
             "influxdb://host/?org=…&bucket=…&token-file=…."},
        Case{"TooLarge", answer(413), database(), Kind::kTooLarge,
             "InfluxDB at host:8086 takes no request of the size of one record: raise its "
             "max-body-size, or the limit of the proxy in front of it."},
        Case{"TooMany", answer(429, "", seconds(17)), database(), Kind::kFailed,
             "InfluxDB at host:8086 asks for fewer requests.", seconds(17)},
        Case{"Overloaded", answer(503, "", hours(48)), database(), Kind::kFailed,
             "InfluxDB at host:8086 is overloaded or starts.", hours(1)},
        Case{"Crash", answer(500, R"({"error":"timeout\n\u0007é."})"), database(), Kind::kFailed,
             "InfluxDB at host:8086 answered 500: timeout."},
        Case{"Redirect", redirect("https://other/write"), database(), Kind::kFailed,
             "What is at host:8086 sends us to https://other/write: write that host in the URI if "
             "it is the right one."}),
    [](const auto &info) { return info.param.name; });

TEST(Judgement, OfAPlaceWithoutAUserNamesNone) {
  InfluxTarget place = database();
  place.user.clear();
  for (const long status : {401, 403}) {
    EXPECT_EQ(npc::sink::judge_lines(answer(status), place).error,
              "InfluxDB at host:8086 wants a user name and a password: write "
              "influxdb://user@host/database?password-file=/path/to/file.");
  }
}

TEST(Judgement, FindsTheLinesInTheError) {
  const auto verdict = npc::sink::judge_lines(
      answer(400, R"({"error":"partial write: unable to parse 'npc bad': invalid field format\n)"
                  R"(unable to parse 'npc, =2 5': missing tag key dropped=0"})"),
      database());
  EXPECT_EQ(verdict.kind, Kind::kBadLines);
  ASSERT_EQ(verdict.bad_lines.size(), 2u);
  EXPECT_EQ(verdict.bad_lines.at("npc bad"),
            "InfluxDB at host:8086 refused the record: invalid field format.");
  EXPECT_TRUE(verdict.bad_lines.contains("npc, =2 5"));

  // Cut off, as a proxy might.
  const auto cut =
      npc::sink::judge_lines(answer(400, R"({"error":"unable to parse 'npc bad"})"), database());
  EXPECT_EQ(cut.kind, Kind::kBadLines);
  EXPECT_TRUE(cut.bad_lines.empty());
}

TEST(Judgement, OfAProbeKnowsThatTwoWantsPoints) {
  const HttpAnswer empty = answer(400, R"({"code":"invalid","message":"writing requires points"})");
  EXPECT_EQ(npc::sink::judge_probe(empty, bucket()).kind, Kind::kTaken);
  EXPECT_EQ(npc::sink::judge_probe(empty, database()).kind, Kind::kFailed);
  EXPECT_EQ(npc::sink::judge_probe(answer(400, "<html>"), bucket()).kind, Kind::kFailed);
  EXPECT_EQ(npc::sink::judge_probe(answer(204), database()).kind, Kind::kTaken);
  EXPECT_EQ(npc::sink::judge_probe(answer(413), database()).kind, Kind::kFailed);
}

TEST(Http, WritesWhatMayStandInAnAddress) {
  EXPECT_EQ(npc::http::percent_encoded("a b&c=d/é~"), "a%20b%26c%3Dd%2F%C3%A9~");
  EXPECT_EQ(npc::http::printable("two\nlines\x01.\n"), "two lines");
  EXPECT_EQ(npc::http::printable(std::string(300, 'a')), std::string(200, 'a') + "…");
}

}  // namespace
