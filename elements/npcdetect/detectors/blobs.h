// SPDX-License-Identifier: LGPL-2.1-or-later
// Blobs of a moving foreground from frame to frame: what was known apart stays apart.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

namespace npc::detect {

/// One moving thing in a picture.
struct Blob {
  cv::Rect2f box;      ///< pixels of the picture
  bool moved = false;  ///< since it was first seen, and not only grown or flickered
};

/// Turns masks of the foreground into blobs. It remembers those of the last picture, so that two
/// that touch stay two, one that falls to pieces stays one, and what never moves is distinguished
/// from what does: patches of light, and what was uncovered when something left.
class Blobs {
 public:
  /// Blobs of fewer than `area` pixels are left out, and so are small ones that go with a larger
  /// one at most `near` pixels away: its shadow, its trailer.
  void configure(double area, int near) {
    least_ = area;
    near_ = near;
  }

  /// The blobs in `mask` (CV_8UC1, not 0: foreground), a picture `step` seconds after the last.
  std::vector<Blob> update(const cv::Mat &mask, double step);

  void forget() { known_.clear(); }

 private:
  struct Known {
    cv::Rect2f box;
    cv::Point2f velocity;  // pixels a second
    cv::Point2f origin;    // centre when it was first seen
    double age = 0, unseen = 0;
    bool moved = false;
    bool seen = true;
  };
  struct Component {
    cv::Rect box;
    double area;
    int label;
    std::vector<std::size_t> claims;  // indices of what is known
  };

  std::vector<Component> find_components(const cv::Mat &mask);
  void claim(std::vector<Component> &components) const;
  void unite(std::vector<Component> &components) const;
  bool is_companion(const Component &fresh, const std::vector<Component> &components) const;
  void follow(Known &known, const cv::Rect2f &box, double step) const;
  void divide(const Component &component, double step);

  double least_ = 1;
  int near_ = 0;
  cv::Mat labels_;
  std::vector<Known> known_;
};

}  // namespace npc::detect
