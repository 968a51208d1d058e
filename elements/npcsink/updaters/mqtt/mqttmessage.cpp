// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties of MQTT 5, as the library keeps them.
#include "mqttmessage.h"

#include <mqtt_protocol.h>

#include <new>

namespace npc::mqtt {
namespace {

void check(int result) {
  if (result != MOSQ_ERR_SUCCESS)
    throw std::bad_alloc();
}

}  // namespace

Properties::Properties(const char *content_type) {
  check(mosquitto_property_add_byte(&list_, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1));
  check(mosquitto_property_add_string(&list_, MQTT_PROP_CONTENT_TYPE, content_type));
}

void Properties::set_expiry(std::uint32_t seconds) {
  check(mosquitto_property_add_int32(&list_, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, seconds));
}

void Properties::add_user(const char *name, const char *value) {
  check(mosquitto_property_add_string_pair(&list_, MQTT_PROP_USER_PROPERTY, name, value));
}

}  // namespace npc::mqtt
