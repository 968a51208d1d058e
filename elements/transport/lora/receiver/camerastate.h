// SPDX-License-Identifier: LGPL-2.1-or-later
// What a gateway knows of one camera, and what a frame adds to it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ranges.h"
#include "transport/lora/frame/frame.h"

namespace npc::lora {

/// Crossings of a line, as a record has them.
struct ReceivedLine {
  std::size_t number = 0;
  std::uint64_t in = 0, out = 0;  ///< that became known with this record, and with no other
  std::uint64_t in_total = 0, out_total = 0;
};

/// What is to be published: windows of one boot that were not known before.
struct ReceivedBlock {
  std::uint16_t boot = 0;
  std::uint32_t seq = 0;  ///< of the last window
  std::uint32_t windows = 1;
  std::uint64_t interval_ms = 0;
  std::int64_t time_ms = 0;  ///< UTC, when the last window ended
  BlockPeople people;
  std::uint8_t flags = 0;
  std::vector<ReceivedLine> lines;  ///< none in what is known from another block's history
};

/// What is to be said about a camera.
struct Event {
  enum class Kind {
    kGap,          ///< windows were skipped; they may come later
    kLost,         ///< windows will not come any more
    kTotalsReset,  ///< a line's totals were set back; crossings since its last frame are not known
    kBootReused,   ///< it uses a boot number again: it has lost its state
    kStaleBoot,    ///< it uses a boot number that is too old: it has lost its state, or this is a
                   ///< replay
    kNewKey,       ///< it uses its next key; the old one is not accepted any more
  };
  Kind kind = Kind::kGap;
  std::uint16_t boot = 0;
  Range windows;          ///< of kGap and kLost
  bool is_start = false;  ///< kGap: nothing of the boot is there before it
};

/// What came of a frame.
struct Reception {
  std::vector<ReceivedBlock> blocks;  ///< the oldest first
  std::vector<Event> events;
};

/// One boot of a camera.
struct BootState {
  Ranges covered;                              ///< windows that were published, or given up
  std::optional<std::uint16_t> tag;            ///< from its hello
  std::uint32_t start = 0;                     ///< from its hello: what is before it will not come
  std::array<bool, kMostLines> lines_known{};  ///< whether a hello has said their totals
  std::array<bool, kMostLines> lines_seen{};   ///< whether a counts frame had them
  std::uint32_t windows = 1;                   ///< in the newest block
  bool reused = false;   ///< by a camera that has lost its state: nothing of it is believed
  bool listens = false;  ///< for acks: a frame has asked for one
  /// When a window ended, by which the times of all others are known.
  struct Anchor {
    std::uint32_t seq = 0;
    std::int64_t time_ms = 0;
    bool operator==(const Anchor &) const = default;
  };
  std::optional<Anchor> anchor;
  bool operator==(const BootState &) const = default;
};

/// The state of one camera. It is a function of the frames that it was given, in their order: one
/// copy takes them when they come, and another one when the store downstream has their records.
class CameraState {
 public:
  static constexpr int kMostBoots = 8;
  /// Of one boot. More of them, and the oldest hole is given up.
  static constexpr std::size_t kMostRanges = 1024;

  /// The totals of a line that were published last.
  struct LineState {
    std::uint16_t boot = 0;
    std::uint32_t next_seq = 0;  ///< they were so before this window
    std::uint64_t in = 0, out = 0;
    std::uint64_t unreported_in = 0, unreported_out = 0;  ///< known from a hello, in no record yet
    bool operator==(const LineState &) const = default;
  };

  /// `began_ms` is the UTC time at which the frame began.
  Reception apply(const CountsFrame &frame, std::int64_t began_ms);
  Reception apply(const HelloFrame &frame);
  /// The key that is used now, by its Keys::id().
  void use_key(const std::string &id) { key_id = id; }

  /// Whether a boot is not among the last ones.
  bool is_stale(std::uint16_t boot) const;
  /// Whether the camera listens for acks in this boot.
  bool listens(std::uint16_t boot) const;
  /// Whether all windows of a frame are covered, or its boot is not believed.
  bool is_known(const CountsFrame &frame) const;
  /// Whether a frame has left a hole that no history will fill.
  bool has_hole_before(const CountsFrame &frame) const;
  std::uint16_t newest_boot() const { return boots.empty() ? 0 : boots.rbegin()->first; }
  /// What is there of a boot.
  AckFrame ack_of(std::uint16_t boot) const;

  std::string key_id;
  std::map<std::uint16_t, BootState> boots;
  std::array<std::optional<LineState>, kMostLines> lines;
  bool operator==(const CameraState &) const = default;

 private:
  BootState &boot_state(std::uint16_t boot, Reception *reception);
  void publish(const CountsFrame &frame, Range windows, const BlockPeople &people, bool is_own,
               std::int64_t end_ms, Reception *reception);
  void give_up(std::uint16_t boot, BootState *state, Range windows, Reception *reception);
  void take_totals(const CountsFrame &frame, const BootState &state, ReceivedBlock *block);
};

}  // namespace npc::lora
