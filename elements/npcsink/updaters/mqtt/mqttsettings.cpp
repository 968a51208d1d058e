// SPDX-License-Identifier: LGPL-2.1-or-later
// From the URI to settings, and the files that it names.
#include "npcsink/updaters/mqtt/mqttsettings.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <random>
#include <sstream>
#include <system_error>

#include "base/openfile.h"
#include "base/shorthash.h"
#include "transport/mqtt/message.h"

namespace npc::sink {
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
// More than any machine-id or serial number has.
constexpr std::size_t kMostIdentity = 256;

void check_client_id(const Uri &uri, const std::string &id) {
  const bool valid =
      id.size() <= kMostClientId && std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::strchr("-_.", c) != nullptr;
      });
  if (!valid)
    throw UriError(uri.text, "client-id may have 1 to 64 letters, digits, ., - and _");
}

int qos_of(const Uri &uri) {
  const std::string qos = uri.parameter("qos", "1");
  if (qos != "0" && qos != "1" && qos != "2")
    throw UriError(uri.text, "qos must be 0, 1 or 2");
  return qos.front() - '0';
}

MqttTopics topics_of(const Uri &uri) {
  MqttTopics topics;
  if (!uri.parameters.contains("topics"))
    return topics;
  topics = {false, false, false, false};
  std::istringstream names(uri.parameter("topics", ""));
  for (std::string name; std::getline(names, name, ',');) {
    bool *const topic = name == "counts"   ? &topics.counts
                        : name == "influx" ? &topics.influx
                        : name == "state"  ? &topics.state
                        : name == "health" ? &topics.health
                                           : nullptr;
    if (topic == nullptr) {
      throw UriError(uri.text,
                     "topics may have counts, influx, state and health, separated by commas");
    }
    *topic = true;
  }
  return topics;
}

std::optional<std::uint32_t> expiry_of(const Uri &uri) {
  if (!uri.parameters.contains("expiry"))
    return std::nullopt;
  const std::string text = uri.parameter("expiry", "");
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size())
    throw UriError(uri.text, "expiry must be seconds, from 1 to 4294967295, or 0 for never");
  return seconds;
}

// One or more levels of a topic.
std::string levels_of(const Uri &uri, const std::string &name, const char *otherwise) {
  const std::string levels = uri.parameter(name, otherwise);
  if (levels.size() > kMostText || levels.front() == '/' || levels.back() == '/' ||
      levels.find("//") != std::string::npos || levels.find_first_of("+#$") != std::string::npos ||
      !mqtt::is_text(levels)) {
    throw UriError(uri.text, name +
                                 " must be levels of a topic, with a / between them as in a/b: at "
                                 "most 1024 bytes of UTF-8 without +, # and $");
  }
  return levels;
}

std::string discovery_of(const Uri &uri, const MqttTopics &topics) {
  const std::string kind = uri.parameter("discovery", "");
  if (kind.empty()) {
    for (const char *name : {"discovery-form", "discovery-prefix"}) {
      if (uri.parameters.contains(name))
        throw UriError(uri.text,
                       std::string(name) + " means nothing without discovery=homeassistant");
    }
    return {};
  }
  if (kind != "homeassistant")
    throw UriError(uri.text, "discovery can only be homeassistant");
  if (!topics.state)
    throw UriError(uri.text, "discovery needs the topic state: add it to topics");
  return levels_of(uri, "discovery-prefix", "homeassistant");
}

DiscoveryForm discovery_form_of(const Uri &uri) {
  const std::string form = uri.parameter("discovery-form", "device");
  if (form != "device" && form != "entities")
    throw UriError(uri.text, "discovery-form must be device or entities");
  return form == "device" ? DiscoveryForm::kDevice : DiscoveryForm::kEntities;
}

mqtt::TlsSettings tls_of(const Uri &uri) {
  mqtt::TlsSettings tls;
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

std::string web_path_of(const Uri &uri, bool web) {
  if (!web) {
    if (!uri.path.empty() && uri.path != "/") {
      throw UriError(uri.text,
                     "nothing may follow the host but a / and parameters; topics are "
                     "npc/<site>/<camera>/…");
    }
    return {};
  }
  if (uri.path.empty())
    return "/";
  const bool valid = std::all_of(uri.path.begin(), uri.path.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::strchr("\"<>\\^`{|}#?%", c) == nullptr;
  });
  if (!valid || uri.path.size() > kMostText) {
    throw UriError(uri.text,
                   "the path may have only letters, digits and -._~!$&'()*+,;=:@/, at most 1024 of "
                   "them");
  }
  return uri.path;
}

std::string first_line(const std::string &name) {
  const Opened opened = open_file(name, O_RDONLY);
  const std::string text = read_whole(opened.file, kMostIdentity).value_or("");
  return text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
}

}  // namespace

MqttSettings mqtt_settings(const Uri &uri) {
  const Way &way = *std::find_if(std::begin(kWays), std::end(kWays),
                                 [&](const Way &each) { return each.scheme == uri.scheme; });
  if (way.tls) {
    uri.allow_parameters({"ca-file", "cert-file", "client-id", "discovery", "discovery-form",
                          "discovery-prefix", "expiry", "insecure", "key-file", "password-file",
                          "qos", "topic-prefix", "topics"});
  } else {
    for (const char *name : {"ca-file", "cert-file", "insecure", "key-file"}) {
      if (uri.parameters.contains(name)) {
        throw UriError(uri.text, std::string(name) + " is for TLS: write " +
                                     (way.web ? "wss://" : "mqtts://"));
      }
    }
    uri.allow_parameters({"client-id", "discovery", "discovery-form", "discovery-prefix", "expiry",
                          "password-file", "qos", "topic-prefix", "topics"});
  }
  if (!uri.has_authority || uri.host.empty()) {
    throw UriError(uri.text, "there is no host; write " + uri.scheme + "://host or " + uri.scheme +
                                 "://user@host:" + std::to_string(way.port) + "/");
  }
  MqttSettings settings;
  settings.scheme = uri.scheme;
  settings.web_path = web_path_of(uri, way.web);
  settings.host = uri.host;
  settings.port = uri.port.value_or(way.port);
  settings.user = uri.user;
  settings.password_file = uri.file_parameter("password-file");
  settings.client_id = uri.parameter("client-id", "");
  check_client_id(uri, settings.client_id);
  settings.qos = qos_of(uri);
  settings.topic_prefix = levels_of(uri, "topic-prefix", kTopicPrefix);
  settings.topics = topics_of(uri);
  settings.expiry = expiry_of(uri);
  settings.discovery_prefix = discovery_of(uri, settings.topics);
  settings.discovery_form = discovery_form_of(uri);
  if (!settings.password_file.empty() && settings.user.empty())
    throw UriError(uri.text, "a password needs a user; write " + uri.scheme + "://user@host");
  if (settings.user.size() > kMostText || !mqtt::is_text(settings.user))
    throw UriError(uri.text, "the user name must be UTF-8, and at most 1024 bytes of it");
  if (way.tls)
    settings.tls = tls_of(uri);
  return settings;
}

std::string machine_hash() {
  // Cards are cloned with their machine-id: the serial number of a Raspberry Pi's chip is not.
  const std::string machine = first_line("/etc/machine-id");
  std::string serial = first_line("/sys/firmware/devicetree/base/serial-number");
  if (machine.empty() && serial.empty()) {
    char host[256] = {};
    gethostname(host, sizeof(host) - 1);
    serial = host[0] != '\0' ? host : std::to_string(std::random_device{}());
  }
  return short_hash("npc" + machine + serial);
}

}  // namespace npc::sink
