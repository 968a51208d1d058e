// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipelines of the measurement.
#include "accuracy/clip.h"

#include <gst/npc/npc.h>
#include <gst/video/video.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "npccount/core/tracker.h"
#include "support/pipeline.h"

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
};

bool read_record(GstMessage *message, Record &record) {
  const Owned<GstNpcCounts> counts(gst_npc_counts_from_message(message));
  if (!counts)
    return false;
  const GstStructure *fields = gst_message_get_structure(message);
  if (!gst_structure_get_uint64(fields, "timestamp", &record.start) ||
      !gst_structure_get_uint64(fields, "duration", &record.duration))
    throw std::runtime_error("a record came without timestamp or duration");
  record.counted = {static_cast<int>(counts->people), static_cast<int>(counts->moving)};
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
  explicit MappedFrame(GstSample *sample) {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&frame_, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
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

}  // namespace

Pass run_pipeline(const std::string &clip, const std::string &detector, const std::string &line,
                  std::uint64_t interval) {
  const auto start = std::chrono::steady_clock::now();
  const Pipeline pipeline("npcdetect name=detect " + detector + " ! npccount interval=" +
                              std::to_string(interval) + " name=count ! fakesink sync=false",
                          clip);
  const Owned<GstElement> detect = pipeline.element("detect");
  g_object_set(pipeline.element("count").get(), "lines", line.c_str(), nullptr);
  const Owned<GstPad> source(gst_element_get_static_pad(detect.get(), "src"));
  TrackerTap tap(source.get());
  pipeline.play();
  Pass pass;
  std::vector<Record> records;
  while (const auto message = pipeline.next()) {
    Record record;
    Crossing crossing;
    if (read_record(message.get(), record))
      records.push_back(record);
    else if (read_crossing(message.get(), crossing))
      pass.crossings.push_back(crossing);
  }
  pass.seconds = seconds_since(start);
  pass.tracked = tap.take();
  const Owned<GstPad> pad(gst_element_get_static_pad(detect.get(), "sink"));
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
  for (const Record &record : records)
    pass.windows.push_back(
        {frame_at(record.start, pass.frames_per_second),
         std::min(frame_at(record.start + record.duration, pass.frames_per_second), pass.frames),
         record.counted,
         {}});
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
    const MappedFrame frame(sample.get());
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
