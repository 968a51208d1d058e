// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipelines of the measurement.
#include "accuracy/clip.h"

#include <gst/npc/npc.h>
#include <gst/video/video.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "npccount/core/tracker.h"
#include "support/pipeline.h"

using namespace npc::count;

namespace npc::accuracy {
namespace {

using test::Owned;
using test::Pipeline;

double rate_of(const GstCaps *caps) {
  GstVideoInfo info;
  if (caps == nullptr || !gst_video_info_from_caps(&info, caps) || info.fps_n <= 0)
    throw std::runtime_error("the clip does not say how many frames a second it has");
  return static_cast<double>(info.fps_n) / info.fps_d;
}

// Frame k is at k / rate seconds.
int frame_at(guint64 time, double rate) {
  return static_cast<int>(std::lround(static_cast<double>(time) / GST_SECOND * rate));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A record as it came: its window in ns of the clip.
struct Record {
  guint64 start = 0;
  guint64 duration = 0;
  Counts counted;
  int entered = 0;
};

int objects_of(const GstNpcCounts &counts, const std::string &label) {
  guint64 count = 0;
  gst_npc_counts_get_number(&counts, ("objects." + label).c_str(), &count);
  return static_cast<int>(count);
}

bool read_record(GstMessage *message, const std::string &label, Record &record) {
  const Owned<GstNpcCounts> counts(gst_npc_counts_from_message(message));
  if (!counts)
    return false;
  const GstStructure *fields = gst_message_get_structure(message);
  if (!gst_structure_get_uint64(fields, "timestamp", &record.start) ||
      !gst_structure_get_uint64(fields, "duration", &record.duration))
    throw std::runtime_error("a record came without timestamp or duration");
  record.counted = {static_cast<int>(counts->people), static_cast<int>(counts->moving)};
  if (label != "person")
    record.counted = {objects_of(*counts, label), 0};
  if (gst_npc_counts_get_n_zones(counts.get()) > 0)
    record.entered = static_cast<int>(gst_npc_counts_get_zone(counts.get(), 0)->entered);
  return true;
}

bool read_crossing(GstMessage *message, Crossing &crossing) {
  if (!gst_message_has_name(message, "npc-crossing"))
    return false;
  const GstStructure *fields = gst_message_get_structure(message);
  guint64 time = 0;
  const gchar *direction = gst_structure_get_string(fields, "direction");
  if (!gst_structure_get_uint64(fields, "timestamp", &time) || direction == nullptr)
    throw std::runtime_error("a crossing came without timestamp or direction");
  crossing.seconds = static_cast<double>(time) / GST_SECOND;
  crossing.way = std::string_view(direction) == "in" ? Way::kPlus : Way::kMinus;
  crossing.line = gst_structure_get_string(fields, "line");
  return true;
}

// npccount's tracker, on the detections that leave a pad. Streaming thread until the stream ended.
class TrackerTap {
 public:
  explicit TrackerTap(GstPad *pad) {
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
  }
  TrackerTap(const TrackerTap &) = delete;
  TrackerTap &operator=(const TrackerTap &) = delete;

  std::vector<TrackedFrame> take() { return std::move(tracked_); }

 private:
  static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer self) {
    static_cast<TrackerTap *>(self)->track(pad, GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  }

  void track(GstPad *pad, GstBuffer *buffer) {
    if (tracked_.empty()) {
      const Owned<GstCaps> caps(gst_pad_get_current_caps(pad));
      const GstStructure *fields = gst_caps_get_structure(caps.get(), 0);
      int width = 0, height = 0, numerator = 0, denominator = 1;
      gst_structure_get(fields, "width", G_TYPE_INT, &width, "height", G_TYPE_INT, &height,
                        "framerate", GST_TYPE_FRACTION, &numerator, &denominator, nullptr);
      tracker_.set_frame_size({static_cast<double>(width), static_cast<double>(height)});
      rate_ = static_cast<double>(numerator) / denominator;
    }
    std::vector<count::Detection> detections;
    gpointer walk = nullptr;
    GstNpcDetection found;
    while (gst_npc_buffer_iterate_detections(buffer, &walk, &found))
      detections.push_back({found.label,
                            {found.x, found.y, found.width, found.height},
                            found.confidence,
                            found.weak != FALSE});
    tracker_.update(count::Time(GST_BUFFER_PTS(buffer)), detections);
    TrackedFrame &frame = tracked_.emplace_back();
    frame.frame = frame_at(GST_BUFFER_PTS(buffer), rate_);
    for (const count::Track &track : tracker_.tracks()) {
      if (track.present && track.label == "person")
        frame.tracks.push_back({track.id, track.box});
    }
  }

  count::Tracker tracker_;
  double rate_ = 0;
  std::vector<TrackedFrame> tracked_;
};

// Frames come in pipelines of our own, where appsink is there but its library is not needed.
Owned<GstSample> pull(GstElement *sink) {
  GstSample *sample = nullptr;
  g_signal_emit_by_name(sink, "try-pull-sample", 600 * GST_SECOND, &sample);
  return Owned<GstSample>(sample);
}

class MappedFrame {
 public:
  MappedFrame(const GstCaps *caps, GstBuffer *buffer, GstMapFlags flags) {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, caps) ||
        !gst_video_frame_map(&frame_, &info, buffer, flags))
      throw std::runtime_error("a frame of the clip cannot be read");
  }
  ~MappedFrame() { gst_video_frame_unmap(&frame_); }
  MappedFrame(const MappedFrame &) = delete;
  MappedFrame &operator=(const MappedFrame &) = delete;

  cv::Mat picture() const {
    return {GST_VIDEO_FRAME_HEIGHT(&frame_), GST_VIDEO_FRAME_WIDTH(&frame_), CV_8UC3,
            GST_VIDEO_FRAME_PLANE_DATA(&frame_, 0),
            static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, 0))};
  }

 private:
  GstVideoFrame frame_;
};

// Makes day into night on a pad, frame by frame. The noise is the same in each run.
class DarkTap {
 public:
  DarkTap(GstPad *pad, const Darkness &dark) : noise_(dark.noise) {
    for (int i = 0; i < 256; i++)
      table_.at<uchar>(i) = cv::saturate_cast<uchar>(255 * std::pow(i / 255.0, dark.gamma));
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
  }
  DarkTap(const DarkTap &) = delete;
  DarkTap &operator=(const DarkTap &) = delete;

 private:
  static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer self) {
    GST_PAD_PROBE_INFO_DATA(info) = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    const Owned<GstCaps> caps(gst_pad_get_current_caps(pad));
    static_cast<DarkTap *>(self)->darken(caps.get(), GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  }

  void darken(GstCaps *caps, GstBuffer *buffer) {
    const MappedFrame frame(caps, buffer, GST_MAP_READWRITE);
    cv::Mat picture = frame.picture();
    cv::LUT(picture, table_, picture);
    noise_of_frame_.create(picture.size(), CV_16SC3);
    random_.fill(noise_of_frame_, cv::RNG::NORMAL, 0, noise_);
    cv::add(picture, noise_of_frame_, picture, cv::noArray(), CV_8U);
  }

  const double noise_;
  cv::Mat table_ = cv::Mat(1, 256, CV_8U);
  cv::RNG random_ = cv::RNG(1);
  cv::Mat noise_of_frame_;
};

// From the file's decoder to the detections.
std::string front_of(const PassSettings &settings) {
  return std::string(settings.dark ? "videoconvert ! video/x-raw,format=BGR ! " : "") +
         "npcdetect name=detect " + settings.detector;
}

}  // namespace

cv::Size size_of(const std::string &clip) {
  const Pipeline pipeline("fakesink name=sink num-buffers=1", clip);
  pipeline.play();
  pipeline.finish();
  const Owned<GstElement> sink = pipeline.element("sink");
  const Owned<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  const Owned<GstCaps> caps(gst_pad_get_current_caps(pad.get()));
  GstVideoInfo info;
  if (!caps || !gst_video_info_from_caps(&info, caps.get()))
    throw std::runtime_error("the clip " + clip + " has no frames");
  return {info.width, info.height};
}

Pass run_pipeline(const std::string &clip, const PassSettings &settings) {
  const auto start = std::chrono::steady_clock::now();
  const Pipeline pipeline(front_of(settings) +
                              " ! npccount interval=" + std::to_string(settings.interval) +
                              " name=count ! fakesink sync=false",
                          clip);
  const Owned<GstElement> detect = pipeline.element("detect");
  g_object_set(pipeline.element("count").get(), "lines", settings.lines.c_str(), "zones",
               settings.zones.c_str(), nullptr);
  const Owned<GstPad> source(gst_element_get_static_pad(detect.get(), "src"));
  const Owned<GstPad> pad(gst_element_get_static_pad(detect.get(), "sink"));
  TrackerTap tap(source.get());
  std::optional<DarkTap> night;
  if (settings.dark)
    night.emplace(pad.get(), *settings.dark);
  pipeline.play();
  Pass pass;
  std::vector<Record> records;
  while (const auto message = pipeline.next()) {
    Record record;
    Crossing crossing;
    if (read_record(message.get(), settings.label, record))
      records.push_back(record);
    else if (read_crossing(message.get(), crossing))
      pass.crossings.push_back(crossing);
  }
  pass.seconds = seconds_since(start);
  pass.tracked = tap.take();
  pass.frames_per_second = rate_of(Owned<GstCaps>(gst_pad_get_current_caps(pad.get())).get());
  GstStructure *fields = nullptr;
  g_object_get(detect.get(), "stats", &fields, nullptr);
  const Owned<GstStructure> stats(fields);
  guint64 frames = 0;
  guint64 analysed = 0;
  gst_structure_get(stats.get(), "frames-in", G_TYPE_UINT64, &frames, "analysed", G_TYPE_UINT64,
                    &analysed, nullptr);
  pass.frames = static_cast<int>(frames);
  pass.analysed = static_cast<int>(analysed);
  // Frame 0 is the first that came, whatever its time.
  const guint64 origin = records.empty() ? 0 : records.front().start;
  for (const Record &record : records) {
    pass.windows.push_back(
        {frame_at(record.start - origin, pass.frames_per_second),
         std::min(frame_at(record.start - origin + record.duration, pass.frames_per_second),
                  pass.frames),
         record.counted,
         {}});
    pass.entered += record.entered;
  }
  for (Crossing &crossing : pass.crossings)
    crossing.seconds -= static_cast<double>(origin) / GST_SECOND;
  return pass;
}

Pass each_frame(const std::string &clip, const std::function<void(const cv::Mat &)> &see) {
  const auto start = std::chrono::steady_clock::now();
  const Pipeline pipeline(
      "videoconvert ! video/x-raw,format=BGR ! appsink name=frames sync=false max-buffers=4", clip);
  const Owned<GstElement> frames = pipeline.element("frames");
  pipeline.play();
  Pass pass;
  while (const auto sample = pull(frames.get())) {
    const MappedFrame frame(gst_sample_get_caps(sample.get()), gst_sample_get_buffer(sample.get()),
                            GST_MAP_READ);
    pass.frames_per_second = rate_of(gst_sample_get_caps(sample.get()));
    see(frame.picture());
    pass.frames++;
  }
  // It may have ended early, and says why.
  pipeline.finish();
  pass.analysed = pass.frames;
  pass.seconds = seconds_since(start);
  return pass;
}

}  // namespace npc::accuracy
