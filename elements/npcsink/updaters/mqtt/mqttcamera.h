// SPDX-License-Identifier: LGPL-2.1-or-later
// What is published of one camera, beside its records.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "npcsink/updaters/mqtt/discovery.h"
#include "npcsink/updaters/mqtt/mqttsettings.h"
#include "npcsink/updaters/updater.h"
#include "transport/mqtt/message.h"

namespace npc::sink {

/// Retained messages that own what they say.
class MqttMessages {
 public:
  void add(std::string topic, std::string payload, int qos, const mqtt::Properties &properties);
  bool empty() const { return messages_.empty(); }
  /// Valid as long as the messages are.
  std::vector<mqtt::Message> list() const;

 private:
  struct Owned {
    std::string topic;
    std::string payload;
    int qos;
    const mqtt::Properties &properties;
  };
  std::deque<Owned> messages_;
};

/// A topic of a camera, or of that of a record, the one that ends in `last`.
std::string mqtt_topic(const MqttSettings &settings, const Record &record, const char *last);
std::string mqtt_topic(const MqttSettings &settings, const std::string &site,
                       const std::string &camera, const char *last);

/// What all cameras of a connection have in common.
struct MqttHealth {
  std::chrono::seconds uptime;  ///< of the updater
  std::uint64_t reconnects;
  BacklogStats backlog;
  const std::string &will_topic;
  mqtt::Version version;
};

/// One camera: its topics, and what is retained on them.
class MqttCamera {
 public:
  MqttCamera(const Record &record, const MqttSettings &settings);

  bool is_of(const Record &record) const {
    return record.camera == camera_ && record.site == site_;
  }
  const std::string &site() const { return site_; }
  const std::string &camera() const { return camera_; }
  const std::string &counts_topic() const { return counts_topic_; }
  const std::string &influx_topic() const { return influx_topic_; }
  const std::string &status_topic() const { return status_topic_; }
  const std::string &resend_topic() const { return resend_topic_; }
  const DiscoveryTopics &discovery_topics() const { return discovery_topics_; }

  /// Whether this connection knows the camera.
  bool met() const { return met_; }
  void set_met(bool met) { met_ = met; }

  /// The record is its newest; it must outlive take_last().
  void set_last(const Record &record) { last_ = &record; }
  /// Makes the newest record its state, if there is one.
  void take_last(std::chrono::steady_clock::time_point now);
  /// Whether records come: the newest is not older than three windows, or 15 s if those are longer.
  bool is_heard(std::chrono::steady_clock::time_point now) const;
  void end_stream() { last_record_.reset(); }
  /// How long it may be silent.
  std::chrono::seconds offline_after() const;
  /// Counts records that the broker has confirmed.
  void add_delivered(std::uint64_t records) { delivered_ += records; }
  /// Notes what the broker retains as its discovery. Returns false if that is not what came.
  bool note_discovery(const mqtt::Arrived &arrived) {
    return listed_.note(discovery_topics_, arrived.topic, arrived.payload);
  }

  /// Whether `online` is what was published.
  bool was_told(bool online) const { return told_ == online; }
  void add_status(MqttMessages &messages, bool online);
  /// Adds the state, unless the broker has it. Where it is read as that of now, as by Home
  /// Assistant, it must be, and expires with the time after which the camera is offline.
  void add_state(MqttMessages &messages, std::chrono::steady_clock::time_point now);
  /// The broker has confirmed the status and the state that were added.
  void confirm();
  /// The broker may have forgotten all that was published.
  void forget();
  void add_health(MqttMessages &messages, const MqttHealth &health) const;
  /// Adds the discovery if it has changed since it was added. The camera is only there if the one
  /// that the will of the connection is about is. In MQTT 5 what is retained expires.
  void add_discovery(MqttMessages &messages, const std::string &will_topic, mqtt::Version version);
  /// What was added may be lost.
  void forget_discovery() { discovery_due_ = true; }

 private:
  const std::string site_;
  const std::string camera_;
  const MqttSettings &settings_;
  const int qos_;
  const std::string counts_topic_;
  const std::string influx_topic_;
  const std::string state_topic_;
  const std::string status_topic_;
  const std::string health_topic_;
  const std::string resend_topic_;
  const DiscoveryTopics discovery_topics_;

  bool met_ = false;
  const Record *last_ = nullptr;
  std::optional<std::chrono::steady_clock::time_point> last_record_;  // when the newest record came
  std::chrono::milliseconds interval_{0};                             // of whole windows
  std::string state_;
  std::unique_ptr<mqtt::Properties> state_properties_;  // if it expires
  std::int64_t time_ = 0;                               // of the state, ms
  bool state_due_ = false;
  bool delay_due_ = false;
  std::optional<bool> told_;    // whether it is online, as the broker has confirmed
  std::optional<bool> saying_;  // and what is on its way there
  Places places_;
  bool discovery_due_ = true;
  Listed listed_;
  std::uint64_t delivered_ = 0;
  std::int64_t delay_ = 0;  // ms
};

}  // namespace npc::sink
