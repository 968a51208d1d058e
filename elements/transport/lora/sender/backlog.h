// SPDX-License-Identifier: LGPL-2.1-or-later
// Blocks that a gateway does not have yet, as far as the camera knows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "transport/lora/frame/block.h"

namespace npc::lora {

/// A boot, by its id, and the last window of a block in it.
using BlockKey = std::pair<std::uint32_t, std::uint32_t>;

class Backlog {
 public:
  /// More blocks than `most`, and old ones are merged to longer ones.
  explicit Backlog(std::size_t most) : most_(most) {}

  /// Adds a block, newer than all others. `first_record` is the number of the first record in it.
  void add(std::uint32_t boot, const Block &block, std::uint64_t first_record);

  /// The newest block, if it was not sent yet.
  std::optional<BlockKey> fresh() const;
  /// The oldest block that was not sent yet, or is known to be lost, and is not fresh().
  std::optional<BlockKey> resend() const;
  /// The oldest block of all.
  std::optional<BlockKey> oldest() const;
  const Block &at(const BlockKey &key) const { return pending_.at(key).block; }
  /// The blocks just before this one that are as long, the newest first; up to `most`.
  std::vector<BlockPeople> history(const BlockKey &key, std::size_t most) const;

  /// A block was sent. Without acks (`keep` is false) that is all that can be had.
  void sent(const BlockKey &key, Time when, bool keep);
  /// A gateway has said what it has of a boot. What it does not have, and was sent before
  /// `sent_before`, is lost.
  void acknowledged(std::uint32_t boot, const AckFrame &ack, Time sent_before);
  /// What was sent of older boots before that time, and never acknowledged, is taken for lost.
  void give_up_waiting(std::uint32_t newest_boot, Time sent_before);
  /// All must be sent again.
  void resend_all();
  /// A boot is not remembered any more.
  void forget(std::uint32_t boot);

  /// The oldest block of a boot.
  const Block *oldest(std::uint32_t boot) const;
  /// The number of the first record that is in a block here.
  std::optional<std::uint64_t> first_record() const;
  std::size_t size() const { return pending_.size(); }
  /// How many windows had to be given up.
  std::uint64_t windows_given_up() const { return given_up_; }

 private:
  enum class State { kUnsent, kSent, kLost };
  struct Pending {
    Block block;
    std::uint64_t first_record = 0;
    State state = State::kUnsent;
    Time sent{0};
  };
  using Blocks = std::map<BlockKey, Pending>;

  bool merge_pair();

  const std::size_t most_;
  Blocks pending_;
  std::vector<std::pair<BlockKey, Block>> recent_;  // also acknowledged ones, for the history
  std::uint64_t given_up_ = 0;
};

}  // namespace npc::lora
