// SPDX-License-Identifier: LGPL-2.1-or-later
// How frames are seen: upright, and in the shape that a display gives them.
#pragma once

#include <gst/video/video.h>

#include <opencv2/core.hpp>
#include <optional>

namespace npc::detect {

/// Frames have at most so many pixels on a side: no camera makes more, and sizes in bytes fit into
/// an int.
constexpr int kLargestSide = 16384;

/// A frame as somebody in front of a display sees it.
struct View {
  GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;  ///< makes it upright
  cv::Size size;   ///< upright, in the frame's own pixels: what boxes are in
  cv::Size shape;  ///< upright, in square pixels: no fewer than the frame has, on either side
  cv::Size pixel;  ///< the pixel-aspect-ratio, upright
  bool believable = true;  ///< false: the pixel-aspect-ratio is a mistake, and 1/1 is assumed
};

/// How frames of `info` are seen that `method`, neither `auto` nor `custom`, makes upright.
View view_of(const GstVideoInfo &info, GstVideoOrientationMethod method);

/// `size` after a turn; also `size` before the turn that undoes it.
cv::Size turned(cv::Size size, GstVideoOrientationMethod method);

/// Turns `lying` by `method`. With `identity`, `upright` becomes a view of the same pixels.
void turn(const cv::Mat &lying, GstVideoOrientationMethod method, cv::Mat &upright);

/// What a stream's tags (GST_TAG_IMAGE_ORIENTATION) say of which way is up.
class OrientationTags {
 public:
  /// Takes in the tags in a TAG event: of the stream, or of all that it is a part of. Those of the
  /// stream win; tags that do not mention the orientation leave it as it is.
  void read(GstEvent *event);

  /// Another stream begins.
  void forget() { *this = OrientationTags(); }

  /// `wanted`, or, where that is `auto`, what the tags ask for.
  GstVideoOrientationMethod resolve(GstVideoOrientationMethod wanted) const;

 private:
  std::optional<GstVideoOrientationMethod> stream_, global_;
};

}  // namespace npc::detect
