// SPDX-License-Identifier: LGPL-2.1-or-later
// What finds faces of known size in a part of a picture.
#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "npcdetect/detectors/detector.h"

namespace npc::detect {

/// How large a face may be: its width, in pixels of the picture.
struct FaceSizes {
  float least = 0;
  float most = 0;
};

/// Finds faces. Used by one thread at a time.
class FaceFinder {
 public:
  virtual ~FaceFinder() = default;

  /// CV_8UC1: it looks at luma, CV_8UC3: at BGR.
  virtual int picture_type() const = 0;

  /// Smaller faces it does not find.
  virtual float least() const = 0;

  /// Appends the faces in `part`, a part of a picture or all of it, with at least `floor`
  /// confidence to `found`, in pixels of `part`. The narrower `sizes`, the less it costs. Throws
  /// DetectorError.
  virtual void find(const cv::Mat &part, const FaceSizes &sizes, float floor,
                    std::vector<Detection> &found) = 0;
};

/// A Haar or LBP cascade from `path`, or if that is empty, OpenCV's frontal face from where
/// distributions install it. Throws DetectorError.
std::unique_ptr<FaceFinder> make_cascade(const std::string &path);

/// YuNet from the ONNX file at `path`. Throws DetectorError.
std::unique_ptr<FaceFinder> make_yunet(const std::string &path);

}  // namespace npc::detect
