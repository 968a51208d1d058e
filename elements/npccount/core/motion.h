// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a tracked box is, where it will be, and how fast its feet go.
#pragma once

#include <vector>

#include "npccount/core/box.h"

namespace npc::count {

/// A number that changes about evenly: a Kalman filter of its value and its rate.
class Coordinate {
 public:
  /// Starts at @p value, not moving. The deviations say how far off value and rate may be.
  Coordinate(double value, double deviation, double rate_deviation);

  /// Carries the value on by @p step seconds. The drifts are variances per second.
  void predict(double step, double value_drift, double rate_drift);
  /// Takes in a measurement and its deviation.
  void correct(double value, double deviation);

  double value() const { return value_; }
  /// Keeps the value within a range.
  void limit(double least, double most) { value_ = std::clamp(value_, least, most); }

 private:
  double value_;
  double rate_ = 0;
  double value_variance_;
  double covariance_ = 0;
  double rate_variance_;
};

/// The motion of one box: centre line, lower edge, width and height, each by a filter of its own.
///
/// The filter's noise is that of SORT, DeepSORT and ByteTrack (1/20 of the height for a position,
/// 1/160 of it for a rate, per frame), taken as frames of 1/30 s and turned into figures per
/// second, so that it holds for any time between frames.
///
/// A box that is cut off at the frame's edge says nothing of what it would measure: its missing
/// edge is put where the known width or height says.
class Motion {
 public:
  Motion(Time now, const Box &box, const FrameSize &frame);

  /// Carries the box on by @p step.
  void predict(Time step);
  /// Takes in a box that was seen.
  void correct(Time now, const Box &box, const FrameSize &frame);

  /// The box now. It may reach beyond the frame.
  Box box() const;

  /// Speed of the anchor (bottom centre) in body heights per second: the median slope (Theil and
  /// Sen) of the anchors seen within about a second. 0 while they span less than half a second.
  double speed() const { return speed_; }

 private:
  struct Sample {
    Time time;
    double x;
    double bottom;
    double height;
  };

  void remember(Time now, double x, double bottom);
  double measure_speed() const;

  Coordinate x_;
  Coordinate bottom_;
  Coordinate width_;
  Coordinate height_;
  std::vector<Sample> samples_;
  double speed_ = 0;
};

}  // namespace npc::count
