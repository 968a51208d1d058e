// SPDX-License-Identifier: LGPL-2.1-or-later
// Addresses, credentials and the connection to InfluxDB.
#include "npcsink/updaters/influxdb/influxdb.h"

#include <optional>
#include <utility>

#include "base/secretfile.h"
#include "npcsink/updaters/influxdb/influxanswer.h"
#include "npcsink/updaters/influxdb/influxlines.h"
#include "transport/http/http.h"

namespace npc::sink {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = InfluxVerdict::Kind;

constexpr std::uint16_t kDefaultPort = 8086;
constexpr std::size_t kBatch = 5000;

struct InfluxSettings {
  std::string scheme;
  InfluxTarget place;
  std::string password_file;
  std::string token_file;
  std::string ca_file;
  bool insecure = false;

  bool tls() const { return scheme == "influxdbs"; }
};

std::string query_of(const InfluxTarget &place) {
  if (place.is_bucket())
    return "org=" + http::percent_encoded(place.org) +
           "&bucket=" + http::percent_encoded(place.bucket);
  return "db=" + http::percent_encoded(place.database) +
         (place.policy.empty() ? "" : "&rp=" + http::percent_encoded(place.policy));
}

class InfluxUpdater : public Updater {
 public:
  explicit InfluxUpdater(InfluxSettings settings)
      : settings_(std::move(settings)),
        place_(settings_.place),
        url_((settings_.tls() ? "https://" : "http://") + place_.server +
             (place_.is_bucket() ? "/api/v2/write?" : "/write?") + query_of(place_) +
             "&precision=ns") {}

  std::string target() const override {
    return settings_.scheme + "://" + place_.server + "/" +
           (place_.is_bucket()      ? "?" + query_of(place_)
            : place_.policy.empty() ? place_.database
                                    : place_.database + "?rp=" + place_.policy);
  }
  Status connect(const UpdaterContext &context, std::stop_token stop) override;
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  std::size_t batch() const override { return kBatch; }
  void close() noexcept override { client_.reset(); }

 private:
  // A server that asked to be left alone, or that refused credentials.
  struct Rest {
    Clock::time_point end;
    std::string error;
    std::string secret;  // Another one may be tried at once.
  };

  Status read_secrets();
  void rest(std::chrono::milliseconds pause, const std::string &error);

  const InfluxSettings settings_;
  const InfluxTarget &place_;
  const std::string url_;
  std::string secret_;
  std::optional<Rest> rest_;
  std::unique_ptr<http::HttpClient> client_;
  InfluxLines lines_;
};

Status InfluxUpdater::read_secrets() {
  secret_.clear();
  if (!settings_.password_file.empty())
    return read_secret(settings_.password_file, "password", &secret_);
  if (!settings_.token_file.empty())
    return read_secret(settings_.token_file, "token", &secret_);
  return {};
}

void InfluxUpdater::rest(std::chrono::milliseconds pause, const std::string &error) {
  if (pause.count() > 0)
    rest_ = Rest{Clock::now() + pause, error, secret_};
}

Status InfluxUpdater::connect(const UpdaterContext &, std::stop_token stop) {
  close();
  if (Status status = read_secrets(); !status.is_ok())
    return status;
  if (rest_ && Clock::now() < rest_->end && rest_->secret == secret_)
    return Status::failed(rest_->error);
  rest_.reset();
  if (!settings_.ca_file.empty()) {
    if (Status status = check_file("The CA file", settings_.ca_file); !status.is_ok())
      return status;
  }

  http::HttpSettings http;
  http.server = place_.server;
  http.user = place_.user;
  (place_.is_bucket() ? http.token : http.password) = secret_;
  http.ca_file = settings_.ca_file;
  http.insecure = settings_.insecure;
  client_ = std::make_unique<http::HttpClient>(std::move(http));
  // Else the first news of a wrong password would be that we are connected.
  const InfluxVerdict verdict = judge_probe(client_->post(url_, {}, false, stop), place_);
  if (verdict.kind == Kind::kTaken)
    return {};
  close();
  if (verdict.kind == Kind::kStopped)
    return Status::stopped();
  rest(verdict.pause, verdict.error);
  return Status::failed(verdict.error);
}

DeliveryResult InfluxUpdater::deliver(std::span<const Record> records, const UpdaterContext &,
                                      std::stop_token stop) {
  const auto send = [&](std::string_view lines) {
    const http::HttpAnswer answer = client_->post(url_, http::gzipped(lines), true, stop);
    if (answer.slow)
      lines_.slow_down(lines);
    return judge_lines(answer, place_);
  };
  DeliveryResult outcome = lines_.write(records, send);
  if (outcome.status.is_failed()) {
    close();
    rest(outcome.pause, outcome.status.error());
  }
  return outcome;
}

void read_place(const Uri &uri, InfluxSettings &settings) {
  InfluxTarget &place = settings.place;
  place.server = host_and_port(uri.host, uri.port.value_or(kDefaultPort));
  place.user = uri.user;
  place.org = uri.parameter("org", "");
  place.bucket = uri.parameter("bucket", "");
  place.policy = uri.parameter("rp", "");
  if (!uri.path.empty() && uri.path != "/") {
    if (!place.org.empty() || !place.bucket.empty())
      throw UriError(uri.text, "a database is for InfluxDB 1, org and bucket are for InfluxDB 2");
    place.database = uri.path.substr(1);
    for (const auto &[what, name] :
         {std::pair("database", place.database), std::pair("retention policy", place.policy)}) {
      if (name.find_first_of("/\"'\\") != std::string::npos)
        throw UriError(uri.text,
                       "the name of the " + std::string(what) + " must not have /, \\ or quotes");
    }
  } else if (!place.policy.empty() && !place.bucket.empty()) {
    throw UriError(uri.text,
                   "rp names a retention policy of InfluxDB 1; a bucket of InfluxDB 2 has its "
                   "retention itself, so leave rp out");
  } else if (place.org.empty() || place.bucket.empty()) {
    throw UriError(uri.text,
                   "it names no place to write to; for InfluxDB 1 write influxdb://host/database, "
                   "for InfluxDB 2 influxdb://host/?org=…&bucket=…&token-file=…");
  }
}

void read_credentials(const Uri &uri, InfluxSettings &settings) {
  settings.password_file = uri.file_parameter("password-file");
  settings.token_file = uri.file_parameter("token-file");
  if (settings.place.is_bucket()) {
    if (!uri.user.empty() || !settings.password_file.empty())
      throw UriError(uri.text, "InfluxDB 2 has no users here, but tokens; give a token-file");
    if (settings.token_file.empty())
      throw UriError(uri.text, "token-file is missing; InfluxDB 2 takes nothing without a token");
    return;
  }
  if (!settings.token_file.empty())
    throw UriError(uri.text, "a token is for InfluxDB 2; give org and bucket, and no database");
  if (uri.user.empty() != settings.password_file.empty()) {
    throw UriError(uri.text,
                   "a user and a password belong together; write "
                   "influxdb://user@host/database?password-file=/path/to/file");
  }
}

}  // namespace

std::unique_ptr<Updater> make_influxdb_updater(const Uri &uri) {
  uri.allow_parameters(
      {"bucket", "ca-file", "insecure", "org", "password-file", "rp", "token-file"});
  if (!uri.has_authority || uri.host.empty())
    throw UriError(uri.text, "there is no host; write " + uri.scheme + "://host/database");
  InfluxSettings settings;
  settings.scheme = uri.scheme;
  read_place(uri, settings);
  read_credentials(uri, settings);
  settings.ca_file = uri.file_parameter("ca-file");
  const std::string insecure = uri.parameter("insecure", "0");
  if (insecure != "0" && insecure != "1")
    throw UriError(uri.text, "insecure must be 0 or 1");
  settings.insecure = insecure == "1";
  if (!settings.tls() && (settings.insecure || !settings.ca_file.empty()))
    throw UriError(uri.text, "ca-file and insecure are about TLS; write influxdbs://");
  if (settings.insecure && !settings.ca_file.empty())
    throw UriError(uri.text, "with insecure=1 nobody looks at the ca-file; leave one of them out");
  return std::make_unique<InfluxUpdater>(std::move(settings));
}

}  // namespace npc::sink
