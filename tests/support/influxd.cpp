// SPDX-License-Identifier: LGPL-2.1-or-later
// Starting, asking and killing of InfluxDB.
#include "support/influxd.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/listener.h"
#include "support/waiting.h"
#include "transport/http/http.h"

using namespace npc::http;

namespace npc::test {
namespace {

// Secrets that others may read are refused.
[[maybe_unused]] const mode_t kBefore = umask(S_IRWXG | S_IRWXO);

}  // namespace

Influxd::Influxd(const std::string &http)
    : port_(Listener().port()), tls_(http.find("https-enabled") != std::string::npos) {
  std::ofstream(directory_ / "influxdb.conf")
      << "reporting-disabled = true\nbind-address = \"127.0.0.1:" << Listener().port()
      << "\"\n[meta]\ndir = \"" << directory_ / "meta"
      << "\"\n[data]\ndir = \"" << directory_ / "data"
      << "\"\nwal-dir = \"" << directory_ / "wal"
      << "\"\nquery-log-enabled = false\n[monitor]\nstore-enabled = false\n"
      << "[http]\nbind-address = \"" << host() << "\"\n"
      << http;
}

bool Influxd::start() {
  process_ = Process({"influxd", "-config", directory_ / "influxdb.conf"}, directory_ / "log");
  return eventually([this] { return !process_.running() || !query("SHOW DATABASES").empty(); }) &&
         process_.running();
}

void Influxd::kill() {
  process_.signal(SIGKILL);
  process_.wait();
}

std::string Influxd::query(const std::string &statement, const std::string &login) const {
  HttpSettings settings;
  settings.server = host();
  settings.insecure = true;
  const auto colon = login.find(':');
  if (colon != std::string::npos) {
    settings.user = login.substr(0, colon);
    settings.password = login.substr(colon + 1);
  }
  const std::string url = (tls_ ? "https://" : "http://") + host() + "/query?db=npc&epoch=ns&q=";
  return HttpClient(settings).post(url + percent_encoded(statement), {}, false, {}).body;
}

std::vector<int> Influxd::sequence() const {
  const auto answer = nlohmann::json::parse(query("SELECT seq FROM npc"), nullptr, false);
  std::vector<int> numbers;
  for (const auto &row : answer["/results/0/series/0/values"_json_pointer])
    numbers.push_back(row[1].get<int>());
  return numbers;
}

InfluxFake::InfluxFake() {
  std::ofstream(token_file()) << "s3cr3t-token\n";
  const std::string script = std::string(NPC_TESTS) + "/system/influxfake.py";
  process_ = Process({"python3", script, directory_ / ""}, directory_ / "log");
  const std::string port = directory_ / "port";
  if (eventually([&] { return !process_.running() || access(port.c_str(), R_OK) == 0; }))
    port_ = std::atoi(content_of(port).c_str());
}

void InfluxFake::tell(const std::vector<std::string> &answers) {
  std::ofstream file(directory_ / "answers");
  for (const std::string &answer : answers)
    file << answer << "\n";
}

std::vector<std::string> InfluxFake::requests() const {
  return lines_of(directory_ / "requests");
}

std::vector<std::string> InfluxFake::lines() const {
  return lines_of(directory_ / "lines");
}

std::string InfluxFake::uri() const {
  return "influxdb://" + host() + "/?org=my%20home&bucket=npc&token-file=" + token_file();
}

}  // namespace npc::test
