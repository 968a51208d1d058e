// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place where pixels live: a working picture that each frame is copied into.
#include "picture.h"

#include <opencv2/imgproc.hpp>

namespace npc {

bool Picture::configure(const GstVideoInfo &info, cv::Size size, int type) {
  forget();
  info_ = info;
  GstVideoInfo picture;
  if (!gst_video_info_set_format(&picture,
                                 type == CV_8UC1 ? GST_VIDEO_FORMAT_GRAY8 : GST_VIDEO_FORMAT_BGR,
                                 size.width, size.height))
    return false;
  // The converter changes neither of them, and refuses where they differ.
  picture.interlace_mode = info.interlace_mode;
  picture.fps_n = info.fps_n;
  picture.fps_d = info.fps_d;
  converter_ = gst_video_converter_new(
      &info_, &picture,
      gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                        GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LINEAR,
                        GST_VIDEO_CONVERTER_OPT_CHROMA_RESAMPLER_METHOD,
                        GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LINEAR,
                        GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
                        GST_VIDEO_DITHER_NONE, nullptr));
  if (converter_ == nullptr)
    return false;
  memory_ = gst_buffer_new_allocate(nullptr, picture.size, nullptr);
  if (!gst_video_frame_map(&frame_, &picture, memory_, GST_MAP_READWRITE)) {
    gst_clear_buffer(&memory_);
    return false;
  }
  mat_ = cv::Mat(size, type, GST_VIDEO_FRAME_PLANE_DATA(&frame_, 0),
                 GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, 0));
  wipe();
  return true;
}

bool Picture::copy(GstBuffer *buffer, const std::vector<Polygon> &masks) {
  GstVideoFrame input;
  if (!gst_video_frame_map(&input, &info_, buffer, GST_MAP_READ)) {
    wipe();
    return false;
  }
  // A buffer's own meta may announce a larger frame than the caps do (padding), but not a smaller
  // one.
  const bool fits = GST_VIDEO_FRAME_WIDTH(&input) >= GST_VIDEO_INFO_WIDTH(&info_) &&
                    GST_VIDEO_FRAME_HEIGHT(&input) >= GST_VIDEO_INFO_HEIGHT(&info_) &&
                    GST_VIDEO_FRAME_FORMAT(&input) == GST_VIDEO_INFO_FORMAT(&info_);
  if (fits)
    gst_video_converter_frame(converter_, &input, &frame_);
  else
    wipe();
  gst_video_frame_unmap(&input);
  for (const Polygon &mask : masks) {
    std::vector<cv::Point> corners;
    for (const cv::Point2f &corner : mask)
      corners.emplace_back(cvRound(corner.x * mat_.cols), cvRound(corner.y * mat_.rows));
    cv::fillPoly(mat_, corners, cv::Scalar::all(0));
    // Scaling has mixed the pixels at the edge with their neighbours.
    cv::polylines(mat_, corners, true, cv::Scalar::all(0), 3);
  }
  return fits;
}

const cv::Mat &Picture::luma() {
  if (mat_.type() == CV_8UC1)
    return mat_;
  cv::cvtColor(mat_, luma_, cv::COLOR_BGR2GRAY);
  return luma_;
}

void Picture::wipe() {
  mat_.setTo(0);
  luma_.setTo(0);
}

void Picture::forget() {
  wipe();
  mat_.release();
  luma_.release();
  if (memory_ != nullptr) {
    gst_video_frame_unmap(&frame_);
    gst_clear_buffer(&memory_);
  }
  g_clear_pointer(&converter_, gst_video_converter_free);
}

}  // namespace npc
