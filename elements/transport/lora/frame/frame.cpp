// SPDX-License-Identifier: LGPL-2.1-or-later
// The layout of frames.
#include "transport/lora/frame/frame.h"

#include <algorithm>
#include <span>

namespace npc::lora {
namespace {

enum Type : std::uint8_t { kCounts = 0, kAck = 1, kHello = 2 };

constexpr std::uint32_t kUnits[] = {100, 1000, 10000, 60000};  // ms
constexpr std::uint32_t kMostTimes = 63;
constexpr std::uint32_t kMostMantissa = 4095, kMostExponent = 15;

void put16(Bytes &bytes, std::uint32_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

std::uint32_t get16(const std::uint8_t *at) {
  return static_cast<std::uint32_t>(at[0]) << 8 | at[1];
}

std::uint8_t saturated(std::uint32_t value, std::uint32_t most) {
  return static_cast<std::uint8_t>(std::min(value, most));
}

std::uint32_t decode_windows(std::uint8_t code) {
  return (1u + (code >> 4)) << (code & 15);
}

std::optional<std::uint8_t> encode_windows(std::uint32_t windows) {
  for (std::uint32_t exponent = 0; exponent <= 15; ++exponent) {
    const std::uint32_t factor = windows >> exponent;
    if (factor >= 1 && factor <= 16 && factor << exponent == windows)
      return static_cast<std::uint8_t>((factor - 1) << 4 | exponent);
  }
  return std::nullopt;
}

std::optional<std::uint8_t> encode_window_ms(std::uint32_t ms) {
  for (std::uint32_t unit = 0; unit < std::size(kUnits); ++unit) {
    const std::uint32_t times = ms / kUnits[unit];
    if (ms % kUnits[unit] == 0 && times >= 1 && times <= kMostTimes)
      return static_cast<std::uint8_t>(unit << 6 | times);
  }
  return std::nullopt;
}

std::uint16_t encode_age(std::uint64_t ms) {
  std::uint64_t mantissa = ms / 100;
  std::uint32_t exponent = 0;
  for (; mantissa > kMostMantissa && exponent < kMostExponent; ++exponent)
    mantissa >>= 1;
  return static_cast<std::uint16_t>(exponent << 12 |
                                    std::min<std::uint64_t>(mantissa, kMostMantissa));
}

std::uint64_t decode_age(std::uint32_t code) {
  return (static_cast<std::uint64_t>(code & kMostMantissa) << (code >> 12)) * 100;
}

PlainFrame with_head(Type type, const Head &head, std::size_t lines) {
  PlainFrame plain;
  plain.head = {static_cast<std::uint8_t>(type << 4 | head.phase << 3 | head.wanted << 2 |
                                          static_cast<int>(lines)),
                head.camera,
                static_cast<std::uint8_t>(head.boot >> 8),
                static_cast<std::uint8_t>(head.boot),
                static_cast<std::uint8_t>(head.seq >> 16),
                static_cast<std::uint8_t>(head.seq >> 8),
                static_cast<std::uint8_t>(head.seq)};
  return plain;
}

bool are_lines(std::size_t lines, std::size_t first) {
  return lines <= kMostLinesInFrame && first < kMostLines &&
         (lines == 0 || first + lines <= kMostLines);
}

std::optional<PlainFrame> encode_one(const CountsFrame &frame) {
  const auto windows = encode_windows(frame.windows);
  const auto window = encode_window_ms(frame.window_ms);
  if (!windows || !window || frame.head.seq >= kNoSeq || frame.windows > frame.head.seq + 1 ||
      frame.flags > 63 || !are_lines(frame.lines.size(), frame.first_line) ||
      counts_frame_bytes(frame.lines.size(), frame.history.size()) > kMostBytes)
    return std::nullopt;
  PlainFrame plain = with_head(kCounts, frame.head, frame.lines.size());
  Bytes &body = plain.body;
  body = {*windows, *window};
  put16(body, encode_age(frame.age_ms));
  body.push_back(static_cast<std::uint8_t>(frame.first_line << 6 | frame.flags));
  const BlockPeople &people = frame.people;
  for (const std::uint32_t count : {people.people, people.people_max, people.moving, people.faces})
    body.push_back(saturated(count, 255));
  for (const LineTotals &line : frame.lines) {
    put16(body, line.in);
    put16(body, line.out);
  }
  for (const BlockPeople &block : frame.history) {
    body.push_back(saturated(block.people, 255));
    body.push_back(saturated(block.people_max, 255));
    body.push_back(
        static_cast<std::uint8_t>(saturated(block.moving, 15) << 4 | saturated(block.faces, 15)));
  }
  return plain;
}

std::optional<PlainFrame> encode_one(const AckFrame &frame) {
  const auto windows = encode_windows(frame.windows);
  if (!windows || frame.bitmap >> kBitmapBits != 0 || frame.head.seq > kNoSeq)
    return std::nullopt;
  PlainFrame plain = with_head(kAck, frame.head, 0);
  plain.body = {*windows, static_cast<std::uint8_t>(frame.bitmap >> 16),
                static_cast<std::uint8_t>(frame.bitmap >> 8),
                static_cast<std::uint8_t>(frame.bitmap), static_cast<std::uint8_t>(frame.rssi)};
  return plain;
}

std::optional<PlainFrame> encode_one(const HelloFrame &frame) {
  if (frame.head.seq >= kNoSeq || !are_lines(frame.lines.size(), frame.first_line))
    return std::nullopt;
  PlainFrame plain = with_head(kHello, frame.head, frame.lines.size());
  plain.body.push_back(static_cast<std::uint8_t>(frame.first_line << 6));
  put16(plain.body, frame.boot_tag);
  for (const LineTotals &line : frame.lines) {
    for (const std::uint32_t total : {line.in, line.out}) {
      put16(plain.body, total >> 16);
      put16(plain.body, total);
    }
  }
  return plain;
}

std::optional<Frame> decode_counts(const Head &head, std::size_t lines, const Bytes &body) {
  const std::size_t history_at = 9 + 4 * lines;
  if (body.size() < history_at || (body.size() - history_at) % 3 != 0)
    return std::nullopt;
  CountsFrame frame;
  frame.head = head;
  frame.windows = decode_windows(body[0]);
  frame.window_ms = kUnits[body[1] >> 6] * (body[1] & kMostTimes);
  frame.age_ms = decode_age(get16(&body[2]));
  frame.flags = body[4] & 63;
  frame.first_line = body[4] >> 6;
  frame.people = {body[5], body[6], body[7], body[8]};
  if (head.seq == kNoSeq || frame.window_ms == 0 || frame.windows > head.seq + 1 ||
      !are_lines(lines, frame.first_line))
    return std::nullopt;
  for (std::size_t i = 0; i < lines; ++i)
    frame.lines.push_back({get16(&body[9 + 4 * i]), get16(&body[11 + 4 * i])});
  for (std::size_t at = history_at; at < body.size(); at += 3) {
    const std::uint32_t nibbles = body[at + 2];
    frame.history.push_back({body[at], body[at + 1], nibbles >> 4, nibbles & 15});
  }
  return frame;
}

std::optional<Frame> decode_ack(const Head &head, std::size_t lines, const Bytes &body) {
  if (lines != 0 || body.size() != 5)
    return std::nullopt;
  AckFrame frame;
  frame.head = head;
  frame.windows = decode_windows(body[0]);
  frame.bitmap = static_cast<std::uint32_t>(body[1]) << 16 | get16(&body[2]);
  frame.rssi = static_cast<std::int8_t>(body[4]);
  return frame;
}

std::optional<Frame> decode_hello(const Head &head, std::size_t lines, const Bytes &body) {
  if (body.size() != 3 + 8 * lines || (body[0] & 63) != 0 || head.seq == kNoSeq ||
      !are_lines(lines, body[0] >> 6))
    return std::nullopt;
  HelloFrame frame;
  frame.head = head;
  frame.first_line = body[0] >> 6;
  frame.boot_tag = static_cast<std::uint16_t>(get16(&body[1]));
  for (std::size_t at = 3; at < body.size(); at += 8)
    frame.lines.push_back({get16(&body[at]) << 16 | get16(&body[at + 2]),
                           get16(&body[at + 4]) << 16 | get16(&body[at + 6])});
  return frame;
}

}  // namespace

std::optional<PlainFrame> encode(const Frame &frame) {
  return std::visit([](const auto &any) { return encode_one(any); }, frame);
}

std::optional<Frame> decode(const PlainFrame &plain) {
  const std::uint8_t first = plain.head[0];
  const std::size_t lines = first & 3;
  if (first >> 6 != 0 || lines > kMostLinesInFrame ||
      kHeadBytes + plain.body.size() + kTagBytes > kMostBytes)
    return std::nullopt;
  Head head;
  head.camera = plain.head[1];
  head.boot = static_cast<std::uint16_t>(get16(&plain.head[2]));
  head.seq = static_cast<std::uint32_t>(plain.head[4]) << 16 | get16(&plain.head[5]);
  head.phase = (first & 8) != 0;
  head.wanted = (first & 4) != 0;
  switch (first >> 4 & 3) {
    case kCounts:
      return decode_counts(head, lines, plain.body);
    case kAck:
      return decode_ack(head, lines, plain.body);
    case kHello:
      return decode_hello(head, lines, plain.body);
    default:
      return std::nullopt;
  }
}

std::uint32_t largest_windows(std::uint32_t windows) {
  std::uint32_t exponent = 0;
  while (windows >> exponent > 16)
    ++exponent;
  if (exponent > 15)
    return 16u << 15;
  return windows >> exponent << exponent;
}

std::uint32_t smallest_windows(std::uint32_t windows) {
  windows = std::max(windows, 1u);
  std::uint32_t exponent = 0;
  while (exponent < 15 && ((windows - 1) >> exponent) + 1 > 16)
    ++exponent;
  return std::min<std::uint32_t>(((windows - 1) >> exponent) + 1, 16) << exponent;
}

std::uint32_t nearest_window_ms(std::uint64_t ms) {
  for (const std::uint32_t unit : kUnits) {
    const std::uint64_t times = std::max<std::uint64_t>((ms + unit / 2) / unit, 1);
    if (times <= kMostTimes)
      return static_cast<std::uint32_t>(times * unit);
  }
  return kMostTimes * kUnits[3];
}

CodedAge coded_age(std::uint64_t ms) {
  const std::uint16_t code = encode_age(ms);
  return {decode_age(code), 100ull << (code >> 12)};
}

}  // namespace npc::lora
