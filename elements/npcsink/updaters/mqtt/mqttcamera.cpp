// SPDX-License-Identifier: LGPL-2.1-or-later
// Status, state, health and discovery of a camera.
#include "npcsink/updaters/mqtt/mqttcamera.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config.h"

namespace npc::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// A camera is gone when so many records did not come, but not as soon as a busy device is late.
constexpr int kSilentWindows = 3;
constexpr seconds kLeastSilence{15};
constexpr guint64 kLongestInterval = 24 * 3600 * 1000;  // ms; a record may say anything

// Made when they are needed: a process that only looks at the plugin has no use for Paho.
const mqtt::Properties &of_text() {
  static const mqtt::Properties properties("text/plain");
  return properties;
}

const mqtt::Properties &of_json() {
  static const mqtt::Properties properties("application/json");
  return properties;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string mqtt_topic(const MqttSettings &settings, const Record &record, const char *last) {
  return mqtt_topic(settings, record.site, record.camera, last);
}

std::string mqtt_topic(const MqttSettings &settings, const std::string &site,
                       const std::string &camera, const char *last) {
  return settings.topic_prefix + "/" + site + "/" + camera + "/" + last;
}

void MqttMessages::add(std::string topic, std::string payload, int qos,
                       const mqtt::Properties &properties) {
  messages_.push_back({std::move(topic), std::move(payload), qos, properties});
}

std::vector<mqtt::Message> MqttMessages::list() const {
  std::vector<mqtt::Message> list;
  for (const Owned &message : messages_) {
    list.push_back(
        {message.topic.c_str(), message.payload, message.qos, true, &message.properties});
  }
  return list;
}

MqttCamera::MqttCamera(const Record &record, const MqttSettings &settings)
    : site_(record.site),
      camera_(record.camera),
      settings_(settings),
      qos_(std::min(settings.qos, 1)),
      counts_topic_(mqtt_topic(settings, record, "counts")),
      influx_topic_(mqtt_topic(settings, record, "influx")),
      state_topic_(mqtt_topic(settings, record, "state")),
      status_topic_(mqtt_topic(settings, record, "status")),
      health_topic_(mqtt_topic(settings, record, "health")),
      resend_topic_(mqtt_topic(settings, record, "resend")),
      discovery_topics_(settings.discovery_prefix, device_id(record.site, record.camera)) {}

void MqttCamera::take_last(steady_clock::time_point now) {
  if (last_ == nullptr)
    return;
  last_record_ = now;
  state_ = last_->json;
  state_due_ = delay_due_ = true;
  const GstNpcCounts &counts = *last_->counts;
  last_ = nullptr;
  time_ = static_cast<std::int64_t>(counts.time);
  const milliseconds interval(std::min<guint64>(counts.interval, kLongestInterval));
  const bool partial = (counts.flags & GST_NPC_COUNTS_FLAG_PARTIAL) != 0;
  if (!partial && interval != interval_) {
    interval_ = interval;
    state_properties_.reset();
    discovery_due_ = true;
  }
  Places places = places_of(counts);
  discovery_due_ = discovery_due_ || places != places_;
  places_ = std::move(places);
}

seconds MqttCamera::offline_after() const {
  return std::max(kLeastSilence, std::chrono::ceil<seconds>(kSilentWindows * interval_));
}

bool MqttCamera::is_heard(steady_clock::time_point now) const {
  return last_record_.has_value() && now - *last_record_ < offline_after();
}

void MqttCamera::add_status(MqttMessages &messages, bool online) {
  messages.add(status_topic_, online ? "online" : "offline", qos_, of_text());
  told_.reset();
  saying_ = online;
}

void MqttCamera::add_state(MqttMessages &messages, steady_clock::time_point now) {
  const bool expires = !settings_.discovery_prefix.empty();
  if (!settings_.topics.state || !state_due_ || (expires && !is_heard(now)))
    return;
  if (expires && !state_properties_) {
    state_properties_ = std::make_unique<mqtt::Properties>("application/json");
    state_properties_->set_expiry(static_cast<std::uint32_t>(offline_after().count()));
  }
  messages.add(state_topic_, state_, qos_, expires ? *state_properties_ : of_json());
}

void MqttCamera::confirm() {
  if (saying_.has_value())
    told_ = saying_;
  saying_.reset();
  if (delay_due_)
    delay_ = std::max<std::int64_t>(0, now_ms() - time_);
  state_due_ = delay_due_ = false;
}

void MqttCamera::forget() {
  state_due_ = !state_.empty();
  told_.reset();
  saying_.reset();
  discovery_due_ = true;
}

void MqttCamera::add_health(MqttMessages &messages, const MqttHealth &health) const {
  const nlohmann::ordered_json json = {
      {"version", 1},
      {"time", now_ms()},
      {"uptime", health.uptime.count()},
      {"delivered", delivered_},
      {"delay", delay_},
      {"pending", health.backlog.pending},
      {"dropped", health.backlog.dropped},
      {"reconnects", health.reconnects},
      {"protocol", health.version == mqtt::Version::k5 ? "5" : "3.1.1"},
      {"will", health.will_topic},
      {"software", VERSION},
  };
  messages.add(health_topic_, json.dump(), qos_, of_json());
}

void MqttCamera::add_discovery(MqttMessages &messages, const std::string &will_topic,
                               mqtt::Version version) {
  if (settings_.discovery_prefix.empty() || state_.empty() || !discovery_due_)
    return;
  Device device = {site_,
                   camera_,
                   {status_topic_},
                   state_topic_,
                   settings_.topics.health ? health_topic_ : "",
                   VERSION,
                   places_,
                   {}};
  // Else what is retained would be new again whenever Home Assistant starts.
  if (version == mqtt::Version::k5)
    device.expire_after = offline_after();
  if (will_topic != status_topic_)
    device.status_topics.push_back(will_topic);
  for (DiscoveryMessage &message :
       describe(device, settings_.discovery_form, discovery_topics_, listed_))
    messages.add(std::move(message.topic), std::move(message.payload), qos_, of_json());
  discovery_due_ = false;
}

}  // namespace npc::sink
