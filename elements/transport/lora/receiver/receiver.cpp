// SPDX-License-Identifier: LGPL-2.1-or-later
// Reception, storing, acknowledging.
#include "transport/lora/receiver/receiver.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace npc::lora {
namespace {

// An ack is sent after so many frames, even if nobody asks for one, and after fewer if a block is
// missing that no frame will bring by itself.
constexpr int kFramesToAck = 8, kFramesToAckGap = 3;
// What was sent before may be sent by anybody, who must not use up the budget.
constexpr Time kRepeatedAcks = std::chrono::seconds(30);

Reception apply(const Frame &frame, std::int64_t began_ms, CameraState *state) {
  if (const auto *hello = std::get_if<HelloFrame>(&frame))
    return state->apply(*hello);
  return state->apply(std::get<CountsFrame>(frame), began_ms);
}

}  // namespace

std::string boot_name(std::uint16_t boot) {
  char name[16];
  std::snprintf(name, sizeof(name), "lora-%04x", boot);
  return name;
}

Receiver::Link::Link(const Camera &of) : camera(of), key(of.key) {
  if (of.next_key)
    next_key = std::make_unique<Keys>(*of.next_key);
}

Receiver::Receiver(const std::vector<Camera> &cameras, const Modulation &modulation,
                   std::uint32_t duty, Time now)
    : modulation_(modulation), budget_(duty, now) {
  for (const Camera &camera : cameras)
    links_.try_emplace(camera.number, camera);
}

const Keys *Receiver::open(const Link &link, std::span<const std::uint8_t> bytes,
                           Frame *frame) const {
  const Keys *const next = link.next_key.get();
  // Once the next key was used, whoever knows the old one is not the camera.
  const bool old_is_over = next && link.live.key_id == next->id();
  for (const Keys *keys : {old_is_over ? nullptr : &link.key, next}) {
    if (!keys)
      continue;
    const std::optional<PlainFrame> plain = keys->open(bytes, Direction::kUp);
    if (!plain)
      continue;
    std::optional<Frame> decoded = decode(*plain);
    if (!decoded || std::holds_alternative<AckFrame>(*decoded))
      return nullptr;
    *frame = std::move(*decoded);
    return keys;
  }
  return nullptr;
}

Received Receiver::receive(std::span<const std::uint8_t> bytes, std::int64_t began_ms, int rssi,
                           Time now) {
  using Outcome = Received::Outcome;
  Received received;
  if (bytes.size() < kHeadBytes)
    return received;
  const auto found = links_.find(bytes[1]);
  if (found == links_.end())
    return received;
  Link &link = found->second;
  Frame frame;
  const Keys *keys = open(link, bytes, &frame);
  if (!keys)
    return received;
  if (unstored_.size() >= kMostUnstored) {
    received.outcome = Outcome::kBusy;
    return received;
  }
  received.camera = &link.camera;
  link.rssi = rssi;
  link.phase = head_of(frame).phase;
  const auto *counts = std::get_if<CountsFrame>(&frame);
  if (link.live.is_stale(head_of(frame).boot)) {
    received.outcome = Outcome::kStale;
    received.reception.events.push_back({Event::Kind::kStaleBoot, head_of(frame).boot, {}});
  } else if (counts && link.live.is_known(*counts)) {
    received.outcome = Outcome::kRepeated;
  } else {
    received.outcome = Outcome::kAccepted;
    accept(&link, frame, keys->id(), {Bytes(bytes.begin(), bytes.end()), began_ms, rssi},
           &received);
  }
  consider_ack(&link, frame, received, now);
  return received;
}

void Receiver::accept(Link *link, const Frame &frame, const std::string &key_id, KeptFrame kept,
                      Received *received) {
  const bool is_new_key =
      link->next_key && key_id == link->next_key->id() && link->live.key_id != key_id;
  link->live.use_key(key_id);
  received->reception = apply(frame, kept.began_ms, &link->live);
  if (is_new_key)
    received->reception.events.push_back({Event::Kind::kNewKey, head_of(frame).boot, {}});
  received->ticket = ++last_ticket_;
  unstored_.push_back(
      {last_ticket_, link, frame, std::move(kept), key_id, !received->reception.blocks.empty()});
  // What has no records waits for those before it only.
  stored(stored_ticket_);
}

void Receiver::store_front() {
  const Unstored &front = unstored_.front();
  front.link->stored.use_key(front.key_id);
  // The same as when it was received; nothing of it is published twice.
  (void)apply(front.frame, front.kept.began_ms, &front.link->stored);
  stored_ticket_ = front.ticket;
  unstored_.pop_front();
}

void Receiver::stored(std::uint64_t ticket) {
  while (!unstored_.empty() &&
         (unstored_.front().ticket <= ticket || !unstored_.front().has_records))
    store_front();
}

std::vector<KeptFrame> Receiver::unstored() const {
  std::vector<KeptFrame> frames;
  for (const Unstored &unstored : unstored_)
    frames.push_back(unstored.kept);
  return frames;
}

void Receiver::forget_unstored() {
  for (const Unstored &unstored : unstored_)
    unstored.link->live = unstored.link->stored;
  unstored_.clear();
  stored_ticket_ = last_ticket_;
}

void Receiver::consider_ack(Link *link, const Frame &frame, const Received &received, Time now) {
  using Outcome = Received::Outcome;
  const Head &head = head_of(frame);
  const bool wanted = head.wanted;
  ++link->since_ack;
  bool due = wanted;
  if (received.outcome != Outcome::kStale && link->live.listens(head.boot)) {
    const auto *counts = std::get_if<CountsFrame>(&frame);
    due |= link->since_ack >= kFramesToAck ||
           (link->since_ack >= kFramesToAckGap && counts && link->live.has_hole_before(*counts));
  }
  if (received.outcome != Outcome::kAccepted && link->acked && now - *link->acked < kRepeatedAcks)
    due = false;
  if (!due)
    return;
  link->ack_is_due = true;
  link->ack_boot = received.outcome == Outcome::kStale ? link->live.newest_boot() : head.boot;
  link->ack_ticket = std::max(link->ack_ticket, received.ticket);
}

std::optional<Receiver::Ack> Receiver::next_ack(Time now) {
  const Time airtime = time_on_air(modulation_, kAckBytes);
  for (auto &[number, link] : links_) {
    if (!link.ack_is_due || link.ack_ticket > stored_ticket_)
      continue;
    link.ack_is_due = false;
    if (!budget_.allows(airtime, now))
      continue;
    budget_.take(airtime);
    link.since_ack = 0;
    link.acked = now;
    AckFrame ack = link.stored.ack_of(link.ack_boot);
    ack.head.camera = number;
    ack.head.phase = link.phase;
    ack.rssi = static_cast<std::int8_t>(std::clamp(link.rssi, -128, 127));
    const bool is_next = link.next_key && link.stored.key_id == link.next_key->id();
    const std::optional<PlainFrame> plain = encode(ack);
    if (plain)
      return Ack{number, (is_next ? *link.next_key : link.key).seal(*plain, Direction::kDown),
                 airtime};
  }
  return std::nullopt;
}

std::map<std::uint16_t, std::vector<Range>> Receiver::gaps(std::uint8_t camera) const {
  std::map<std::uint16_t, std::vector<Range>> gaps;
  const auto found = links_.find(camera);
  if (found == links_.end())
    return gaps;
  for (const auto &[boot, state] : found->second.live.boots) {
    std::vector<Range> holes = state.covered.holes();
    if (state.tag && !state.covered.empty() && state.covered.first() > state.start)
      holes.insert(holes.begin(), {state.start, state.covered.first() - 1});
    gaps[boot] = std::move(holes);
  }
  return gaps;
}

}  // namespace npc::lora
