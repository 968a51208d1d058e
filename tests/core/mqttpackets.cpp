// SPDX-License-Identifier: LGPL-2.1-or-later
// MQTT's packets: what is written, and that no broker can harm the reader.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "npcsink/updaters/mqttpacket.h"

namespace {

using namespace npc::mqtt;
using namespace std::string_literals;

// Reads a packet as the link does.
void read(const Packet &packet, Version version) {
  switch (packet.type) {
    case Type::kConnack:
      read_connack(packet, version);
      break;
    case Type::kPublish:
      read_publish(packet, version);
      break;
    case Type::kDisconnect:
      read_disconnect(packet);
      break;
    default:
      read_ack(packet, version);
  }
}

TEST(MqttPackets, WritesAPublish) {
  std::string out;
  const Message message{"a/b", "hi", 1, true, {}};
  append_publish(out, Version::k311, message, 258);
  EXPECT_EQ(out, "\x33\x09\0\x03"s + "a/b" + "\x01\x02" + "hi");
  out.clear();
  const Properties properties = Properties("t").expiry(1).user("k", "v");
  append_publish(out, Version::k5, {"a", "x", 0, false, properties.encoded()}, 0);
  EXPECT_EQ(out, "\x30\x17\0\x01"s + "a" +
                     "\x12\x01\x01\x03\0\x01t\x02\0\0\0\x01\x26\0\x01k\0\x01v"s + "x");
}

TEST(MqttPackets, WritesLongLengths) {
  for (const std::size_t size : {100u, 130u, 20000u, 500000u}) {
    const std::string payload(size, 'x');
    std::string out;
    append_publish(out, Version::k5, {"t", payload, 1, false, {}}, 7);
    const auto packet = first_packet(out);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->size, out.size());
    EXPECT_EQ(read_publish(*packet, Version::k5).payload, payload);
    EXPECT_FALSE(first_packet(std::string_view(out).substr(0, out.size() - 1)).has_value());
  }
}

TEST(MqttPackets, ReadsAConnack) {
  const std::string bytes = "\x20\x0b\x01\0\x08\x21\0\x14\x24\x01\x13\0\x3c"s;
  const Connack connack = read_connack(*first_packet(bytes), Version::k5);
  EXPECT_TRUE(connack.session_present);
  EXPECT_EQ(connack.code, 0);
  EXPECT_EQ(connack.receive_maximum, 20);
  EXPECT_EQ(connack.maximum_qos, 1);
  EXPECT_EQ(connack.keep_alive, 60);
  // An old broker answers in its own way.
  EXPECT_EQ(read_connack(*first_packet("\x20\x02\0\x01"s), Version::k5).code, 1);
}

TEST(MqttPackets, RefusesWhatIsNone) {
  EXPECT_THROW(first_packet("\x30\xff\xff\xff\xff\x01"s), ProtocolError);
  EXPECT_THROW(first_packet("\x30\xff\xff\xff\x7f"s), ProtocolError);
  EXPECT_FALSE(first_packet("\x30"s).has_value());
  EXPECT_THROW(read_ack(*first_packet("\x40\x01\0"s), Version::k5), ProtocolError);
  EXPECT_THROW(read_publish(*first_packet("\x30\x02\0\x09"s), Version::k5), ProtocolError);
  EXPECT_THROW(read_connack(*first_packet("\x20\x05\0\0\x02\x7f\0"s), Version::k5), ProtocolError);
  EXPECT_THROW(read_connack(*first_packet("\x20\x06\0\0\x03\x21\0\0"s), Version::k5),
               ProtocolError);
}

// Whatever comes, it is read or refused; AddressSanitizer watches.
TEST(MqttPackets, SurvivesAnything) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; i++) {
    std::string bytes(random() % 40, '\0');
    for (char &byte : bytes)
      byte = static_cast<char>(random() % 4 == 0 ? random() % 40 : random());
    if (bytes.size() > 1 && i % 2 == 0)
      bytes[1] = static_cast<char>(bytes.size() - 2);
    for (const Version version : {Version::k311, Version::k5}) {
      try {
        if (const auto packet = first_packet(bytes)) {
          EXPECT_LE(packet->size, bytes.size());
          read(*packet, version);
        }
      } catch (const ProtocolError &) {
      }
    }
  }
}

}  // namespace
