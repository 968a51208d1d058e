// SPDX-License-Identifier: LGPL-2.1-or-later
// MQTT's encoding. The broker is a stranger: every length it sends is checked.
#include "mqttpacket.h"

#include <algorithm>

namespace npc::mqtt {
namespace {

// Nothing that we ask for comes near it.
constexpr std::size_t kMostPacket = 1 << 20;
constexpr std::size_t kMostText = 65535;
constexpr int kMostLengthBytes = 4;

enum PropertyId : std::uint8_t {
  kPayloadFormat = 0x01,
  kMessageExpiry = 0x02,
  kContentType = 0x03,
  kSessionExpiry = 0x11,
  kServerKeepAlive = 0x13,
  kReceiveMaximum = 0x21,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
};

void append_byte(std::string &out, unsigned value) {
  out += static_cast<char>(value & 0xff);
}

void append_16(std::string &out, unsigned value) {
  append_byte(out, value >> 8);
  append_byte(out, value);
}

void append_32(std::string &out, std::uint32_t value) {
  append_16(out, value >> 16);
  append_16(out, value & 0xffff);
}

void append_length(std::string &out, std::size_t length) {
  do {
    append_byte(out, static_cast<unsigned>(length % 128) | (length >= 128 ? 128 : 0));
    length /= 128;
  } while (length > 0);
}

void append_text(std::string &out, std::string_view text) {
  if (text.size() > kMostText)
    throw std::length_error("a text for MQTT is longer than 65535 bytes");
  append_16(out, static_cast<unsigned>(text.size()));
  out += text;
}

void append_header(std::string &out, Type type, unsigned flags, std::size_t length) {
  append_byte(out, static_cast<unsigned>(type) << 4 | flags);
  append_length(out, length);
}

std::size_t length_size(std::size_t length) {
  return length < 128 ? 1 : length < 16384 ? 2 : length < 2097152 ? 3 : 4;
}

// Reads the body of a packet from its front.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string_view take(std::size_t size) {
    if (size > rest_.size())
      throw ProtocolError("a packet ends too early");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : take(size))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::size_t length() {
    std::size_t value = 0;
    for (int i = 0; i < kMostLengthBytes; i++) {
      const std::uint32_t byte = number(1);
      value |= static_cast<std::size_t>(byte & 127) << (7 * i);
      if (byte < 128)
        return value;
    }
    throw ProtocolError("a length has more than four bytes");
  }
  std::string_view text() { return take(number(2)); }

 private:
  std::string_view rest_;
};

// Calls `take` with the id and the value of each property that is a number.
template <typename Take>
void read_properties(Reader &reader, Take take) {
  if (reader.empty())  // Brokers may leave out an empty list.
    return;
  Reader properties(reader.take(reader.length()));
  while (!properties.empty()) {
    const std::uint32_t id = properties.number(1);
    switch (id) {
      case 0x01:
      case 0x17:
      case 0x19:
      case 0x24:
      case 0x25:
      case 0x28:
      case 0x29:
      case 0x2a:
        take(id, properties.number(1));
        break;
      case 0x13:
      case 0x21:
      case 0x22:
      case 0x23:
        take(id, properties.number(2));
        break;
      case 0x02:
      case 0x11:
      case 0x18:
      case 0x27:
        take(id, properties.number(4));
        break;
      case 0x0b:
        properties.length();
        break;
      case kUserProperty:
        properties.text();
        properties.text();
        break;
      case 0x03:
      case 0x08:
      case 0x09:
      case 0x12:
      case 0x15:
      case 0x16:
      case 0x1a:
      case 0x1c:
      case 0x1f:
        properties.text();
        break;
      default:
        throw ProtocolError("there is an unknown property");
    }
  }
}

void skip_properties(Reader &reader) {
  read_properties(reader, [](std::uint32_t, std::uint32_t) {});
}

}  // namespace

Properties::Properties(std::string_view content_type) {
  append_byte(encoded_, kPayloadFormat);
  append_byte(encoded_, 1);
  append_byte(encoded_, kContentType);
  append_text(encoded_, content_type);
}

Properties &Properties::expiry(std::uint32_t seconds) {
  append_byte(encoded_, kMessageExpiry);
  append_32(encoded_, seconds);
  return *this;
}

Properties &Properties::user(std::string_view name, std::string_view value) {
  append_byte(encoded_, kUserProperty);
  append_text(encoded_, name);
  append_text(encoded_, value);
  return *this;
}

void append_connect(std::string &out, const Connect &connect) {
  const bool five = connect.version == Version::k5;
  std::string body;
  append_text(body, "MQTT");
  append_byte(body, static_cast<unsigned>(connect.version));
  append_byte(body, (connect.user.empty() ? 0u : 0x80u) | (connect.password.empty() ? 0u : 0x40u) |
                        (connect.will.retained ? 0x20u : 0u) |
                        static_cast<unsigned>(connect.will.qos) << 3 | 0x04u |
                        (connect.clean ? 0x02u : 0u));
  append_16(body, connect.keep_alive);
  if (five) {
    append_length(body, 5);
    append_byte(body, kSessionExpiry);
    append_32(body, connect.session_expiry);
  }
  append_text(body, connect.client_id);
  if (five) {
    append_length(body, connect.will.properties.size());
    body += connect.will.properties;
  }
  append_text(body, connect.will.topic);
  append_text(body, connect.will.payload);
  if (!connect.user.empty())
    append_text(body, connect.user);
  // The password is the last, and nothing is written behind it: no copy of it is left by growing.
  append_header(out, Type::kConnect, 0,
                body.size() + (connect.password.empty() ? 0 : 2 + connect.password.size()));
  out.reserve(out.size() + body.size() + 2 + connect.password.size());
  out += body;
  if (!connect.password.empty())
    append_text(out, connect.password);
}

void append_publish(std::string &out, Version version, const Message &message, std::uint16_t id) {
  const bool five = version == Version::k5;
  const std::size_t properties = message.properties.size();
  append_header(out, Type::kPublish,
                static_cast<unsigned>(message.qos) << 1 | (message.retained ? 1u : 0u),
                2 + message.topic.size() + (message.qos > 0 ? 2 : 0) +
                    (five ? length_size(properties) + properties : 0) + message.payload.size());
  append_text(out, message.topic);
  if (message.qos > 0)
    append_16(out, id);
  if (five) {
    append_length(out, properties);
    out += message.properties;
  }
  out += message.payload;
}

void append_subscribe(std::string &out, Version version, std::uint16_t id,
                      std::span<const std::string> filters) {
  constexpr unsigned kNoLocal = 4;
  std::string body;
  append_16(body, id);
  if (version == Version::k5)
    append_length(body, 0);
  for (const std::string &filter : filters) {
    append_text(body, filter);
    append_byte(body, version == Version::k5 ? kNoLocal : 0);
  }
  append_header(out, Type::kSubscribe, 2, body.size());
  out += body;
}

void append_pubrel(std::string &out, std::uint16_t id) {
  append_header(out, Type::kPubrel, 2, 2);
  append_16(out, id);
}

void append_ping(std::string &out) {
  append_header(out, Type::kPingreq, 0, 0);
}

void append_disconnect(std::string &out) {
  append_header(out, Type::kDisconnect, 0, 0);
}

std::optional<Packet> first_packet(std::string_view bytes) {
  if (bytes.size() < 2)
    return std::nullopt;
  std::size_t length = 0;
  std::size_t at = 1;
  for (;; at++) {
    if (at > kMostLengthBytes)
      throw ProtocolError("a packet's length has more than four bytes");
    if (at >= bytes.size())
      return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes[at]);
    length |= static_cast<std::size_t>(byte & 127) << (7 * (at - 1));
    if (byte < 128)
      break;
  }
  if (length > kMostPacket)
    throw ProtocolError("a packet is longer than a megabyte");
  const std::size_t header = at + 1;
  if (bytes.size() < header + length)
    return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes.front());
  return Packet{static_cast<Type>(first >> 4), first & 15u, bytes.substr(header, length),
                header + length};
}

Connack read_connack(const Packet &packet, Version version) {
  Reader reader(packet.body);
  Connack connack;
  connack.session_present = (reader.number(1) & 1) != 0;
  connack.code = static_cast<std::uint8_t>(reader.number(1));
  if (version == Version::k311)
    return connack;
  read_properties(reader, [&](std::uint32_t id, std::uint32_t value) {
    if (id == kReceiveMaximum)
      connack.receive_maximum = static_cast<std::uint16_t>(value);
    else if (id == kServerKeepAlive)
      connack.keep_alive = static_cast<std::uint16_t>(value);
    else if (id == kMaximumQos)
      connack.maximum_qos = static_cast<int>(value);
    else if (id == kRetainAvailable)
      connack.retain_available = value != 0;
  });
  if (connack.receive_maximum == 0)
    throw ProtocolError("a receive maximum of 0 is not allowed");
  return connack;
}

Ack read_ack(const Packet &packet, Version version) {
  Reader reader(packet.body);
  Ack ack{static_cast<std::uint16_t>(reader.number(2)), 0};
  if (packet.type == Type::kSuback) {
    if (version == Version::k5)
      skip_properties(reader);
    for (const char code : reader.rest())
      ack.code = std::max(ack.code, static_cast<std::uint8_t>(code));
  } else if (version == Version::k5 && !reader.empty()) {
    ack.code = static_cast<std::uint8_t>(reader.number(1));
  }
  return ack;
}

Arrived read_publish(const Packet &packet, Version version) {
  Reader reader(packet.body);
  Arrived arrived;
  arrived.topic = reader.text();
  arrived.retained = (packet.flags & 1) != 0;
  // We subscribe at QoS 0, but a session may hold what another program subscribed to.
  if ((packet.flags & 6) != 0)
    reader.number(2);
  if (version == Version::k5)
    skip_properties(reader);
  arrived.payload = reader.rest();
  return arrived;
}

std::uint8_t read_disconnect(const Packet &packet) {
  return packet.body.empty() ? 0 : static_cast<std::uint8_t>(packet.body.front());
}

}  // namespace npc::mqtt
