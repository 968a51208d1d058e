// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place where pixels live: a working picture that each frame is copied into.
#pragma once

#include <gst/video/video.h>

#include <opencv2/core.hpp>
#include <vector>

#include "npcdetect/core/mask.h"
#include "npcdetect/view.h"

namespace npc::detect {

/// A buffer whose pixels can be read for as long as this lives.
class MappedFrame {
 public:
  MappedFrame(const GstVideoInfo &info, GstBuffer *buffer);
  MappedFrame(const MappedFrame &) = delete;
  MappedFrame &operator=(const MappedFrame &) = delete;
  ~MappedFrame() {
    if (mapped_)
      gst_video_frame_unmap(&frame_);
  }

  /// Whether it is a frame of the format and, at least, the size of `info`.
  bool good() const { return good_; }

  GstVideoFrame *get() { return &frame_; }

 private:
  GstVideoFrame frame_{};
  bool mapped_ = false, good_ = false;
};

class WorkingImage {
 public:
  WorkingImage() = default;
  WorkingImage(const WorkingImage &) = delete;
  WorkingImage &operator=(const WorkingImage &) = delete;
  ~WorkingImage() { forget(); }

  /// Frames of `info`, which are progressive, are to be copied to a picture of `size` and `type`
  /// (CV_8UC1: luma, CV_8UC3: BGR), turned upright by `method`. Wipes the old one. Returns false if
  /// GStreamer cannot convert so.
  bool configure(const GstVideoInfo &info, cv::Size size, int type,
                 GstVideoOrientationMethod method);

  /// Copies `frame`, which is good and of the configured format, scaled and upright, and blackens
  /// `masks`.
  void copy(MappedFrame &frame, const std::vector<Polygon> &masks);

  const cv::Mat &mat() const { return mat_; }

  /// Overwrites the pixels with zeros.
  void wipe();

  /// Wipes, and gives everything back.
  void forget();

 private:
  void copy_planes(GstVideoFrame &frame);
  void wipe_converter();

  GstVideoInfo info_{};
  bool quick_ = false;  // copy_planes() does
  GstVideoConverter *converter_ = nullptr;
  GstBuffer *memory_ = nullptr;
  GstVideoFrame frame_{};  // of memory_, mapped as long as it exists
  GstVideoOrientationMethod method_ = GST_VIDEO_ORIENTATION_IDENTITY;
  cv::Mat lying_;  // a view of frame_
  cv::Mat mat_;    // upright; the same view where nothing is turned
  cv::Mat yuv_;    // before it is BGR
};

/// The brightness of a frame in few cells, each the mean of a square of pixels: cheap to make, and
/// enough to see where something changes.
class SmallLuma {
 public:
  SmallLuma() = default;
  SmallLuma(const SmallLuma &) = delete;
  SmallLuma &operator=(const SmallLuma &) = delete;
  ~SmallLuma() { forget(); }

  /// Frames of `info` are to be looked at, and turned upright by `method`. Wipes the old cells.
  void configure(const GstVideoInfo &info, GstVideoOrientationMethod method);

  /// Looks at `frame`, which is good and of the configured format, and blackens `masks`.
  void copy(MappedFrame &frame, const std::vector<Polygon> &masks);

  /// One byte a cell, upright.
  const cv::Mat &mat() const { return mat_; }

  /// Overwrites the cells with zeros, and gives them back.
  void forget();

 private:
  cv::Size cell_ = {1, 1};  // pixels
  GstVideoOrientationMethod method_ = GST_VIDEO_ORIENTATION_IDENTITY;
  cv::Mat lying_, mat_;         // mat_ is a view of lying_ where nothing is turned
  std::vector<uint16_t> sums_;  // of a column's bytes in one row of cells
};

}  // namespace npc::detect
