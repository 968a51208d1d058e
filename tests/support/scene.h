// SPDX-License-Identifier: LGPL-2.1-or-later
// A drawn scene with two people whom HOG finds, as a frame of any format.
#pragma once

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "support/owned.h"

namespace npc::test {

/// Where the two people stand: bottom centre and height, in fractions of the frame.
struct Person {
  double x, y, height;
};
inline constexpr Person kLeft = {0.3, 0.82, 0.36}, kRight = {0.72, 0.74, 0.36};

inline void draw(cv::Mat &scene, const Person &person) {
  const double height = person.height * scene.rows;
  auto at = [&](double x, double y) {
    return cv::Point(cvRound(person.x * scene.cols + x * height),
                     cvRound(person.y * scene.rows - y * height));
  };
  const cv::Scalar grey(60);
  cv::ellipse(scene, at(0, 0.93), cv::Size(cvRound(0.065 * height), cvRound(0.08 * height)), 0, 0,
              360, grey, cv::FILLED, cv::LINE_AA);
  using Outline = std::vector<cv::Point>;
  for (const Outline &part : {Outline{at(-.13, .82), at(.13, .82), at(.15, .5), at(.11, .45),
                                      at(-.11, .45), at(-.15, .5)},
                              Outline{at(-.11, .47), at(0, .47), at(-.03, 0), at(-.12, 0)},
                              Outline{at(0, .47), at(.11, .47), at(.12, 0), at(.03, 0)}})
    cv::fillPoly(scene, part, grey, cv::LINE_AA);
}

/// The scene in luma.
inline cv::Mat draw_scene(cv::Size size, const std::vector<Person> &people = {kLeft, kRight}) {
  cv::Mat scene(size, CV_8UC1, cv::Scalar(200));
  for (const Person &person : people)
    draw(scene, person);
  cv::GaussianBlur(scene, scene, cv::Size(), scene.rows / 220.0);
  return scene;
}

inline Owned<GstCaps> frame_caps(GstVideoFormat format, cv::Size size, int fps = 10) {
  return Owned<GstCaps>(gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING,
                                            gst_video_format_to_string(format), "width", G_TYPE_INT,
                                            size.width, "height", G_TYPE_INT, size.height,
                                            "framerate", GST_TYPE_FRACTION, fps, 1, nullptr));
}

/// `scene` as a frame; each row `padding` bytes longer than GStreamer's own rows, told by a
/// GstVideoMeta.
inline Owned<GstBuffer> make_frame(const cv::Mat &scene, GstVideoFormat format,
                                   GstClockTime pts = 0, int padding = 0) {
  GstVideoInfo from, to;
  gst_video_info_set_format(&from, GST_VIDEO_FORMAT_GRAY8, scene.cols, scene.rows);
  gst_video_info_set_format(&to, format, scene.cols, scene.rows);
  gsize offset[GST_VIDEO_MAX_PLANES] = {};
  gint stride[GST_VIDEO_MAX_PLANES] = {};
  gsize size = 0;
  for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(&to); ++plane) {
    offset[plane] = size;
    stride[plane] = GST_VIDEO_INFO_PLANE_STRIDE(&to, plane) + padding;
    gint components[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component(to.finfo, plane, components);
    size += static_cast<gsize>(stride[plane]) *
            GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(to.finfo, components[0], scene.rows);
  }
  Owned<GstBuffer> grey(gst_buffer_new_allocate(nullptr, from.size, nullptr));
  Owned<GstBuffer> frame(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(frame.get(), 0, 0xaa, size);
  gst_buffer_add_video_meta_full(frame.get(), GST_VIDEO_FRAME_FLAG_NONE, format, scene.cols,
                                 scene.rows, GST_VIDEO_INFO_N_PLANES(&to), offset, stride);
  GstVideoFrame source, target;
  gst_video_frame_map(&source, &from, grey.get(), GST_MAP_READWRITE);
  scene.copyTo(cv::Mat(scene.size(), CV_8UC1, GST_VIDEO_FRAME_PLANE_DATA(&source, 0),
                       GST_VIDEO_FRAME_PLANE_STRIDE(&source, 0)));
  gst_video_frame_map(&target, &to, frame.get(), GST_MAP_WRITE);
  GstVideoConverter *converter = gst_video_converter_new(&from, &to, nullptr);
  gst_video_converter_frame(converter, &source, &target);
  gst_video_converter_free(converter);
  gst_video_frame_unmap(&target);
  gst_video_frame_unmap(&source);
  GST_BUFFER_PTS(frame.get()) = pts;
  GST_BUFFER_DURATION(frame.get()) = 100 * GST_MSECOND;
  return frame;
}

/// The strong detections on `buffer`, from left to right.
inline std::vector<GstNpcDetection> strong_detections(GstBuffer *buffer) {
  std::vector<GstNpcDetection> found;
  gpointer state = nullptr;
  GstNpcDetection detection;
  while (gst_npc_buffer_iterate_detections(buffer, &state, &detection))
    if (!detection.weak)
      found.push_back(detection);
  std::ranges::sort(found, {}, &GstNpcDetection::x);
  return found;
}

/// A figure of npcdetect's `stats`.
inline guint64 stat_of(GstElement *npcdetect, const char *name) {
  GstStructure *stats = nullptr;
  g_object_get(npcdetect, "stats", &stats, nullptr);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, name, &value)) << name;
  gst_structure_free(stats);
  return value;
}

/// The sentence of the first message of `type` on the harness's bus, or an empty text.
inline std::string sentence(GstBus *bus, GstMessageType type) {
  Owned<GstMessage> message(gst_bus_pop_filtered(bus, type));
  if (!message)
    return {};
  GError *error = nullptr;
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error(message.get(), &error, nullptr);
  else
    gst_message_parse_warning(message.get(), &error, nullptr);
  const std::string text = error->message;
  g_error_free(error);
  return text;
}

}  // namespace npc::test
