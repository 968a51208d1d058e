// SPDX-License-Identifier: LGPL-2.1-or-later
// Which frames of a live source come too late to be looked at.
#pragma once

#include <cstdint>
#include <optional>

namespace npc::detect {

/// How a frame goes on from the one before, by its timestamp and by the clock.
enum class Step { onward, back, ahead };

/// What is to be done with a frame.
enum class Lateness { in_time, drop, look_anyway, resynchronised };

/// Drops late frames for as long as that makes those after them less late, looks at one a second
/// all the same, and where it does not help takes the lateness for granted. Times are in ns.
class LatenessMonitor {
 public:
  /// A frame that is later than this is dropped. Detections are bursts: whoever is late by less
  /// catches up in the frames between them.
  static constexpr std::int64_t kLateMost = 500'000'000;
  /// After this time without a look a frame is looked at however late it is, which makes at least
  /// one a second; but looks take a quarter of the time at most, or they would be what makes frames
  /// late.
  static constexpr std::int64_t kLookEvery = 850'000'000;
  static constexpr std::int64_t kShareOfLooks = 4;
  /// Frames that have all been late for this long, and ever as late, are not late because of us.
  static constexpr std::int64_t kResynchroniseAfter = 2'000'000'000;
  /// Where that happens again and again, more and more lateness is let pass before frames are
  /// dropped in vain.
  static constexpr std::int64_t kLateMostAtWorst = 8'000'000'000;

  /// Judges a frame that is due to be looked at, `late` by the clock's `now`; negative: early.
  Lateness judge(std::int64_t late, std::int64_t now, Step step);

  /// A look that began at `begin` has ended.
  void looked(std::int64_t begin, std::int64_t end);

  /// The lateness that is taken for granted: negative after timestamps that leapt ahead.
  std::int64_t granted() const { return granted_; }

 private:
  struct Episode {
    std::int64_t least;     // lateness at its begin; whoever is clearly less late begins another
    std::int64_t expected;  // lateness by our own looks and what has been caught up with since
    std::int64_t in_vain;   // time in which nothing was caught up with
    std::int64_t last;      // by the clock, when that was counted
  };

  std::int64_t note_late(std::int64_t late, std::int64_t now);

  std::int64_t granted_ = 0;
  std::int64_t tolerance_ = kLateMost;   // beyond what is granted
  std::optional<Episode> episode_;       // of late frames, since they were last less late
  bool in_vain_ = false;                 // to drop frames did not help the last time
  std::optional<std::int64_t> looked_;   // when the last look ended
  std::int64_t next_look_ = kLookEvery;  // after it, where all is late
};

}  // namespace npc::detect
