// SPDX-License-Identifier: LGPL-2.1-or-later
// Sums up what the frames of a window of time showed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "npccount/core/box.h"
#include "npccount/core/tracker.h"

namespace npc::count {

/// Who is present in one frame.
struct FrameCounts {
  unsigned people = 0;
  /// Those of the people that are faster than kMovingSpeed.
  unsigned moving = 0;
  unsigned faces = 0;
  /// Present tracks of the other classes, by name; a class that is not listed has none.
  std::map<std::string, unsigned> objects;
};

/// People faster than this are moving, in body heights per second.
inline constexpr double kMovingSpeed = 0.2;
/// The class of people, and that of faces; all others are objects.
inline constexpr const char *kPersonLabel = "person";
inline constexpr const char *kFaceLabel = "face";

/// Counts the tracks that are present.
FrameCounts count_tracks(std::span<const Track> tracks);

/// Small whole numbers, of which median and maximum are wanted. Memory grows with the largest
/// number only, not with how many there are.
class Histogram {
 public:
  void add(unsigned number);
  /// The median of @p total numbers, of which those that were not added are zeros. Of an even total
  /// it is the mean of the middle two, rounded half up.
  unsigned median(std::uint64_t total) const;
  unsigned most() const { return times_.empty() ? 0 : static_cast<unsigned>(times_.size()) - 1; }

 private:
  unsigned at(std::uint64_t rank, std::uint64_t zeros) const;

  std::vector<std::uint64_t> times_;
  std::uint64_t count_ = 0;
};

/// What a window showed.
struct WindowCounts {
  struct Object {
    std::string name;
    unsigned count;
  };

  Time start{};
  Time length{};
  /// It was cut short by finish().
  bool partial = false;
  /// Frames in it were lost; see Window::lose().
  bool degraded = false;
  /// The stream was silent in it; see Window::stall(). Without frames all numbers are 0.
  bool stalled = false;
  /// Medians over the frames of the window; most_people is the maximum.
  unsigned people = 0;
  unsigned most_people = 0;
  unsigned moving = 0;
  unsigned faces = 0;
  /// Medians of the other classes, in the order of their names.
  std::vector<Object> objects;
};

/// Windows of equal length, one after the other, from the first frame on. A window is closed by the
/// first sign of life at or after its end. One in which no frame was analysed gives no result: that
/// nobody was looked for does not mean that nobody was there. Only when the stream falls silent do
/// windows go on without it, and say so.
class Window {
 public:
  /// Classes besides people and faces that are counted. Once one was seen it is listed, if only
  /// with 0; those beyond this number are ignored.
  static constexpr std::size_t kMostObjects = 32;

  /// @param length length of a window, above zero
  explicit Window(Time length) : length_(length), next_length_(length) {}

  /// Sets the length of the windows after the open one.
  void set_length(Time length);

  /// Says that time has come to @p now. Call it for each frame before add(). It ends a silence.
  /// @return the open window if it ends at or before @p now and has frames, or was silent
  std::optional<WindowCounts> advance(Time now);

  /// Frames from @p start to @p end were lost: the windows that share time with that are degraded.
  /// Call it before advance(end).
  void lose(Time start, Time end);

  /// Nothing has come since @p since: the windows from then to the next sign of life are stalled.
  /// If none is open one opens.
  void stall(Time since);

  /// Says that time has come to @p now without a sign of life, after stall().
  /// @return the open window if it ends at or before @p now
  std::optional<WindowCounts> pass(Time now) { return move(now); }

  bool is_stalled() const { return stalling_; }

  /// End of the open window.
  Time end() const { return start_ + length_; }

  /// Adds a frame to the open window, or opens one.
  /// @param now the frame's time
  /// @param duration how long it is shown; a partial window lasts to the end of its last frame
  void add(Time now, Time duration, const FrameCounts &counts);

  /// Closes the open window where time has come to.
  /// @return it, if it has frames; partial if it is shorter than it should be
  std::optional<WindowCounts> finish();

  /// Drops the open window. The next frame opens one. Classes stay listed.
  void reset();

 private:
  std::optional<WindowCounts> move(Time now);
  void open(Time start);
  WindowCounts sum_up() const;
  void clear();

  Time length_;
  Time next_length_;
  bool open_ = false;
  Time start_{};
  Time reached_{};
  Time lost_until_ = Time::min();
  bool degraded_ = false;
  bool stalling_ = false;
  bool stalled_ = false;
  std::uint64_t frames_ = 0;
  Histogram people_, moving_, faces_;
  std::map<std::string, Histogram> objects_;
};

}  // namespace npc::count
