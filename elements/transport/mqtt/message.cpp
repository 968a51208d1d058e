// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties of MQTT 5, as the library keeps them, and what text a packet may hold.
#include "transport/mqtt/message.h"

#include "transport/mqtt/pahothread.h"

namespace npc::mqtt {

Properties::Properties(const char *content_type) {
  keep_paho();
  list_.add({::mqtt::property::PAYLOAD_FORMAT_INDICATOR, 1});
  list_.add({::mqtt::property::CONTENT_TYPE, content_type});
}

void Properties::set_expiry(std::uint32_t seconds) {
  list_.add({::mqtt::property::MESSAGE_EXPIRY_INTERVAL, static_cast<std::int32_t>(seconds)});
}

void Properties::add_user(const char *name, const char *value) {
  list_.add({::mqtt::property::USER_PROPERTY, name, value});
}

// Brokers may end the connection for what MQTT calls disallowed: control characters, and code
// points that are no characters.
bool is_text(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = byte(i++);
    const int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (first > 0xf4 || (more > 0 && first < 0xc2))
      return false;
    std::uint32_t code = more == 0 ? first : first & (0x3fu >> more);
    for (int k = 0; k < more; k++) {
      if (i == text.size() || (byte(i) & 0xc0) != 0x80)
        return false;
      code = code << 6 | (byte(i++) & 0x3fu);
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    const bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
    const bool nothing = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
    if (code < kLeast[more] || code > 0x10ffff || surrogate || control || nothing)
      return false;
  }
  return true;
}

}  // namespace npc::mqtt
