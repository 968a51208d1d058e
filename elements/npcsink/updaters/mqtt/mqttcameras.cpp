// SPDX-License-Identifier: LGPL-2.1-or-later
// Which cameras there are, and what is said of them all.
#include "npcsink/updaters/mqtt/mqttcameras.h"

#include <algorithm>

namespace npc::sink {
namespace {

using std::chrono::steady_clock;

// Names come from strangers: the broker is not filled with retained topics without end.
constexpr std::size_t kMostCameras = 256;

}  // namespace

MqttCamera *MqttCameras::find(const Record &record) {
  const auto found = std::find_if(cameras_.begin(), cameras_.end(),
                                  [&](const MqttCamera &camera) { return camera.is_of(record); });
  if (found != cameras_.end())
    return &*found;
  if (cameras_.size() >= kMostCameras)
    return nullptr;
  return &cameras_.emplace_back(record, settings_);
}

std::vector<MqttCamera *> MqttCameras::strangers(std::span<const Record> records) {
  const MqttCamera *last = nullptr;
  for (const Record &record : records) {
    if (last == nullptr || !last->is_of(record))
      last = find(record);
  }
  std::vector<MqttCamera *> strangers;
  for (MqttCamera &camera : cameras_) {
    if (!camera.met())
      strangers.push_back(&camera);
  }
  return strangers;
}

void MqttCameras::part() {
  for (MqttCamera &camera : cameras_) {
    camera.set_met(false);
    camera.forget_discovery();
  }
}

void MqttCameras::forget() {
  for (MqttCamera &camera : cameras_)
    camera.forget();
}

void MqttCameras::note_activity(std::span<const Record> records) {
  for (const Record &record : records) {
    if (MqttCamera *camera = find(record); camera != nullptr)
      camera->set_last(record);
  }
  const auto now = steady_clock::now();
  for (MqttCamera &camera : cameras_)
    camera.take_last(now);
}

void MqttCameras::end_stream() noexcept {
  for (MqttCamera &camera : cameras_)
    camera.end_stream();
}

MqttMessages MqttCameras::news(bool current) {
  MqttMessages messages;
  const auto now = steady_clock::now();
  for (MqttCamera &camera : cameras_)
    camera.add_state(messages, now);
  for (MqttCamera &camera : cameras_) {
    const bool online = camera.is_heard(now);
    if (!camera.was_told(online) && (current || !online))
      camera.add_status(messages, online);
  }
  return messages;
}

void MqttCameras::confirm() {
  for (MqttCamera &camera : cameras_)
    camera.confirm();
}

MqttMessages MqttCameras::goodbye() {
  MqttMessages messages;
  for (MqttCamera &camera : cameras_) {
    if (!camera.was_told(false))
      camera.add_status(messages, false);
  }
  return messages;
}

MqttCamera *MqttCameras::heir(MqttCamera *will) {
  const auto now = steady_clock::now();
  const auto heard = std::find_if(cameras_.begin(), cameras_.end(),
                                  [now](const MqttCamera &camera) { return camera.is_heard(now); });
  return will->is_heard(now) || heard == cameras_.end() ? will : &*heard;
}

}  // namespace npc::sink
