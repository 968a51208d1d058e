// SPDX-License-Identifier: LGPL-2.1-or-later
// The cameras of a connection, and which of them are online.
#pragma once

#include <chrono>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "npcsink/updaters/mqtt/mqttcamera.h"
#include "npcsink/updaters/updater.h"
#include "transport/mqtt/message.h"

namespace npc::sink {

/// All cameras that records came from, in the order of their first ones.
class MqttCameras {
 public:
  explicit MqttCameras(const MqttSettings &settings) : settings_(settings) {}

  /// The camera of a record. Nothing if there are too many: such a record gets neither status nor
  /// state.
  MqttCamera *find(const Record &record);
  auto begin() { return cameras_.begin(); }
  auto end() { return cameras_.end(); }

  /// The cameras that this connection does not know yet, those of `records` among them.
  std::vector<MqttCamera *> strangers(std::span<const Record> records);
  /// There is a new connection, which knows none of them.
  void part();
  /// The broker may have forgotten what was published.
  void forget();

  /// These records are the newest.
  void note_activity(std::span<const Record> records);
  /// No record follows: none of them is there until a new one comes.
  void end_stream() noexcept;
  /// What is retained of them, as far as it was not published: states, and then who is online,
  /// so that nobody who waits for that finds an old count. A camera is online if its records come,
  /// and nobody comes online unless these are `current`.
  MqttMessages news(bool current);
  /// The broker has confirmed the news.
  void confirm();
  /// Says that all are offline.
  MqttMessages goodbye();

  /// The camera whose status is the last will of a connection: the one that it was, unless only
  /// others are there.
  MqttCamera *heir(MqttCamera *will);

 private:
  const MqttSettings &settings_;
  // Never removed from, so that pointers stay.
  std::deque<MqttCamera> cameras_;
};

}  // namespace npc::sink
