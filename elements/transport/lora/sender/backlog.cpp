// SPDX-License-Identifier: LGPL-2.1-or-later
// The blocks of a camera that wait to be sent, or for their ack.
#include "transport/lora/sender/backlog.h"

#include <algorithm>
#include <array>

namespace npc::lora {
namespace {

// The newest ones are never merged: they are the ones that acks can name.
constexpr std::size_t kNeverMerged = kBitmapBits;
constexpr std::size_t kRecent = 4;

/// Whether an ack says that all windows of a block are there.
bool has_all(const AckFrame &ack, std::uint32_t next, const Block &block) {
  if (block.seq < next)
    return true;
  const std::uint32_t last = (block.seq - next) / ack.windows;
  for (std::uint32_t bit = (std::max(block.first(), next) - next) / ack.windows; bit <= last;
       ++bit) {
    if (bit >= kBitmapBits || (ack.bitmap >> bit & 1) == 0)
      return false;
  }
  return true;
}

}  // namespace

void Backlog::add(std::uint32_t boot, const Block &block, std::uint64_t first_record) {
  const BlockKey key = {boot, block.seq};
  pending_[key] = {block, first_record, State::kUnsent, Time(0)};
  if (recent_.size() == kRecent)
    recent_.erase(recent_.begin());
  recent_.emplace_back(key, block);
  while (pending_.size() > most_ && merge_pair()) {
  }
  // Blocks of all lengths in turn cannot be merged, and there must be an end to it.
  while (pending_.size() > 4 * most_) {
    given_up_ += pending_.begin()->second.block.windows;
    pending_.erase(pending_.begin());
  }
}

bool Backlog::merge_pair() {
  if (pending_.size() <= kNeverMerged)
    return false;
  const auto end = std::prev(pending_.end(), kNeverMerged);
  auto best = end;
  for (auto at = pending_.begin(); std::next(at) != end && at != end; ++at) {
    const Block &one = at->second.block, &two = std::next(at)->second.block;
    if (at->first.first == std::next(at)->first.first && one.seq + 1 == two.first() &&
        one.windows == two.windows && largest_windows(2 * one.windows) == 2 * one.windows &&
        (best == end || one.windows < best->second.block.windows))
      best = at;
  }
  if (best == end)
    return false;
  Pending &one = best->second, &two = std::next(best)->second;
  const std::array<Block, 2> blocks = {one.block, two.block};
  two.block = merge(blocks);
  two.first_record = one.first_record;
  if (one.state != two.state)
    two.state = State::kLost;
  two.sent = std::max(one.sent, two.sent);
  pending_.erase(best);
  return true;
}

std::optional<BlockKey> Backlog::fresh() const {
  if (pending_.empty() || pending_.rbegin()->second.state != State::kUnsent)
    return std::nullopt;
  return pending_.rbegin()->first;
}

std::optional<BlockKey> Backlog::resend() const {
  const std::optional<BlockKey> newest = fresh();
  for (const auto &[key, pending] : pending_) {
    if (pending.state != State::kSent && key != newest)
      return key;
  }
  return std::nullopt;
}

std::optional<BlockKey> Backlog::oldest() const {
  if (pending_.empty())
    return std::nullopt;
  return pending_.begin()->first;
}

std::vector<BlockPeople> Backlog::history(const BlockKey &key, std::size_t most) const {
  std::vector<BlockPeople> history;
  const Block *block = &at(key);
  const std::uint32_t windows = block->windows;
  while (history.size() < most && block->first() > 0) {
    const BlockKey before = {key.first, block->first() - 1};
    const auto recent = std::find_if(recent_.begin(), recent_.end(), [&before](const auto &entry) {
      return entry.first == before;
    });
    const auto pending = pending_.find(before);
    if (recent != recent_.end())
      block = &recent->second;
    else if (pending != pending_.end())
      block = &pending->second.block;
    else
      break;
    if (block->windows != windows)
      break;
    history.push_back(block->people);
  }
  return history;
}

void Backlog::sent(const BlockKey &key, Time when, bool keep) {
  const auto found = pending_.find(key);
  if (found == pending_.end())
    return;
  if (keep) {
    found->second.state = State::kSent;
    found->second.sent = when;
  } else {
    pending_.erase(found);
  }
}

void Backlog::acknowledged(std::uint32_t boot, const AckFrame &ack, Time sent_before) {
  const std::uint32_t next = ack.head.seq == kNoSeq ? 0 : ack.head.seq + 1;
  auto at = pending_.lower_bound({boot, 0});
  while (at != pending_.end() && at->first.first == boot) {
    Pending &pending = at->second;
    if (has_all(ack, next, pending.block)) {
      at = pending_.erase(at);
      continue;
    }
    const bool is_named = (pending.block.seq - next) / ack.windows < kBitmapBits;
    if (is_named && pending.state == State::kSent && pending.sent < sent_before)
      pending.state = State::kLost;
    ++at;
  }
}

void Backlog::give_up_waiting(std::uint32_t newest_boot, Time sent_before) {
  for (auto &[key, pending] : pending_) {
    if (key.first < newest_boot && pending.state == State::kSent && pending.sent < sent_before)
      pending.state = State::kLost;
  }
}

void Backlog::resend_all() {
  for (auto &[key, pending] : pending_) {
    if (pending.state == State::kSent)
      pending.state = State::kLost;
  }
}

void Backlog::forget(std::uint32_t boot) {
  for (auto at = pending_.lower_bound({boot, 0}); at != pending_.end() && at->first.first == boot;
       at = pending_.erase(at))
    given_up_ += at->second.block.windows;
}

const Block *Backlog::oldest(std::uint32_t boot) const {
  const auto found = pending_.lower_bound({boot, 0});
  return found == pending_.end() || found->first.first != boot ? nullptr : &found->second.block;
}

std::optional<std::uint64_t> Backlog::first_record() const {
  if (pending_.empty())
    return std::nullopt;
  return pending_.begin()->second.first_record;
}

}  // namespace npc::lora
