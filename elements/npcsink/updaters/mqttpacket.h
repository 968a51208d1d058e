// SPDX-License-Identifier: LGPL-2.1-or-later
// The packets of MQTT 3.1.1 and 5 that a publisher writes and reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace npc::mqtt {

/// The protocol level that CONNECT names.
enum class Version : std::uint8_t { k311 = 4, k5 = 5 };

enum class Type : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSubscribe = 8,
  kSuback = 9,
  kPingreq = 12,
  kPingresp = 13,
  kDisconnect = 14,
};

/// What came in is not MQTT, or more than we take.
class ProtocolError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Properties of a PUBLISH, encoded once for many messages. MQTT 3.1.1 does without.
class Properties {
 public:
  /// Of a UTF-8 payload of this media type.
  explicit Properties(std::string_view content_type);
  /// The broker forgets the message after so many seconds if nobody took it.
  Properties &expiry(std::uint32_t seconds);
  Properties &user(std::string_view name, std::string_view value);

  const std::string &encoded() const { return encoded_; }

 private:
  std::string encoded_;
};

/// A message to publish. What it points to lives elsewhere.
struct Message {
  std::string_view topic;
  std::string_view payload;
  int qos = 1;
  bool retained = false;
  std::string_view properties = {};
};

/// What CONNECT says.
struct Connect {
  Version version = Version::k5;
  std::string_view client_id;
  std::string_view user;  ///< empty for none
  std::string_view password;
  bool clean = false;                ///< the broker forgets the session of this client id first
  std::uint32_t session_expiry = 0;  ///< s, MQTT 5 only
  std::uint16_t keep_alive = 0;      ///< s
  Message will;
};

void append_connect(std::string &out, const Connect &connect);
/// `id` means nothing at QoS 0.
void append_publish(std::string &out, Version version, const Message &message, std::uint16_t id);
/// Subscribes at QoS 0; with MQTT 5 not to what we publish ourselves.
void append_subscribe(std::string &out, Version version, std::uint16_t id,
                      std::span<const std::string> filters);
void append_pubrel(std::string &out, std::uint16_t id);
void append_ping(std::string &out);
void append_disconnect(std::string &out);

/// A packet as it came.
struct Packet {
  Type type;
  unsigned flags;
  std::string_view body;
  std::size_t size;  ///< with its header
};

/// The first packet in `bytes`, or nothing if its end is missing. Throws ProtocolError.
std::optional<Packet> first_packet(std::string_view bytes);

/// The answer to CONNECT; a code of 0 is a yes.
struct Connack {
  bool session_present = false;
  std::uint8_t code = 0;
  std::uint16_t receive_maximum = 65535;
  std::optional<std::uint16_t> keep_alive;  ///< the broker's own choice, s
  int maximum_qos = 2;
  bool retain_available = true;
};

/// The answer to a packet that had an id; codes from 128 on are a no.
struct Ack {
  std::uint16_t id = 0;
  std::uint8_t code = 0;
};

/// A message of somebody else.
struct Arrived {
  std::string topic;
  std::string payload;
  bool retained = false;
};

// Each throws ProtocolError.
Connack read_connack(const Packet &packet, Version version);
/// PUBACK, PUBREC, PUBCOMP; of a SUBACK the worst code.
Ack read_ack(const Packet &packet, Version version);
Arrived read_publish(const Packet &packet, Version version);
/// Why the broker ends the connection: a code of MQTT 5.
std::uint8_t read_disconnect(const Packet &packet);

}  // namespace npc::mqtt
