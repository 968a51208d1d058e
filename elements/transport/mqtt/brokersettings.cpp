// SPDX-License-Identifier: LGPL-2.1-or-later
// What a URI says about a broker, whatever is done there.
#include "transport/mqtt/brokersettings.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "transport/mqtt/message.h"

namespace npc::mqtt {
namespace {

// What a scheme of ours means.
struct Way {
  std::string_view scheme;
  std::uint16_t port;
  bool tls;
  bool web;
};
constexpr Way kWays[] = {{"mqtt", 1883, false, false},
                         {"mqtts", 8883, true, false},
                         {"ws", 80, false, true},
                         {"wss", 443, true, true}};
constexpr std::size_t kMostClientId = 64;
constexpr std::size_t kMostText = 1024;

void check_client_id(const Uri &uri, const std::string &id) {
  const bool valid =
      id.size() <= kMostClientId && std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::strchr("-_.", c) != nullptr;
      });
  if (!valid)
    throw UriError(uri.text, "client-id may have 1 to 64 letters, digits, ., - and _");
}

TlsSettings tls_of(const Uri &uri) {
  TlsSettings tls;
  // No certificate knows by which interface we reach its address.
  tls.host = uri.host.substr(0, uri.host.find('%'));
  tls.ca_file = uri.file_parameter("ca-file");
  tls.cert_file = uri.file_parameter("cert-file");
  tls.key_file = uri.file_parameter("key-file");
  if (tls.cert_file.empty() != tls.key_file.empty())
    throw UriError(uri.text, "cert-file and key-file belong together: give both or none");
  const std::string insecure = uri.parameter("insecure", "");
  if (!insecure.empty() && insecure != "1")
    throw UriError(uri.text, "insecure can only be 1; leave it out to check certificates");
  tls.insecure = !insecure.empty();
  if (tls.insecure && !tls.ca_file.empty())
    throw UriError(uri.text, "with insecure=1 no certificate is checked, so ca-file means nothing");
  return tls;
}

void check_parameters(const Uri &uri, const Way &way,
                      std::initializer_list<std::string_view> more) {
  constexpr std::string_view kOfTls[] = {"ca-file", "cert-file", "insecure", "key-file"};
  std::vector<std::string_view> names(more);
  names.insert(names.end(), {"client-id", "password-file"});
  if (way.tls)
    names.insert(names.end(), std::begin(kOfTls), std::end(kOfTls));
  for (const std::string_view name : kOfTls) {
    if (!way.tls && uri.parameters.contains(std::string(name)))
      throw UriError(uri.text,
                     std::string(name) + " is for TLS: write " + (way.web ? "wss://" : "mqtts://"));
  }
  std::ranges::sort(names);
  uri.allow_parameters(names);
}

}  // namespace

BrokerSettings broker_settings(const Uri &uri, std::initializer_list<std::string_view> more) {
  const Way &way = *std::find_if(std::begin(kWays), std::end(kWays),
                                 [&](const Way &each) { return each.scheme == uri.scheme; });
  check_parameters(uri, way, more);
  if (!uri.has_authority || uri.host.empty()) {
    throw UriError(uri.text, "there is no host; write " + uri.scheme + "://host or " + uri.scheme +
                                 "://user@host:" + std::to_string(way.port) + "/");
  }
  BrokerSettings settings;
  settings.scheme = uri.scheme;
  settings.host = uri.host;
  settings.port = uri.port.value_or(way.port);
  settings.user = uri.user;
  settings.password_file = uri.file_parameter("password-file");
  settings.client_id = uri.parameter("client-id", "");
  check_client_id(uri, settings.client_id);
  if (!settings.password_file.empty() && settings.user.empty())
    throw UriError(uri.text, "a password needs a user; write " + uri.scheme + "://user@host");
  if (settings.user.size() > kMostText || !is_text(settings.user))
    throw UriError(uri.text, "the user name must be UTF-8, and at most 1024 bytes of it");
  if (way.tls)
    settings.tls = tls_of(uri);
  return settings;
}

}  // namespace npc::mqtt
