// SPDX-License-Identifier: LGPL-2.1-or-later
// MQTT in the frames of a WebSocket (RFC 6455, MQTT 5 section 6), from the client's side.
#include "transport/mqtt/websocket.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

namespace npc::mqtt {
namespace {

// Section 5.2 of RFC 6455.
constexpr unsigned kContinuation = 0, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr unsigned kFinal = 0x80, kMasked = 0x80;
constexpr std::size_t kMostControl = 125;

template <std::size_t kSize>
std::array<unsigned char, kSize> random_bytes() {
  std::array<unsigned char, kSize> bytes;
  if (RAND_bytes(bytes.data(), kSize) != 1)
    throw std::runtime_error("There are no random numbers");
  return bytes;
}

std::string frame(unsigned opcode, std::span<const char> content) {
  std::string text(1, static_cast<char>(kFinal | opcode));
  const std::size_t size = content.size();
  const unsigned more = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  text += static_cast<char>(kMasked | (more == 0 ? size : more == 2 ? 126 : 127));
  for (unsigned i = more; i-- > 0;)
    text += static_cast<char>(size >> 8 * i);
  const auto mask = random_bytes<4>();
  text.append(mask.begin(), mask.end());
  for (std::size_t i = 0; i < size; i++)
    text += static_cast<char>(static_cast<unsigned char>(content[i]) ^ mask[i % 4]);
  return text;
}

/// What `answer` says in the header field `name`, in lower case; empty if nothing.
std::string field(std::string_view answer, std::string_view name) {
  std::string text(answer);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = text.find("\r\n" + std::string(name) + ":");
  if (at == std::string::npos)
    return {};
  const auto begin = text.find_first_not_of(" \t", at + 2 + name.size() + 1);
  const auto end = text.find("\r\n", at + 2);
  return text.substr(std::min(begin, end), end - std::min(begin, end));
}

}  // namespace

std::string base64(std::span<const unsigned char> bytes) {
  std::string result(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(result.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  result.resize(static_cast<std::size_t>(size));
  return result;
}

WebSocket::WebSocket() : key_(base64(random_bytes<16>())) {}

std::string WebSocket::request(std::string_view host, std::string_view path) const {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key_ +
         "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
}

bool WebSocket::is_open(std::string_view answer) const {
  // Section 4.2.2, 5.4 of RFC 6455.
  const std::string text = key_ + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha1(), nullptr) != 1)
    return false;
  std::string expected = base64(std::span(hash).first(size));
  std::transform(expected.begin(), expected.end(), expected.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return answer.starts_with("HTTP/1.1 101 ") && field(answer, "upgrade") == "websocket" &&
         field(answer, "sec-websocket-accept") == expected &&
         field(answer, "sec-websocket-protocol") == "mqtt";
}

std::string WebSocket::wrap(std::span<const char> content) {
  return frame(kBinary, content);
}

/// Reads a header that is complete. Returns false if it breaks the rules.
bool WebSocket::begin_frame() {
  const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(header_[i]); };
  const bool final = byte(0) & kFinal;
  opcode_ = byte(0) & 15;
  left_ = byte(1);
  if (header_.size() > 2) {
    left_ = 0;
    for (std::size_t i = 2; i < header_.size(); i++)
      left_ = left_ << 8 | byte(i);
  }
  header_.clear();
  ping_.clear();
  in_frame_ = true;
  if (opcode_ >= kClose)
    return final && left_ <= kMostControl &&
           (opcode_ == kClose || opcode_ == kPing || opcode_ == kPong);
  if (opcode_ != (in_message_ ? kContinuation : kBinary))
    return false;
  in_message_ = !final;
  return left_ >> 63 == 0;
}

bool WebSocket::unwrap(std::span<const char> bytes, std::string *content, std::string *reply) {
  while (!bytes.empty() || (in_frame_ && left_ == 0)) {
    if (!in_frame_) {
      header_ += bytes.front();
      bytes = bytes.subspan(1);
      if (header_.size() < 2)
        continue;
      const auto first = static_cast<unsigned char>(header_[0]);
      const auto second = static_cast<unsigned char>(header_[1]);
      // No extension was agreed upon, and only clients mask.
      if ((first & 0x70) != 0 || (second & kMasked) != 0)
        return false;
      const std::size_t size = second == 126 ? 4 : second == 127 ? 10 : 2;
      if (header_.size() == size && !begin_frame())
        return false;
      continue;
    }
    const auto here =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
    (opcode_ < kClose ? content : &ping_)->append(here.begin(), here.end());
    bytes = bytes.subspan(here.size());
    left_ -= here.size();
    if (left_ > 0)
      continue;
    in_frame_ = false;
    if (opcode_ == kClose)
      return false;
    if (opcode_ == kPing)
      *reply += frame(kPong, ping_);
  }
  return true;
}

}  // namespace npc::mqtt
