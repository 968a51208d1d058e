// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place where pixels live: a working picture that each frame is copied into.
#pragma once

#include <gst/video/video.h>

#include <opencv2/core.hpp>
#include <vector>

namespace npc {

/// A corner of a polygon, in fractions of the frame.
using Polygon = std::vector<cv::Point2f>;

class Picture {
 public:
  Picture() = default;
  Picture(const Picture &) = delete;
  Picture &operator=(const Picture &) = delete;
  ~Picture() { forget(); }

  /// Frames of `info` are to be copied to a picture of `size` and `type` (CV_8UC1: luma, CV_8UC3:
  /// BGR). Wipes the old one. Returns false if GStreamer cannot convert so.
  bool configure(const GstVideoInfo &info, cv::Size size, int type);

  /// Copies the frame in `buffer`, scaled, and blackens `masks`. Returns false, and leaves the
  /// picture black, if the buffer is not a frame of the configured format.
  bool copy(GstBuffer *buffer, const std::vector<Polygon> &masks);

  const cv::Mat &mat() const { return mat_; }

  /// The picture without its colours.
  const cv::Mat &luma();

  /// Overwrites the pixels with zeros.
  void wipe();

  /// Wipes, and gives everything back.
  void forget();

 private:
  GstVideoInfo info_{};
  GstVideoConverter *converter_ = nullptr;
  GstBuffer *memory_ = nullptr;
  GstVideoFrame frame_{};  // of memory_, mapped as long as it exists
  cv::Mat mat_;            // a view of frame_
  cv::Mat luma_;           // of a picture in BGR
};

}  // namespace npc
