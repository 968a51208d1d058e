// SPDX-License-Identifier: LGPL-2.1-or-later
// Status codes and error texts of InfluxDB 1.x and 2.x.
#include "npcsink/updaters/influxdb/influxanswer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace npc::sink {
namespace {

using Kind = InfluxVerdict::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Credentials do not become right by asking again: that fills the log of the server, and may lock
// the user out.
constexpr seconds kCredentialsPause{60};
// A server may err about how long it needs.
constexpr seconds kMostPause{3600};

// What the server says, or nothing if it does not speak as InfluxDB does.
std::string said(const http::HttpAnswer &answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  for (const char *key : {"error", "message"}) {
    if (body.is_object() && body.contains(key) && body[key].is_string())
      return body[key].get<std::string>();
  }
  return {};
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Other refusals, such as a limit on series, end when somebody does something about them.
bool is_about_lines(std::string_view error) {
  return contains(error, "unable to parse") || contains(error, "field type conflict") ||
         contains(error, "beyond retention") || contains(error, "outside retention") ||
         contains(error, "parse line protocol");
}

std::string refused_record(const InfluxTarget &place, std::string_view error) {
  // How many points it dropped says nothing about this one.
  return "InfluxDB at " + place.server +
         " refused the record: " + http::printable(error.substr(0, error.rfind(" dropped="))) + ".";
}

// InfluxDB lists them, each as: unable to parse '<line>': <why>
std::unordered_map<std::string, std::string> bad_lines(std::string_view error,
                                                       const InfluxTarget &place) {
  constexpr std::string_view kBegin = "unable to parse '";
  constexpr std::string_view kMiddle = "': ";
  std::unordered_map<std::string, std::string> lines;
  for (auto begin = error.find(kBegin); begin != error.npos; begin = error.find(kBegin)) {
    error.remove_prefix(begin + kBegin.size());
    const auto middle = error.find(kMiddle);
    if (middle == error.npos)
      break;
    const std::string_view reason = error.substr(middle + kMiddle.size());
    lines.emplace(error.substr(0, middle),
                  refused_record(place, reason.substr(0, reason.find('\n'))));
  }
  return lines;
}

std::string named(const InfluxTarget &place) {
  return place.is_bucket()
             ? "the bucket \"" + place.bucket + "\" of the organization \"" + place.org + "\""
             : "the database \"" + place.database + "\"";
}

std::string refused_credentials(const InfluxTarget &place) {
  if (place.is_bucket()) {
    return "InfluxDB at " + place.server +
           " refused the token: check what is in the token file, and that the token may write to " +
           named(place) + ".";
  }
  if (place.user.empty()) {
    return "InfluxDB at " + place.server +
           " wants a user name and a password: write "
           "influxdb://user@host/database?password-file=/path/to/file.";
  }
  return "InfluxDB at " + place.server +
         " refused the user name or the password: check the user in the URI and what is in the "
         "password file.";
}

std::string forbidden(const InfluxTarget &place) {
  if (place.is_bucket() || place.user.empty())
    return refused_credentials(place);
  return "The user \"" + place.user + "\" may not write to " + named(place) + " of InfluxDB at " +
         place.server + ": run the statement GRANT WRITE ON \"" + place.database + "\" TO \"" +
         place.user + "\" there.";
}

std::string missing(const http::HttpAnswer &answer, const InfluxTarget &place) {
  if (said(answer).empty()) {
    return place.is_bucket()
               ? "What is at " + place.server +
                     " is not InfluxDB 2: for InfluxDB 1 write influxdb://host/database."
               : "What is at " + place.server +
                     " is not InfluxDB 1: for InfluxDB 2 write "
                     "influxdb://host/?org=…&bucket=…&token-file=….";
  }
  if (place.is_bucket()) {
    return "InfluxDB at " + place.server + " has not " + named(place) + ": check the names (" +
           http::printable(said(answer)) + "), or create it: influx bucket create --org '" +
           place.org + "' --name '" + place.bucket + "'.";
  }
  return "InfluxDB at " + place.server + " has no database \"" + place.database +
         "\": create it: influx -execute 'CREATE DATABASE \"" + place.database + "\"'.";
}

std::string missing_policy(const InfluxTarget &place) {
  return "The database \"" + place.database + "\" of InfluxDB at " + place.server +
         " has no retention policy \"" + place.policy +
         "\": create it: influx -execute 'CREATE RETENTION POLICY \"" + place.policy + "\" ON \"" +
         place.database + "\" DURATION 52w REPLICATION 1'.";
}

InfluxVerdict failed(std::string error, seconds pause = seconds(0)) {
  return {Kind::kFailed, std::move(error), std::min(pause, kMostPause), {}};
}

InfluxVerdict failed_otherwise(const http::HttpAnswer &answer, const InfluxTarget &place) {
  if (!place.policy.empty() && contains(said(answer), "retention policy not found"))
    return failed(missing_policy(place));
  std::string error = "InfluxDB at " + place.server + " answered " + std::to_string(answer.status);
  if (const std::string reason = said(answer); !reason.empty())
    error += ": " + http::printable(reason);
  return failed(error + ".", answer.retry_after);
}

InfluxVerdict judge_bad_request(const http::HttpAnswer &answer, const InfluxTarget &place) {
  if (contains(answer.body, "HTTP request to an HTTPS server")) {
    return failed("What is at " + place.server +
                  " speaks TLS: write influxdbs:// for influxdb://.");
  }
  const std::string error = said(answer);
  if (!is_about_lines(error))
    return failed_otherwise(answer, place);
  return {Kind::kBadLines, refused_record(place, error), milliseconds(0), bad_lines(error, place)};
}

}  // namespace

InfluxVerdict judge_lines(const http::HttpAnswer &answer, const InfluxTarget &place) {
  if (answer.result.is_stopped())
    return {.kind = Kind::kStopped, .error = {}};
  if (answer.result.is_failed())
    return failed(answer.result.error());
  switch (answer.status) {
    case 200:  // InfluxDB never says so; a page that anybody may see does.
      return failed("What is at " + place.server +
                    " answered 200, which is not how InfluxDB confirms: check the host and the "
                    "port, and whether a proxy or a login page answers for it.");
    case 204:
      return {};
    case 400:
    case 422:  // InfluxDB 2 for a field of another type
      return judge_bad_request(answer, place);
    case 401:
      return failed(refused_credentials(place), kCredentialsPause);
    case 403:
      return failed(forbidden(place), kCredentialsPause);
    case 404:
      return failed(missing(answer, place));
    case 407:
      return failed("The proxy that the environment names wants a user name and a password.",
                    kCredentialsPause);
    case 413:
      return {Kind::kTooLarge, "InfluxDB at " + place.server +
                                   " takes no request of the size of one record: raise its "
                                   "max-body-size, or the limit of the proxy in front of it."};
    case 429:
      return failed("InfluxDB at " + place.server + " asks for fewer requests.",
                    answer.retry_after);
    case 503:
      return failed("InfluxDB at " + place.server + " is overloaded or starts.",
                    answer.retry_after);
    default:
      break;
  }
  if (!answer.redirect.empty()) {
    return failed("What is at " + place.server + " sends us to " +
                  http::printable(answer.redirect) +
                  ": write that host in the URI if it is the right one.");
  }
  return failed_otherwise(answer, place);
}

InfluxVerdict judge_probe(const http::HttpAnswer &answer, const InfluxTarget &place) {
  // InfluxDB 2 says "writing requires points" after all else was in order.
  if (answer.status == 400 && place.is_bucket() && !said(answer).empty())
    return {};
  InfluxVerdict verdict = judge_lines(answer, place);
  if (verdict.kind != Kind::kTaken && verdict.kind != Kind::kStopped)
    verdict.kind = Kind::kFailed;
  return verdict;
}

}  // namespace npc::sink
