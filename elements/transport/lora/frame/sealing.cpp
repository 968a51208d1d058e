// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealing of frames with libsodium.
#include "transport/lora/frame/sealing.h"

#include <sodium.h>

#include <algorithm>
#include <stdexcept>

namespace npc::lora {
namespace {

constexpr char kContext[] = "npc-lora";
static_assert(sizeof(kContext) - 1 == crypto_kdf_CONTEXTBYTES);
static_assert(kKeyBytes == crypto_kdf_KEYBYTES);
static_assert(kKeyBytes == crypto_stream_xchacha20_KEYBYTES);
// The identifiers of what is derived.
constexpr std::uint64_t kMacUp = 1, kEncUp = 2, kMacDown = 3, kEncDown = 4, kKeyId = 5;
constexpr std::size_t kHashBytes = 16, kIdBytes = 8;

using Tag = std::array<std::uint8_t, kTagBytes>;

Key derived(const Key &master, std::uint64_t identifier) {
  Key key;
  crypto_kdf_derive_from_key(key.data(), kKeyBytes, identifier, kContext, master.data());
  return key;
}

Tag tag_of(const Key &mac, const PlainFrame &plain) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, mac.data(), kKeyBytes, kHashBytes);
  crypto_generichash_update(&state, plain.head.data(), plain.head.size());
  crypto_generichash_update(&state, plain.body.data(), plain.body.size());
  std::uint8_t hash[kHashBytes];
  crypto_generichash_final(&state, hash, kHashBytes);
  Tag tag;
  std::copy_n(hash, tag.size(), tag.begin());
  return tag;
}

Bytes crypted(const Key &enc, const PlainFrame &frame, const Tag &tag) {
  std::array<std::uint8_t, crypto_stream_xchacha20_NONCEBYTES> nonce{};
  const auto after_head = std::copy(frame.head.begin(), frame.head.end(), nonce.begin());
  std::copy(tag.begin(), tag.end(), after_head);
  Bytes result(frame.body.size());
  if (result.empty())
    return result;
  crypto_stream_xchacha20_xor(result.data(), frame.body.data(), frame.body.size(), nonce.data(),
                              enc.data());
  return result;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Key::~Key() {
  sodium_memzero(bytes_.data(), bytes_.size());
}

bool Key::operator==(const Key &other) const {
  return sodium_memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
}

std::optional<Key> parse_key(std::string_view text) {
  if (text.size() != 2 * kKeyBytes)
    return std::nullopt;
  Key key;
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    key.data()[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return key;
}

Keys::Keys(const Key &master) {
  if (sodium_init() < 0)
    throw std::runtime_error("libsodium does not work: this system gives no random numbers.");
  up_ = {derived(master, kMacUp), derived(master, kEncUp)};
  down_ = {derived(master, kMacDown), derived(master, kEncDown)};
  const Key identity = derived(master, kKeyId);
  char digits[2 * kIdBytes + 1];
  id_ = sodium_bin2hex(digits, sizeof(digits), identity.data(), kIdBytes);
}

Bytes Keys::seal(const PlainFrame &plain, Direction direction) const {
  const Tag tag = tag_of(pair(direction).mac, plain);
  const Bytes body = crypted(pair(direction).enc, plain, tag);
  Bytes frame(plain.head.begin(), plain.head.end());
  frame.insert(frame.end(), body.begin(), body.end());
  frame.insert(frame.end(), tag.begin(), tag.end());
  return frame;
}

std::optional<PlainFrame> Keys::open(std::span<const std::uint8_t> frame,
                                     Direction direction) const {
  if (frame.size() < kHeadBytes + kTagBytes || frame.size() > kMostBytes)
    return std::nullopt;
  PlainFrame plain;
  Tag tag;
  std::copy_n(frame.begin(), kHeadBytes, plain.head.begin());
  std::copy(frame.end() - kTagBytes, frame.end(), tag.begin());
  plain.body.assign(frame.begin() + kHeadBytes, frame.end() - kTagBytes);
  plain.body = crypted(pair(direction).enc, plain, tag);
  const Tag expected = tag_of(pair(direction).mac, plain);
  if (sodium_memcmp(expected.data(), tag.data(), tag.size()) != 0)
    return std::nullopt;
  return plain;
}

std::uint16_t boot_tag_of(std::string_view boot) {
  std::uint8_t hash[kHashBytes];
  crypto_generichash(hash, kHashBytes, reinterpret_cast<const std::uint8_t *>(boot.data()),
                     boot.size(), nullptr, 0);
  return static_cast<std::uint16_t>(hash[0] << 8 | hash[1]);
}

}  // namespace npc::lora
