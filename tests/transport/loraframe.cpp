// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames over the air: their layout, their seal, and what is refused.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "transport/lora/frame/block.h"
#include "transport/lora/frame/frame.h"
#include "transport/lora/frame/sealing.h"

namespace {

using namespace npc;
using namespace npc::lora;

std::string hex(const auto &bytes) {
  std::string text;
  char digits[3];
  for (const std::uint8_t byte : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

Key counting_key() {
  std::array<std::uint8_t, kKeyBytes> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(i);
  return Key(bytes);
}

// The test vector of the design.
CountsFrame known_counts() {
  CountsFrame frame;
  frame.head = {7, 42, 48213, false, false};
  frame.windows = 15;
  frame.window_ms = 2000;
  frame.age_ms = 1300;
  frame.flags = 16;
  frame.people = {3, 4, 1, 1};
  frame.lines = {{1204, 1187}};
  frame.history = {{2, 3, 0, 1}, {5, 6, 2, 0}};
  return frame;
}

AckFrame known_ack() {
  AckFrame frame;
  frame.head = {7, 42, 48198, false, false};
  frame.windows = 15;
  frame.bitmap = 5u << 21;
  frame.rssi = -97;
  return frame;
}

TEST(LoraFrames, AreTheKnownOnesByteForByte) {
  const Keys keys(counting_key());
  const PlainFrame counts = *encode(known_counts());
  EXPECT_EQ(hex(counts.head), "0107002a00bc55");
  EXPECT_EQ(hex(counts.body), "e014000d100304010104b404a3020301050620");
  EXPECT_EQ(hex(keys.seal(counts, Direction::kUp)),
            "0107002a00bc552ec31e79be317cc70a8de9568fea2b4a4ee9a265d151f1dc87");
  const PlainFrame ack = *encode(known_ack());
  EXPECT_EQ(hex(ack.body), "e0a000009f");
  EXPECT_EQ(hex(keys.seal(ack, Direction::kDown)), "1007002a00bc46a56986140d4f0e23150f6c");
}

TEST(LoraFrames, AreAsLongAsTheyAreSaidToBe) {
  const Keys keys(counting_key());
  for (std::size_t lines = 0; lines <= 2; ++lines) {
    CountsFrame counts = known_counts();
    counts.lines.assign(lines, {1, 2});
    counts.history.clear();
    EXPECT_EQ(keys.seal(*encode(counts), Direction::kUp).size(), counts_frame_bytes(lines, 0));
    HelloFrame hello;
    hello.lines.assign(lines, {1, 2});
    EXPECT_EQ(keys.seal(*encode(hello), Direction::kUp).size(), hello_frame_bytes(lines));
  }
  EXPECT_EQ(keys.seal(*encode(known_ack()), Direction::kDown).size(), kAckBytes);
}

TEST(LoraFrames, SayWhatTheyCannotCarry) {
  CountsFrame frame = known_counts();
  frame.windows = 17;  // 16 and 18 can be said
  EXPECT_FALSE(encode(frame));
  frame = known_counts();
  frame.window_ms = 2050;
  EXPECT_FALSE(encode(frame));
  frame = known_counts();
  frame.history.push_back({});
  EXPECT_FALSE(encode(frame)) << "35 bytes";
  frame = known_counts();
  frame.head.seq = 10;
  EXPECT_FALSE(encode(frame)) << "more windows than there were";
  frame = known_counts();
  frame.first_line = 3;
  frame.lines.assign(2, {});
  frame.history.clear();
  EXPECT_FALSE(encode(frame)) << "there is no fifth line";
}

RC_GTEST_PROP(LoraFrames, CountsComeBack, ()) {
  CountsFrame frame;
  const auto lines = *rc::gen::inRange<std::size_t>(0, 3);
  const auto history = *rc::gen::inRange<std::size_t>(0, (10 - 4 * lines) / 3 + 1);
  const auto byte = rc::gen::inRange<std::uint32_t>(0, 256);
  const auto nibble = rc::gen::inRange<std::uint32_t>(0, 16);
  frame.head = {*rc::gen::arbitrary<std::uint8_t>(), *rc::gen::arbitrary<std::uint16_t>(),
                *rc::gen::inRange<std::uint32_t>(1 << 20, kNoSeq), *rc::gen::arbitrary<bool>(),
                *rc::gen::arbitrary<bool>()};
  frame.windows = largest_windows(*rc::gen::inRange<std::uint32_t>(1, 16 << 15));
  frame.window_ms = nearest_window_ms(*rc::gen::inRange<std::uint64_t>(1, 4000000));
  frame.age_ms = coded_age(*rc::gen::inRange<std::uint64_t>(0, 10000000000)).ms;
  frame.flags = static_cast<std::uint8_t>(*rc::gen::inRange(0, 64));
  frame.first_line = static_cast<std::uint8_t>(
      *rc::gen::inRange<std::size_t>(0, 5 - std::max<std::size_t>(lines, 1)));
  frame.people = {*byte, *byte, *byte, *byte};
  for (std::size_t i = 0; i < lines; ++i)
    frame.lines.push_back(
        {*rc::gen::inRange<std::uint32_t>(0, 65536), *rc::gen::inRange<std::uint32_t>(0, 65536)});
  for (std::size_t i = 0; i < history; ++i)
    frame.history.push_back({*byte, *byte, *nibble, *nibble});
  const auto plain = encode(frame);
  RC_ASSERT(plain.has_value());
  const Keys keys(counting_key());
  const auto opened = keys.open(keys.seal(*plain, Direction::kUp), Direction::kUp);
  RC_ASSERT(opened == plain);
  RC_ASSERT(decode(*opened) == Frame(frame));
}

RC_GTEST_PROP(LoraFrames, HellosComeBack, ()) {
  HelloFrame frame;
  frame.head.camera = *rc::gen::arbitrary<std::uint8_t>();
  frame.head.seq = *rc::gen::inRange<std::uint32_t>(0, kNoSeq);
  frame.first_line = static_cast<std::uint8_t>(*rc::gen::inRange(0, 3));
  frame.boot_tag = *rc::gen::arbitrary<std::uint16_t>();
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
    frame.lines.push_back(
        {*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::arbitrary<std::uint32_t>()});
  RC_ASSERT(decode(*encode(frame)) == Frame(frame));
}

RC_GTEST_PROP(LoraFrames, WhatCanBeReadCanBeSaid, (const std::vector<std::uint8_t> &bytes)) {
  RC_PRE(bytes.size() >= kHeadBytes);
  PlainFrame plain;
  std::copy_n(bytes.begin(), kHeadBytes, plain.head.begin());
  plain.head[0] &= 0x3f;
  plain.body.assign(bytes.begin() + kHeadBytes, bytes.end());
  if (const auto frame = decode(plain))
    RC_ASSERT(encode(*frame).has_value());
}

RC_GTEST_PROP(LoraFrames, CodesAreTheNearest, ()) {
  const auto windows = *rc::gen::inRange<std::uint32_t>(1, 16 << 15);
  RC_ASSERT(largest_windows(windows) <= windows);
  RC_ASSERT(smallest_windows(windows) >= windows);
  RC_ASSERT(largest_windows(smallest_windows(windows)) == smallest_windows(windows));
  RC_ASSERT(windows > 16 || largest_windows(windows) == windows);
  const auto age = *rc::gen::inRange<std::uint64_t>(0, 10000000000);
  const CodedAge coded = coded_age(age);
  RC_ASSERT(coded.ms <= age);
  RC_ASSERT(age - coded.ms < coded.step_ms);
}

// Random bytes, flipped bits, cut frames, another head on the same box, and the other direction.
TEST(LoraSeals, RefuseAllForgeries) {
  const Keys keys(counting_key());
  const Bytes good = keys.seal(*encode(known_counts()), Direction::kUp);
  const Bytes ack = keys.seal(*encode(known_ack()), Direction::kDown);
  std::mt19937 random(1);
  constexpr int kForgeries = 100000;
  int accepted = 0;
  for (int i = 0; i < kForgeries; ++i) {
    Bytes forged = good;
    switch (i % 5) {
      case 0:
        forged.resize(random() % 33);
        std::generate(forged.begin(), forged.end(),
                      [&] { return static_cast<std::uint8_t>(random()); });
        break;
      case 1:
        for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
          forged[random() % forged.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
        if (forged == good)
          forged.front() ^= 1;
        break;
      case 2:
        forged.resize(random() % good.size());
        break;
      case 3:
        forged[2 + random() % 5] ^= static_cast<std::uint8_t>(1 + random() % 255);
        break;
      default:
        forged = ack;
        break;
    }
    accepted += keys.open(forged, Direction::kUp).has_value();
  }
  EXPECT_EQ(accepted, 0);
  RecordProperty("forgeries", kForgeries);
}

TEST(LoraSeals, AreForEmptyBodiesToo) {
  const Keys keys(counting_key());
  const PlainFrame plain;
  EXPECT_TRUE(keys.open(keys.seal(plain, Direction::kUp), Direction::kUp) == plain);
}

TEST(LoraSeals, ShowNothingWhenABootIsUsedTwice) {
  const Keys keys(counting_key());
  CountsFrame other = known_counts();
  other.people.people = 9;
  const PlainFrame one = *encode(known_counts()), two = *encode(other);
  const Bytes sealed = keys.seal(one, Direction::kUp), sealed_too = keys.seal(two, Direction::kUp);
  int equal = 0;
  for (std::size_t i = 0; i < one.body.size(); ++i)
    equal += (sealed[7 + i] ^ sealed_too[7 + i]) == (one.body[i] ^ two.body[i]);
  EXPECT_LT(equal, 6) << "the key streams differ";
  EXPECT_EQ(keys.seal(one, Direction::kUp), sealed);
}

TEST(Keys, AreSixtyFourDigits) {
  const std::string text = "000102030405060708090a0B0c0d0e0f101112131415161718191a1b1c1d1e1F";
  ASSERT_TRUE(parse_key(text));
  EXPECT_TRUE(*parse_key(text) == counting_key());
  EXPECT_FALSE(parse_key(text.substr(1)));
  EXPECT_FALSE(parse_key(text + "0"));
  EXPECT_FALSE(parse_key("g" + text.substr(1)));
  EXPECT_EQ(Keys(counting_key()).id().size(), 16u);
}

Block window(std::uint32_t seq, std::uint64_t interval, BlockPeople people, std::uint8_t flags) {
  Block block;
  block.seq = seq;
  block.interval_ms = interval;
  block.people = people;
  block.flags = flags;
  block.lines = {{1, 2, 10 + seq, 20 + 2 * seq}};
  return block;
}

TEST(LoraBlocks, AreWeightedByTheLengthsOfWindows) {
  const std::vector<Block> windows = {window(4, 2000, {1, 9, 0, 2}, 1),
                                      window(5, 5000, {7, 8, 3, 0}, 0),
                                      window(6, 2000, {2, 3, 1, 1}, 8)};
  const Block block = merge(windows);
  EXPECT_EQ(block.people, (BlockPeople{7, 9, 3, 0}));
  EXPECT_EQ(block.seq, 6u);
  EXPECT_EQ(block.first(), 4u);
  EXPECT_EQ(block.interval_ms, 9000u);
  EXPECT_EQ(block.flags, 9);
  EXPECT_EQ(block.lines, (std::vector<LineCounts>{{3, 6, 16, 32}}));
}

TEST(LoraBlocks, TakeTheLowerOfTwoMedians) {
  const std::vector<Block> windows = {window(0, 2000, {4, 4, 0, 0}, 0),
                                      window(1, 2000, {1, 1, 0, 0}, 0)};
  EXPECT_EQ(merge(windows).people.people, 1u);
}

RC_GTEST_PROP(LoraBlocks, LoseNoCrossing, (const std::vector<std::uint8_t> &crossings)) {
  RC_PRE(!crossings.empty());
  std::vector<Block> windows;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < crossings.size(); ++i) {
    total += crossings[i];
    windows.push_back(window(static_cast<std::uint32_t>(i), 2000, {}, 0));
    windows.back().lines = {{crossings[i], 0, total, 0}};
  }
  const auto cut = *rc::gen::inRange<std::size_t>(1, crossings.size() + 1);
  const std::span<const Block> all = windows;
  std::vector<Block> parts = {merge(all.first(cut))};
  if (cut < all.size())
    parts.push_back(merge(all.subspan(cut)));
  const Block merged = merge(parts);
  RC_ASSERT(merged.lines.front() == (LineCounts{total, 0, total, 0}));
  RC_ASSERT(merged.windows == crossings.size());
  RC_ASSERT(merged.first() == 0u);
}

}  // namespace
