// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests for records over MQTT, and their answers.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "npcsink/resends.h"
#include "npcsink/updaters/mqtt/mqttcameras.h"
#include "npcsink/updaters/mqtt/mqttsettings.h"
#include "transport/mqtt/message.h"

namespace npc::sink {

/// What comes on the topics `…/resend` of the cameras of a connection. Records are published again
/// where they were, and what is not there any more is named on `…/lost`.
class MqttResends {
 public:
  explicit MqttResends(const MqttSettings &settings) : settings_(settings) {}

  /// With null there are no requests.
  void set_requests(Resends *requests) { requests_ = settings_.resend ? requests : nullptr; }
  /// What to subscribe to for these cameras.
  std::vector<std::string> filters(const std::vector<MqttCamera *> &cameras) const;
  /// The broker refused that.
  void note_refused_subscription() const;
  /// The broker refuses what take() returned last.
  void note_refused_answer(const std::string &error);
  /// Notes a request. Returns false if the message is on no topic of one.
  bool note(const mqtt::Arrived &arrived, MqttCameras &cameras) const;

  /// What there is to answer now. Valid until the next call.
  std::vector<mqtt::Message> take(const mqtt::Properties &counts_properties);
  /// The broker has confirmed what take() returned last.
  void confirm();

 private:
  const MqttSettings &settings_;
  Resends *requests_ = nullptr;
  Resends::Answer answer_;
  std::deque<std::string> texts_;  // of messages
};

}  // namespace npc::sink
