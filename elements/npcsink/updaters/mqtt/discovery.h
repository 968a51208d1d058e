// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera for Home Assistant: its device discovery.
#pragma once

#include <gst/npc/npccounts.h>

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace npc::sink {

/// How a camera is described to Home Assistant.
enum class DiscoveryForm {
  kDevice,    ///< one message for the device
  kEntities,  ///< one for each entity, which older versions and other programs read
};

/// What of a record becomes entities and may change from run to run.
struct Places {
  std::vector<std::string> lines;
  std::vector<std::string> zones;

  bool operator==(const Places &) const = default;
};

Places places_of(const GstNpcCounts &counts);

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
  std::chrono::seconds expire_after{0};  ///< the state is of no use after that; 0: never
};

/// `npc_<site>_<camera>`, which names the device in topics and entities; with a hash behind it if
/// there is a _ in one of them.
std::string device_id(const std::string &site, const std::string &camera);

/// Where the discovery of a camera is retained.
class DiscoveryTopics {
 public:
  /// `id` names the device.
  DiscoveryTopics(const std::string &prefix, const std::string &id)
      : prefix_(prefix + "/"),
        tail_("/" + id + "/"),
        device_(prefix + "/device/" + id + "/config") {}

  /// Of the one message for the device.
  const std::string &device() const { return device_; }
  /// Of the message for one entity.
  std::string entity(const std::string &platform, const std::string &key) const;
  /// Whether it is one of those.
  bool is_entity(std::string_view topic) const;
  /// What all of them match, and next to nothing else.
  std::vector<std::string> filters() const;

 private:
  const std::string prefix_;
  const std::string tail_;
  const std::string device_;
};

/// What a broker retains there.
struct Listed {
  std::optional<Components> device;  ///< of the message for the device, if there is one
  std::set<std::string> entities;    ///< topics of the messages for entities

  /// Notes a message. Returns false if it is on none of the topics.
  bool note(const DiscoveryTopics &topics, const std::string &topic, std::string_view payload);
};

struct DiscoveryMessage {
  std::string topic;
  std::string payload;
};

/// What is to be retained, in this order, so that the camera is described in one form and nothing
/// else is left: an empty message removes one. `listed` is what is retained before, and then after.
std::vector<DiscoveryMessage> describe(const Device &device, DiscoveryForm form,
                                       const DiscoveryTopics &topics, Listed &listed);

}  // namespace npc::sink
