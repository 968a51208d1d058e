// SPDX-License-Identifier: LGPL-2.1-or-later
// How frames are seen: upright, and in the shape that a display gives them.
#include "npcdetect/view.h"

#include <algorithm>

#include "base/pixels.h"

namespace npc::detect {
namespace {

/// `size` with its pixels made square. Sides are scaled up, not down, as that would throw away what
/// can be seen; unless it became too large.
cv::Size with_square_pixels(cv::Size size, double aspect) {
  const double width = size.width * std::max(aspect, 1.0);
  const double height = size.height * std::max(1 / aspect, 1.0);
  const double fit = std::min(1.0, kLargestSide / std::max(width, height));
  return {std::max(1, cvRound(width * fit)), std::max(1, cvRound(height * fit))};
}

}  // namespace

View view_of(const GstVideoInfo &info, GstVideoOrientationMethod method) {
  const cv::Size frame(GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info));
  const gint width = GST_VIDEO_INFO_PAR_N(&info), height = GST_VIDEO_INFO_PAR_D(&info);
  View view{method, turned(frame, method), turned(frame, method), {1, 1}};
  view.believable = is_believable_pixel(width, height);
  if (!view.believable)
    return view;
  view.pixel = turned(cv::Size(width, height), method);
  view.shape = turned(with_square_pixels(frame, static_cast<double>(width) / height), method);
  return view;
}

cv::Size turned(cv::Size size, GstVideoOrientationMethod method) {
  switch (method) {
    case GST_VIDEO_ORIENTATION_90R:
    case GST_VIDEO_ORIENTATION_90L:
    case GST_VIDEO_ORIENTATION_UL_LR:
    case GST_VIDEO_ORIENTATION_UR_LL:
      return {size.height, size.width};
    default:
      return size;
  }
}

void turn(const cv::Mat &lying, GstVideoOrientationMethod method, cv::Mat &upright) {
  switch (method) {
    case GST_VIDEO_ORIENTATION_90R:
      cv::rotate(lying, upright, cv::ROTATE_90_CLOCKWISE);
      break;
    case GST_VIDEO_ORIENTATION_180:
      cv::rotate(lying, upright, cv::ROTATE_180);
      break;
    case GST_VIDEO_ORIENTATION_90L:
      cv::rotate(lying, upright, cv::ROTATE_90_COUNTERCLOCKWISE);
      break;
    case GST_VIDEO_ORIENTATION_HORIZ:
      cv::flip(lying, upright, 1);
      break;
    case GST_VIDEO_ORIENTATION_VERT:
      cv::flip(lying, upright, 0);
      break;
    case GST_VIDEO_ORIENTATION_UL_LR:
      cv::transpose(lying, upright);
      break;
    case GST_VIDEO_ORIENTATION_UR_LL:
      cv::transpose(lying, upright);
      cv::flip(upright, upright, -1);
      break;
    default:
      upright = lying;
      break;
  }
}

void OrientationTags::read(GstEvent *event) {
  // Not with gst_event_parse_tag(): it relies on a list, and an event may come from anybody.
  const GstStructure *structure = gst_event_get_structure(event);
  g_autoptr(GstTagList) tags = nullptr;
  if (structure == nullptr ||
      !gst_structure_get(structure, "taglist", GST_TYPE_TAG_LIST, &tags, nullptr) ||
      tags == nullptr)
    return;
  GstVideoOrientationMethod method;
  if (gst_video_orientation_from_tag(tags, &method))
    (gst_tag_list_get_scope(tags) == GST_TAG_SCOPE_STREAM ? stream_ : global_) = method;
}

GstVideoOrientationMethod OrientationTags::resolve(GstVideoOrientationMethod wanted) const {
  if (wanted != GST_VIDEO_ORIENTATION_AUTO)
    return wanted;
  return stream_.value_or(global_.value_or(GST_VIDEO_ORIENTATION_IDENTITY));
}

}  // namespace npc::detect
