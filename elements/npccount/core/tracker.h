// SPDX-License-Identifier: LGPL-2.1-or-later
// Follows what a detector sees from frame to frame, so that each person is counted once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "npccount/core/box.h"
#include "npccount/core/motion.h"

namespace npc::count {

/// What a detector saw in one frame.
struct Detection {
  std::string label;
  Box box;
  double confidence = 1;
  /// Enough to extend a track, not enough to begin one.
  bool weak = false;
};

/// One person or thing that is being followed.
struct Track {
  /// Counts up from 1; never used again.
  std::uint64_t id = 0;
  std::string label;
  /// Where it is at the time of the last frame; predicted if it was not seen there.
  Box box;
  /// Seen for long enough to be believed.
  bool confirmed = false;
  /// Confirmed, and seen just now or so shortly before that it still counts.
  bool present = false;
  /// Time of the last frame in which it was seen.
  Time last_seen{};
  /// Speed of its bottom centre in body heights per second, measured over about one second; 0 while
  /// it was seen for less than half a second.
  double speed = 0;
};

/// Multi-object tracker in the manner of ByteTrack (Zhang 2022): strong detections are matched
/// first, weak ones only extend what is left of the tracks, and strong ones that remain begin new
/// tracks. Tracks of different labels never mix. All limits are lengths of time, not numbers of
/// frames, so counts do not depend on the frame rate.
///
/// The same input gives the same tracks. Not for use from several threads at once.
class Tracker {
 public:
  /// A track is confirmed when its strong detections stand for this long. Each stands for the usual
  /// time between frames: at 30 frames a second it takes seven, at four or fewer one. Until that
  /// time is known, in the first frame, every strong detection is believed.
  static constexpr Time kConfirm = std::chrono::milliseconds(230);
  /// A confirmed track that is not seen counts as present for this long, or for one and a quarter
  /// times the usual time between frames, if that is longer, but not for more than kHoldMost and
  /// not for longer than it was seen before. So one missed frame is bridged at one frame a second
  /// and more, none at less.
  static constexpr Time kHold = std::chrono::milliseconds(400);
  static constexpr Time kHoldMost = std::chrono::milliseconds(1250);
  /// A confirmed track that is not seen can be found again for this long, or for one and a half
  /// times the usual time between frames, if that is longer, but not for more than kKeepMost.
  static constexpr Time kKeep = std::chrono::seconds(1);
  static constexpr Time kKeepMost = std::chrono::seconds(5);
  /// Detections of a frame that are looked at, strong and sure ones first; also the most tracks:
  /// beyond that, those not seen for the longest time give way.
  static constexpr std::size_t kMost = 500;

  /// Sets the size of the frames that follow, before the first of them. Boxes that touch its edge
  /// are taken as cut off.
  void set_frame_size(const FrameSize &frame) { frame_ = frame; }

  /// Takes in one frame.
  ///
  /// @param now its time, not negative and not before the last one's
  /// @param detections what was seen; those that are not finite, empty or absurdly large are
  ///        ignored
  void update(Time now, std::span<const Detection> detections);

  /// All tracks as of the last frame, the oldest first.
  const std::vector<Track> &tracks() const { return tracks_; }

  /// Forgets all tracks and the time between frames. Ids go on.
  void reset();

 private:
  struct Item {
    Track track;
    Motion motion;
    Time evidence;
    Box last_box;  // when it was last seen
    Time first_seen;
    bool seen;
  };
  enum class Stage { kStrong, kWeak, kTentative };

  Time note_interval(Time now);
  std::vector<const Detection *> select(std::span<const Detection> detections) const;
  void forget_old(Time now);
  void match(Time now, Stage stage, std::vector<const Detection *> &unmatched);
  void extend(Time now, Item &item, const Detection &detection);
  void begin(Time now, const Detection &detection);
  void make_room();
  bool is_gone(const Item &item) const;
  Time hold_of(const Item &item) const;
  void publish(Time now);

  FrameSize frame_;
  std::vector<Item> items_;
  std::vector<Track> tracks_;
  std::uint64_t last_id_ = 0;
  bool started_ = false;
  Time last_frame_{};
  std::vector<Time> intervals_;
  Time interval_{};
};

}  // namespace npc::count
