// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a scene is looked at anew, and what is still known of the rest.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <vector>

#include "detectors/detector.h"
#include "gate.h"

namespace npc {

/// A part of the picture that a detector is given.
struct Window {
  cv::Rect crop;  ///< pixels of the picture, whole or with a margin around `core`
  cv::Rect core;  ///< what is found with its middle here counts; windows' cores do not overlap much
};

/// Keeps the detections of a scene: carries them with what moves, says where a detector has to look
/// again, and takes in what it found there.
///
/// Where nothing changed since the last look, detections stand. What was found but once, or was not
/// found again where nothing changed, is looked at again until that is clear; so a scene that comes
/// to rest keeps neither a chance hit nor a chance miss.
class Watch {
 public:
  /// Pictures of size `picture` are looked at by a detector of this `reach`. Forgets all.
  void configure(cv::Size picture, const Reach &reach);

  /// Takes in the cells of a frame, of any size that stays, `seconds` after the last.
  void look(const cv::Mat &cells, double seconds);

  /// Moves what stands with what moved since the last frame.
  void carry();

  /// Where to look now; empty if nothing changed.
  std::vector<Window> plan();

  /// The whole picture.
  Window whole() const;

  /// Takes in what was found in the crop of each of `windows`, in pixels of the picture. Detections
  /// below `strong` come and go with each look.
  void update(std::span<const Window> windows, std::span<const std::vector<Detection>> found,
              float strong);

  /// What is known now, in pixels of the picture.
  const std::vector<Detection> &standing() const { return standing_; }

  /// Overwrites all cells with zeros, and forgets everything.
  void forget();

 private:
  struct Past {
    int seen = 1;    // looks in a row that found it
    int missed = 0;  // looks since then
    bool strong = false;
    bool settled() const { return !strong || (seen > 1 && missed == 0); }
  };

  cv::Rect cells_of(const cv::Rect2f &box) const;
  std::vector<cv::Rect> changed_parts() const;
  cv::Rect grown(const cv::Rect &part) const;
  Window window_of(const cv::Rect &core) const;

  cv::Size picture_;
  Reach reach_;
  Gate gate_;
  cv::Mat cells_;  // of the last frame
  std::vector<Detection> standing_;
  std::vector<Past> pasts_;  // of each that stands
};

}  // namespace npc
