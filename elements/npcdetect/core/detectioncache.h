// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a scene is looked at anew, and what is still known of the rest.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <vector>

#include "npcdetect/core/motiongate.h"
#include "npcdetect/detectors/detector.h"

namespace npc::detect {

/// A part of the picture that a detector is given.
struct CropRegion {
  cv::Rect crop;  ///< pixels of the picture, whole or with a margin around `core`
  cv::Rect core;  ///< what is found with its middle here counts; windows' cores do not overlap much
};

/// Keeps the detections of a scene: carries them with what moves, says where a detector has to look
/// again, and takes in what it found there.
///
/// Where nothing changed since the last look, detections stand. What was found but once, or was not
/// found again where nothing changed, is looked at again until that is clear; so a scene that comes
/// to rest keeps neither a chance hit nor a chance miss.
class DetectionCache {
 public:
  /// Pictures of size `picture` are looked at by a detector of this `reach`. Forgets all.
  void configure(cv::Size picture, const DetectorCaps &reach);

  /// Takes in the cells of a frame, of any size that stays, `seconds` after the last.
  void analyse(const cv::Mat &cells, double seconds) { gate_.analyse(cells, seconds); }

  /// Moves what stands with what moved between the last two frames.
  void propagate();

  /// Where to look now; empty if nothing changed.
  std::vector<CropRegion> plan();

  /// The whole picture.
  CropRegion whole() const;

  /// Takes in what was found in the crop of each of `windows`, in pixels of the picture. Detections
  /// below `strong` come and go with each look. Windows are whole, or from plan().
  void update(std::span<const CropRegion> windows, std::span<const std::vector<Detection>> found,
              float strong);

  /// Takes in what was found in the whole picture, and doubts nothing.
  void replace(std::vector<Detection> found);

  /// What is known now, in pixels of the picture.
  std::vector<Detection> standing() const;

  /// Overwrites all cells with zeros, and forgets everything.
  void forget();

 private:
  struct Known {
    Detection object;
    bool strong = false;
    int seen = 1;    // looks in a row that found it
    int missed = 0;  // looks since then
    bool settled() const { return !strong || (seen > 1 && missed == 0); }
  };

  cv::Rect cells_of(const cv::Rect2f &box) const;
  std::vector<cv::Rect> changed_parts() const;
  void take_in_standing(std::vector<cv::Rect> &cores) const;
  cv::Rect grown(const cv::Rect &part) const;
  CropRegion window_of(const cv::Rect &core) const;
  bool is_whole(const CropRegion &window) const { return window.core.size() == image_; }
  bool counts_in(const CropRegion &window, const cv::Rect2f &box) const;
  std::vector<Known> take_found(std::span<const CropRegion> windows,
                                std::span<const std::vector<Detection>> found, float strong) const;
  bool is_doubted(const Known &old) const;

  cv::Size image_;
  DetectorCaps caps_;
  MotionGate gate_;
  std::vector<Known> known_;
};

}  // namespace npc::detect
