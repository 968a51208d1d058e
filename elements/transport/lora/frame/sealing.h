// SPDX-License-Identifier: LGPL-2.1-or-later
// The keys of a camera, and how frames are sealed with them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "transport/lora/frame/frame.h"

namespace npc::lora {

constexpr std::size_t kKeyBytes = 32;

/// A secret that is overwritten when it goes.
class Key {
 public:
  Key() = default;
  explicit Key(const std::array<std::uint8_t, kKeyBytes> &bytes) : bytes_(bytes) {}
  Key(const Key &) = default;
  Key &operator=(const Key &) = default;
  ~Key();
  const std::uint8_t *data() const { return bytes_.data(); }
  std::uint8_t *data() { return bytes_.data(); }
  bool operator==(const Key &other) const;

 private:
  std::array<std::uint8_t, kKeyBytes> bytes_{};
};

/// Reads 64 hexadecimal digits; nothing else is a key.
std::optional<Key> parse_key(std::string_view text);

enum class Direction { kUp, kDown };  ///< from the camera, to it

/// What is derived from a camera's key: for each direction one key for tags, one to encrypt.
///
/// The tag is a keyed BLAKE2b of head and body in clear, and the nonce of XChaCha20 is made of head
/// and tag: this is SIV, so a boot number that is used twice shows no more than that two frames are
/// equal.
class Keys {
 public:
  /// Throws std::runtime_error if libsodium does not work on this machine.
  explicit Keys(const Key &master);
  Keys(const Keys &) = delete;
  Keys &operator=(const Keys &) = delete;

  Bytes seal(const PlainFrame &plain, Direction direction) const;
  /// Nothing, if that is no frame made by seal() with this key for this direction.
  std::optional<PlainFrame> open(std::span<const std::uint8_t> frame, Direction direction) const;

  /// Differs where keys differ, and does not show them: 16 hexadecimal digits.
  const std::string &id() const { return id_; }

 private:
  struct Pair {
    Key mac, enc;
  };
  const Pair &pair(Direction direction) const { return direction == Direction::kUp ? up_ : down_; }

  Pair up_, down_;
  std::string id_;
};

/// A hello's tag of the record's boot.
std::uint16_t boot_tag_of(std::string_view boot);

}  // namespace npc::lora
