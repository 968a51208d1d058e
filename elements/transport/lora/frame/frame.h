// SPDX-License-Identifier: LGPL-2.1-or-later
// What goes over the air, before it is sealed: counts, acknowledgements, hellos.
//
//   0      version 0 (2 bits) | type (2): 0 counts, 1 ack, 2 hello | key phase (1) | wanted (1) |
//          lines in this frame (2): 0..2
//   1      camera; 2..3 boot; 4..6 seq; all numbers are big endian
//   --- encrypted from here; a counts frame:
//   7      windows in the block: (1 + high nibble) << low nibble
//   8      length of a window: unit (2 bits: 0.1, 1, 10, 60 s), times 1..63
//   9..10  age of the block's end when the frame begins: exponent (4 bits), mantissa (12), in 0.1 s
//   11     number of the first line (2 bits), the six flags of the record
//   12..15 people, people_max, moving, faces; 255 is that many or more
//   ..     each line: in_total, out_total, modulo 65536
//   ..     history, the newest first: people, people_max, moving and faces (nibbles; 15 is that
//   many
//          or more) of the blocks just before this one, which are as long
//   --- an ack:
//   7      windows in a bit of the bitmap, as above; 8..10 bitmap; 11 RSSI in dBm
//   --- a hello:
//   7      number of the first line (2 bits), 0 (6); 8..9 tag of the record's boot
//   ..     each line: in_total, out_total, modulo 2^32
//   --- and all: the tag, 6 bytes (sealing.h)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace npc::lora {

constexpr std::size_t kHeadBytes = 7, kTagBytes = 6, kMostBytes = 32;
/// Lines that a camera can have, and that go into one frame.
constexpr std::size_t kMostLines = 4, kMostLinesInFrame = 2;
/// "None" in an ack: nothing is covered from the boot's beginning on. No window has that number.
constexpr std::uint32_t kNoSeq = 0xffffff;
constexpr std::size_t kBitmapBits = 24;

using Bytes = std::vector<std::uint8_t>;

struct LineTotals {
  std::uint32_t in = 0, out = 0;
  bool operator==(const LineTotals &) const = default;
};

/// People in a block, as a frame says it.
struct BlockPeople {
  std::uint32_t people = 0, people_max = 0, moving = 0, faces = 0;
  bool operator==(const BlockPeople &) const = default;
};

/// What all frames begin with.
struct Head {
  std::uint8_t camera = 0;
  std::uint16_t boot = 0;
  /// Counts: the block's last window. Ack: the last window of those that are covered without a hole
  /// from the boot's first one on, or kNoSeq. Hello: the first window that is still to come.
  std::uint32_t seq = 0;
  bool phase = false;   ///< of the key; flips when the camera gets a new one
  bool wanted = false;  ///< counts and hello: an ack; ack: a hello of this boot
  bool operator==(const Head &) const = default;
};

/// One block: windows that were merged.
struct CountsFrame {
  Head head;
  std::uint32_t windows = 1, window_ms = 0;
  std::uint64_t age_ms = 0;  ///< of the block's end, when the frame begins
  std::uint8_t flags = 0, first_line = 0;
  BlockPeople people;
  std::vector<LineTotals> lines;
  std::vector<BlockPeople> history;
  bool operator==(const CountsFrame &) const = default;
};

/// What a gateway has of one boot.
struct AckFrame {
  Head head;
  std::uint32_t windows = 1;
  /// Bit n: the windows from seq + 1 + n * windows on are covered, as many as `windows` says.
  std::uint32_t bitmap = 0;
  std::int8_t rssi = 0;
  bool operator==(const AckFrame &) const = default;
};

/// A boot begins, or begins anew for those who have missed too much of it.
struct HelloFrame {
  Head head;
  std::uint8_t first_line = 0;
  std::uint16_t boot_tag = 0;     ///< differs where the record's boot differs, as a rule
  std::vector<LineTotals> lines;  ///< as they were before window `seq`
  bool operator==(const HelloFrame &) const = default;
};

using Frame = std::variant<CountsFrame, AckFrame, HelloFrame>;

inline const Head &head_of(const Frame &frame) {
  return std::visit([](const auto &any) -> const Head & { return any.head; }, frame);
}

/// A frame in clear, without its tag.
struct PlainFrame {
  std::array<std::uint8_t, kHeadBytes> head{};
  Bytes body;
  bool operator==(const PlainFrame &) const = default;
};

/// Lays a frame out. Nothing, if the numbers of windows, their length, the lines or the history
/// cannot be said in one.
std::optional<PlainFrame> encode(const Frame &frame);

/// Reads a frame. Nothing, if it is not as encode() makes it.
std::optional<Frame> decode(const PlainFrame &plain);

/// Bytes of a counts frame over the air.
constexpr std::size_t counts_frame_bytes(std::size_t lines, std::size_t history) {
  return 22 + 4 * lines + 3 * history;
}
constexpr std::size_t kAckBytes = 18;
/// Bytes of a hello over the air.
constexpr std::size_t hello_frame_bytes(std::size_t lines) {
  return 16 + 8 * lines;
}

/// The largest number of windows up to `windows` that a frame can say; 0 only of 0.
std::uint32_t largest_windows(std::uint32_t windows);
/// The smallest number of windows from `windows` on that a frame can say.
std::uint32_t smallest_windows(std::uint32_t windows);

/// The length of a window, in ms, nearest to `ms` that a frame can say.
std::uint32_t nearest_window_ms(std::uint64_t ms);

/// An age as a frame says it, and how exactly it does.
struct CodedAge {
  std::uint64_t ms = 0, step_ms = 100;
};
CodedAge coded_age(std::uint64_t ms);

}  // namespace npc::lora
