// SPDX-License-Identifier: LGPL-2.1-or-later
// How Home Assistant is told of a camera: its device discovery.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace npc {

/// What of a record becomes entities and may change from run to run.
struct Places {
  std::vector<std::string> lines;
  std::vector<std::string> zones;

  bool operator==(const Places &) const = default;
};

/// What we need to know of a record's JSON.
struct Glance {
  Places places;
  std::int64_t time = 0;      ///< end of its window, UTC, in ms since 1970; 0 if it has none
  std::int64_t interval = 0;  ///< length of its window in ms; 0 if it has none
  bool partial = false;       ///< that is not as long as the others
};

/// Nothing if `record` is no JSON object.
std::optional<Glance> glance_at(std::string_view record);

/// The components of a device: a platform, such as `sensor`, for each key.
using Components = std::map<std::string, std::string>;

/// A camera as Home Assistant sees it.
struct Device {
  std::string site;
  std::string camera;
  std::vector<std::string> status_topics;  ///< it is available if all of them say `online`
  std::string state_topic;
  std::string health_topic;  ///< empty for none
  std::string version;       ///< ours
  Places places;
};

/// `npc_<site>_<camera>`, which names the device in topics and entities; with a hash behind it if
/// there is a _ in one of them.
std::string device_id(const std::string &site, const std::string &camera);

/// What is to be retained on `<prefix>/device/<device_id>/config`, as JSON. Components that are no
/// longer there are `removed`: such a message must come first, and then one without them.
std::string discovery_config(const Device &device, const Components &removed);

/// The components that a device has.
Components components_of(const Device &device);

/// The components with an entity in a message that was retained; none if it is not understood.
Components components_of(std::string_view config);

}  // namespace npc
