// SPDX-License-Identifier: LGPL-2.1-or-later
// What is published and what arrives, for the library that speaks MQTT.
#pragma once

#include <mqtt/properties.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace npc::mqtt {

/// The version of the protocol, as CONNECT numbers it.
enum class Version : std::uint8_t { k311 = 4, k5 = 5 };

/// Properties of a PUBLISH, made once for many messages. MQTT 3.1.1 does without.
class Properties {
 public:
  /// Of a UTF-8 payload of this media type.
  explicit Properties(const char *content_type);
  Properties(const Properties &) = delete;
  Properties &operator=(const Properties &) = delete;
  /// The broker forgets the message after so many seconds if nobody took it.
  void set_expiry(std::uint32_t seconds);
  void add_user(const char *name, const char *value);

  const ::mqtt::properties &list() const { return list_; }

 private:
  ::mqtt::properties list_;
};

/// Whether `text` is UTF-8 that MQTT allows in topics and names.
bool is_text(std::string_view text);

/// A message to publish. What it points to lives elsewhere.
struct Message {
  const char *topic;
  std::string_view payload;
  int qos = 1;
  bool retained = false;
  const Properties *properties = nullptr;
};

/// A message of somebody else.
struct Arrived {
  std::string topic;
  std::string payload;
  bool retained = false;
};

}  // namespace npc::mqtt
