// SPDX-License-Identifier: LGPL-2.1-or-later
// MQTT in the frames of a WebSocket (RFC 6455, MQTT 5 section 6), from the client's side.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace npc::mqtt {

/// Makes and reads what is on the wire of one WebSocket. MQTT is a stream of bytes in it: the
/// bounds of frames mean nothing.
class WebSocket {
 public:
  /// The most that a frame adds to what is in it.
  static constexpr std::size_t kOverhead = 14;

  /// Throws std::runtime_error if there are no random numbers.
  WebSocket();

  /// What asks for a WebSocket at `path` of the server `host`.
  std::string request(std::string_view host, std::string_view path) const;
  /// Whether `answer`, up to its empty line, opens one for MQTT.
  bool is_open(std::string_view answer) const;

  /// A frame of `content`.
  static std::string wrap(std::span<const char> content);
  /// Adds what is in the frames to `content`, and what they want to be answered to `reply`. Returns
  /// false if the server ends the WebSocket, or sends what it must not.
  bool unwrap(std::span<const char> bytes, std::string *content, std::string *reply);

 private:
  bool begin_frame();

  std::string key_;
  std::string header_;  // of the frame that is read, until it is complete
  std::string ping_;    // what is in a frame of control
  std::uint64_t left_ = 0;
  unsigned opcode_ = 0;
  bool in_frame_ = false;
  bool in_message_ = false;  // more frames of it are to follow
};

/// Bytes as text, without line breaks.
std::string base64(std::span<const unsigned char> bytes);

}  // namespace npc::mqtt
