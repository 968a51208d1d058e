// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests for records over MQTT, and their answers.
#include "npcsink/updaters/mqtt/mqttresends.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace npc::sink {
namespace {

// Made when it is needed: a process that only looks at the plugin has no use for Paho.
const mqtt::Properties &of_json() {
  static const mqtt::Properties properties("application/json");
  return properties;
}

}  // namespace

std::vector<std::string> MqttResends::filters(const std::vector<MqttCamera *> &cameras) const {
  std::vector<std::string> filters;
  if (requests_ != nullptr) {
    for (const MqttCamera *camera : cameras)
      filters.push_back(camera->resend_topic());
  }
  return filters;
}

void MqttResends::note_refused_subscription() const {
  requests_->refuse(
      "The broker refuses the subscription to " + settings_.topic_prefix +
      "/…/resend, so nobody can ask for records that are lost behind it: let its access list allow "
      "that, or write resend=0.");
}

void MqttResends::note_refused_answer(const std::string &error) {
  answer_ = {};
  requests_->refuse("Records that were asked for could not be sent again: " + error);
}

bool MqttResends::note(const mqtt::Arrived &arrived, MqttCameras &cameras) const {
  if (requests_ == nullptr)
    return false;
  const auto camera = std::ranges::find_if(
      cameras, [&](const MqttCamera &each) { return each.resend_topic() == arrived.topic; });
  if (camera == cameras.end())
    return false;
  // One that is retained would come again with each connection.
  const auto request = arrived.retained
                           ? std::nullopt
                           : read_record_range(arrived.payload, camera->site(), camera->camera());
  if (request)
    requests_->ask(*request);
  else
    requests_->refuse(
        "What came on " + arrived.topic +
        R"( is no request: it must be {"boot":"…","from":…,"to":…}, and not retained.)");
  return true;
}

std::vector<mqtt::Message> MqttResends::take(const mqtt::Properties &counts_properties) {
  std::vector<mqtt::Message> messages;
  if (requests_ == nullptr)
    return messages;
  answer_ = requests_->take(std::chrono::steady_clock::now());
  texts_.clear();
  const std::string *topic = nullptr;
  for (const Record &record : answer_.records) {
    std::string own = mqtt_topic(settings_, record.site, record.camera, "counts");
    if (topic == nullptr || *topic != own)
      topic = &texts_.emplace_back(std::move(own));
    messages.push_back({topic->c_str(), record.json, settings_.qos, false, &counts_properties});
  }
  for (const RecordRange &gone : answer_.gone) {
    const std::string &where =
        texts_.emplace_back(mqtt_topic(settings_, gone.site, gone.camera, "lost"));
    const std::string &what = texts_.emplace_back(write_record_range(gone, false));
    messages.push_back({where.c_str(), what, std::max(settings_.qos, 1), false, &of_json()});
  }
  return messages;
}

void MqttResends::confirm() {
  if (requests_ != nullptr)
    requests_->note_sent(answer_);
  answer_ = {};
}

}  // namespace npc::sink
