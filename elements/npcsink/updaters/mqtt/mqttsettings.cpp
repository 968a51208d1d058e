// SPDX-License-Identifier: LGPL-2.1-or-later
// From the URI to settings, and the files that it names.
#include "npcsink/updaters/mqtt/mqttsettings.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>
#include <system_error>

#include "transport/mqtt/message.h"

namespace npc::sink {
namespace {

constexpr std::size_t kMostText = 1024;

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

bool resend_of(const Uri &uri) {
  const std::string resend = uri.parameter("resend", "1");
  if (resend != "0" && resend != "1")
    throw UriError(uri.text, "resend must be 0 or 1");
  return resend == "1";
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

}  // namespace

MqttSettings mqtt_settings(const Uri &uri) {
  MqttSettings settings;
  static_cast<mqtt::BrokerSettings &>(settings) =
      mqtt::broker_settings(uri, {"discovery", "discovery-form", "discovery-prefix", "expiry",
                                  "qos", "resend", "topic-prefix", "topics"});
  settings.web_path = web_path_of(uri, uri.scheme.starts_with("ws"));
  settings.qos = qos_of(uri);
  settings.topic_prefix = levels_of(uri, "topic-prefix", kTopicPrefix);
  settings.topics = topics_of(uri);
  settings.resend = resend_of(uri) && settings.topics.counts;
  settings.expiry = expiry_of(uri);
  settings.discovery_prefix = discovery_of(uri, settings.topics);
  settings.discovery_form = discovery_form_of(uri);
  return settings;
}

}  // namespace npc::sink
