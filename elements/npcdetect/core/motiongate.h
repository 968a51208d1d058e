// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a scene changed since it was last looked at closely.
#pragma once

#include <opencv2/core.hpp>

namespace npc::detect {

/// Compares the brightness of cells with what it was when a detector last looked there: not with a
/// background that is learnt, so who stands for an hour is as well known as who stands for a
/// second, and who leaves is a change.
///
/// Each cell has a threshold of its own, after its noise. Changes of light that are slow and alike
/// everywhere are followed; sudden ones are changes.
class MotionGate {
 public:
  MotionGate() = default;
  MotionGate(const MotionGate &) = delete;
  MotionGate &operator=(const MotionGate &) = delete;
  ~MotionGate() { wipe(); }

  /// Takes in the cells of a frame, of type CV_8UC1, `seconds` after the last ones. After cells of
  /// another size everything counts as changed.
  void analyse(const cv::Mat &cells, double seconds);

  /// The cells that changed, 255, and those that did not, 0. Single cells do not count.
  const cv::Mat &changed() const { return changed_; }

  /// The share of `area` that changed, 0 to 1.
  double share_changed(const cv::Rect &area) const;

  /// The cells that differ from those of the frame before, 255; not freed from single cells.
  const cv::Mat &moving() const { return moving_; }

  /// The cells of this frame and of the one before, which is this one if there is none. Empty
  /// before the first.
  const cv::Mat &now() const { return now_; }
  const cv::Mat &before() const { return before_; }

  /// A detector looks at `area` of the frame that was taken in last.
  void mark_seen(const cv::Rect &area);

  /// Overwrites all cells with zeros, and forgets them.
  void wipe();

 private:
  void follow_light();
  void learn_noise(double seconds);

  cv::Mat now_, before_;       // cells of the last two frames
  cv::Mat reference_;          // when each was last seen
  cv::Mat noise_, threshold_;  // of each cell, in levels; CV_32F, CV_8U
  double unlearnt_ = 0;        // seconds since the noise was learnt
  cv::Mat changed_, moving_, scratch_, difference_, below_;
};

}  // namespace npc::detect
