// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place where pixels live: a working picture that each frame is copied into.
#include "npcdetect/workingimage.h"

#include <algorithm>
#include <cstring>
#include <opencv2/imgproc.hpp>

namespace npc::detect {
namespace {

// More cells cost time, fewer miss the smallest people: a sixteenth of a frame's height has still
// nine cells.
constexpr int kCells = 192;
// Rows of a cell that are looked at: beyond that, more of them do little against noise.
constexpr int kRowsOfCell = 2;
// A length that compilers turn into a few instructions.
constexpr int kChunk = 16;

/// Adds the bytes of a row to the sums of their columns.
void add_row(const guint8 *row, std::vector<uint16_t> &sums) {
  uint16_t *sum = sums.data();
  std::size_t left = sums.size();
  for (; left >= kChunk; left -= kChunk, row += kChunk, sum += kChunk) {
    // Copies, as the two might overlap for all that the compiler knows.
    guint8 bytes[kChunk];
    uint16_t totals[kChunk];
    std::memcpy(bytes, row, sizeof bytes);
    std::memcpy(totals, sum, sizeof totals);
    for (int i = 0; i < kChunk; ++i)
      totals[i] = static_cast<uint16_t>(totals[i] + bytes[i]);
    std::memcpy(sum, totals, sizeof totals);
  }
  for (; left > 0; --left)
    *sum++ += *row++;
}

/// Where the brightness is in a row of the first plane: in one byte of `stride`, or in three
/// colours.
struct Brightness {
  bool colours;
  guint first, second, third, stride;

  /// Four times the brightness of `side` pixels.
  uint32_t sum_of(const uint16_t *sums, int side) const {
    uint32_t total = 0;
    if (!colours) {
      sums += first;
      // Two at a time: this is where most of the gate's time goes.
      for (; side >= 2; side -= 2, sums += 2 * stride)
        total += static_cast<uint32_t>(sums[0]) + sums[stride];
      return 4 * (side > 0 ? total + sums[0] : total);
    }
    for (int i = 0; i < side; ++i, sums += stride)
      total += sums[first] + 2u * sums[second] + sums[third];
    return total;
  }
};

Brightness brightness_in(const GstVideoInfo &info) {
  const auto stride = static_cast<guint>(GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0));
  const guint first = GST_VIDEO_INFO_COMP_POFFSET(&info, 0);
  if (!GST_VIDEO_INFO_IS_RGB(&info))
    return {false, first, first, first, stride};
  return {true, first, GST_VIDEO_INFO_COMP_POFFSET(&info, 1), GST_VIDEO_INFO_COMP_POFFSET(&info, 2),
          stride};
}

/// Whether WorkingImage::copy_planes() can make pictures of `size` and `type` of frames of `info`.
bool is_quick(const GstVideoInfo &info, cv::Size size, int type) {
  switch (GST_VIDEO_INFO_FORMAT(&info)) {
    case GST_VIDEO_FORMAT_GRAY8:
    case GST_VIDEO_FORMAT_Y42B:
    case GST_VIDEO_FORMAT_Y444:
      return type == CV_8UC1;
    case GST_VIDEO_FORMAT_I420:
    case GST_VIDEO_FORMAT_YV12:
    case GST_VIDEO_FORMAT_NV12:
    case GST_VIDEO_FORMAT_NV21:
      // OpenCV knows BT.601 of the narrow range only. Another matrix shifts hues a little, which no
      // detector minds; another range would cut off lights and shades.
      return type == CV_8UC1 || (size.width % 2 == 0 && size.height % 2 == 0 &&
                                 info.colorimetry.range != GST_VIDEO_COLOR_RANGE_0_255);
    default:
      return false;
  }
}

/// To the size of `to`, which stays where it is.
void scale(const cv::Mat &from, cv::Mat &to) {
  // Beyond a half, the mean of two pixels no longer stands for those in between.
  const bool much = from.cols > 2 * to.cols || from.rows > 2 * to.rows;
  cv::resize(from, to, to.size(), 0, 0, much ? cv::INTER_AREA : cv::INTER_LINEAR);
}

/// A buffer's own meta may announce a larger frame than the caps do (padding), but not a smaller
/// one.
bool is_meta_of(const GstVideoMeta *meta, const GstVideoInfo &info) {
  return meta == nullptr || (meta->format == GST_VIDEO_INFO_FORMAT(&info) &&
                             meta->n_planes == GST_VIDEO_INFO_N_PLANES(&info) &&
                             meta->width >= static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info)) &&
                             meta->height >= static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info)));
}

/// Whether the strides and places of planes that a meta announced are those of memory that is
/// there: GStreamer checks them only where there is no meta.
bool is_in_memory(const GstVideoFrame &frame, const GstVideoInfo &info) {
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); ++plane) {
    gint components[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component(info.finfo, plane, components);
    gint64 row = 0;
    for (int i = 0; i < GST_VIDEO_MAX_COMPONENTS && components[i] >= 0; ++i)
      row = std::max(row, static_cast<gint64>(GST_VIDEO_INFO_COMP_WIDTH(&info, components[i])) *
                              GST_VIDEO_INFO_COMP_PSTRIDE(&info, components[i]));
    const gint64 rows = GST_VIDEO_INFO_COMP_HEIGHT(&info, components[0]);
    const gint64 stride = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
    const GstMapInfo &map = frame.map[plane];
    const gint64 skipped = static_cast<const guint8 *>(frame.data[plane]) - map.data;
    if (stride < row || skipped < 0 ||
        skipped + (rows - 1) * stride + row > static_cast<gint64>(map.size))
      return false;
  }
  return true;
}

}  // namespace

MappedFrame::MappedFrame(const GstVideoInfo &info, GstBuffer *buffer) {
  const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
  mapped_ = is_meta_of(meta, info) && gst_video_frame_map(&frame_, &info, buffer, GST_MAP_READ);
  good_ = mapped_ && (meta == nullptr || is_in_memory(frame_, info));
}

bool WorkingImage::configure(const GstVideoInfo &info, cv::Size size, int type,
                             GstVideoOrientationMethod method) {
  forget();
  info_ = info;
  method_ = method;
  // The little that is left after scaling is turned, not the frame.
  size = turned(size, method);
  quick_ = is_quick(info, size, type);
  GstVideoInfo picture;
  if (!gst_video_info_set_format(&picture,
                                 type == CV_8UC1 ? GST_VIDEO_FORMAT_GRAY8 : GST_VIDEO_FORMAT_BGR,
                                 size.width, size.height))
    return false;
  // The converter does not change the rate, and refuses where it differs.
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
  lying_ = cv::Mat(size, type, GST_VIDEO_FRAME_PLANE_DATA(&frame_, 0),
                   GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, 0));
  lying_.setTo(0);
  turn(lying_, method_, mat_);
  return true;
}

void WorkingImage::copy(MappedFrame &frame, const std::vector<Polygon> &masks) {
  if (quick_)
    copy_planes(*frame.get());
  else
    gst_video_converter_frame(converter_, frame.get(), &frame_);
  turn(lying_, method_, mat_);
  blacken(mat_, masks);
}

/// As the converter does, in a fraction of its time: it scales on one core and colours first.
void WorkingImage::copy_planes(GstVideoFrame &frame) {
  const cv::Size size(info_.width, info_.height);
  auto plane = [&frame](int index, cv::Size part, int type) {
    return cv::Mat(part, type, GST_VIDEO_FRAME_PLANE_DATA(&frame, index),
                   static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, index)));
  };
  if (lying_.type() == CV_8UC1) {
    scale(plane(0, size, CV_8UC1), lying_);
    return;
  }
  const cv::Size half((size.width + 1) / 2, (size.height + 1) / 2);
  const cv::Size half_picture(lying_.cols / 2, lying_.rows / 2);
  yuv_.create(lying_.rows + half_picture.height, lying_.cols, CV_8UC1);
  cv::Mat luma = yuv_.rowRange(0, lying_.rows);
  scale(plane(0, size, CV_8UC1), luma);
  uint8_t *chroma = yuv_.ptr(lying_.rows);
  const GstVideoFormat format = GST_VIDEO_INFO_FORMAT(&info_);
  if (format == GST_VIDEO_FORMAT_NV12 || format == GST_VIDEO_FORMAT_NV21) {
    cv::Mat both(half_picture, CV_8UC2, chroma);
    scale(plane(1, half, CV_8UC2), both);
    cv::cvtColor(yuv_, lying_,
                 format == GST_VIDEO_FORMAT_NV12 ? cv::COLOR_YUV2BGR_NV12 : cv::COLOR_YUV2BGR_NV21);
    return;
  }
  for (int i = 1; i <= 2; ++i) {
    cv::Mat one(half_picture, CV_8UC1, chroma + (i - 1) * half_picture.area());
    cv::resize(plane(i, half, CV_8UC1), one, half_picture, 0, 0, cv::INTER_NEAREST);
  }
  cv::cvtColor(yuv_, lying_,
               format == GST_VIDEO_FORMAT_I420 ? cv::COLOR_YUV2BGR_I420 : cv::COLOR_YUV2BGR_YV12);
}

void WorkingImage::wipe() {
  lying_.setTo(0);
  mat_.setTo(0);
  yuv_.setTo(0);
}

/// The converter keeps lines of what it did last: those of a black frame.
void WorkingImage::wipe_converter() {
  GstBuffer *black = gst_buffer_new_allocate(nullptr, info_.size, nullptr);
  gst_buffer_memset(black, 0, 0, info_.size);
  GstVideoFrame frame;
  if (gst_video_frame_map(&frame, &info_, black, GST_MAP_READ)) {
    gst_video_converter_frame(converter_, &frame, &frame_);
    gst_video_frame_unmap(&frame);
  }
  gst_buffer_unref(black);
}

void WorkingImage::forget() {
  if (memory_ != nullptr && !quick_)
    wipe_converter();
  wipe();
  yuv_.release();
  lying_.release();
  mat_.release();
  if (memory_ != nullptr) {
    gst_video_frame_unmap(&frame_);
    gst_clear_buffer(&memory_);
  }
  g_clear_pointer(&converter_, gst_video_converter_free);
}

void SmallLuma::configure(const GstVideoInfo &info, GstVideoOrientationMethod method) {
  forget();
  method_ = method;
  const int width = GST_VIDEO_INFO_WIDTH(&info), height = GST_VIDEO_INFO_HEIGHT(&info);
  const int side = std::max(1, cvRound(static_cast<double>(std::max(width, height)) / kCells));
  // A strip has fewer pixels across than a square has.
  cell_ = {std::min(side, width), std::min(side, height)};
  // What is left at the right and the lower edge is no whole cell.
  lying_ = cv::Mat::zeros(height / cell_.height, width / cell_.width, CV_8UC1);
  turn(lying_, method_, mat_);
}

void SmallLuma::copy(MappedFrame &frame, const std::vector<Polygon> &masks) {
  const GstVideoFrame *input = frame.get();
  const Brightness at = brightness_in(input->info);
  const auto *plane = static_cast<const guint8 *>(GST_VIDEO_FRAME_PLANE_DATA(input, 0));
  const int row_stride = GST_VIDEO_FRAME_PLANE_STRIDE(input, 0);
  const int rows = std::min(cell_.height, kRowsOfCell);
  const uint32_t share = (1u << 24) / static_cast<uint32_t>(4 * rows * cell_.width);
  sums_.assign(static_cast<std::size_t>(lying_.cols) * cell_.width * at.stride, 0);
  for (int y = 0; y < lying_.rows; ++y) {
    std::ranges::fill(sums_, uint16_t{0});
    for (int row = 0; row < rows; ++row)
      add_row(plane + static_cast<std::ptrdiff_t>(y * cell_.height + row * cell_.height / rows) *
                          row_stride,
              sums_);
    const uint16_t *sum = sums_.data();
    for (int x = 0; x < lying_.cols; ++x) {
      const uint32_t total = at.sum_of(sum, cell_.width);
      lying_.at<uint8_t>(y, x) = static_cast<uint8_t>((total * share + (1u << 23)) >> 24);
      sum += static_cast<std::size_t>(cell_.width) * at.stride;
    }
  }
  turn(lying_, method_, mat_);
  blacken(mat_, masks);
}

void SmallLuma::forget() {
  lying_.setTo(0);
  mat_.setTo(0);
  lying_.release();
  mat_.release();
  std::ranges::fill(sums_, uint16_t{0});
  sums_.clear();
}

}  // namespace npc::detect
