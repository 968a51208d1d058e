// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipelines of the measurement.
#include "accuracy/clip.h"

#include <gst/npc/npc.h>
#include <gst/video/video.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <opencv2/core.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

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

// The detections that leave a pad. Streaming thread until the stream ended.
class DetectionTap {
 public:
  explicit DetectionTap(GstPad *pad) {
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
  }
  DetectionTap(const DetectionTap &) = delete;
  DetectionTap &operator=(const DetectionTap &) = delete;

  Recording take() { return std::move(recording_); }

 private:
  static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer self) {
    static_cast<DetectionTap *>(self)->note(pad, GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  }

  void configure(GstPad *pad) {
    const Owned<GstCaps> caps(gst_pad_get_current_caps(pad));
    const GstStructure *fields = gst_caps_get_structure(caps.get(), 0);
    int width = 0, height = 0, across = 1, down = 1;
    gst_structure_get(fields, "width", G_TYPE_INT, &width, "height", G_TYPE_INT, &height, nullptr);
    gst_structure_get_fraction(fields, "pixel-aspect-ratio", &across, &down);
    pixel_width_ = static_cast<double>(across) / down;
    recording_.width = width * pixel_width_;
    recording_.height = height;
  }

  void note(GstPad *pad, GstBuffer *buffer) {
    if (recording_.detected.empty())
      configure(pad);
    DetectedFrame &frame = recording_.detected.emplace_back();
    frame.time = count::Time(GST_BUFFER_PTS(buffer));
    frame.duration =
        count::Time(GST_BUFFER_DURATION_IS_VALID(buffer) ? GST_BUFFER_DURATION(buffer) : 0);
    gpointer walk = nullptr;
    GstNpcDetection found;
    while (gst_npc_buffer_iterate_detections(buffer, &walk, &found))
      frame.detections.push_back(
          {found.label,
           {found.x * pixel_width_, found.y, found.width * pixel_width_, found.height},
           found.confidence,
           found.weak != FALSE});
  }

  double pixel_width_ = 1;
  Recording recording_;
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

namespace {

// What npcdetect says of a pass that has ended.
void note_stats(Recording &recording, GstElement *detect) {
  const Owned<GstPad> pad(gst_element_get_static_pad(detect, "sink"));
  recording.frames_per_second = rate_of(Owned<GstCaps>(gst_pad_get_current_caps(pad.get())).get());
  GstStructure *fields = nullptr;
  g_object_get(detect, "stats", &fields, nullptr);
  const Owned<GstStructure> stats(fields);
  guint64 frames = 0, analysed = 0;
  gst_structure_get(stats.get(), "frames-in", G_TYPE_UINT64, &frames, "analysed", G_TYPE_UINT64,
                    &analysed, nullptr);
  recording.frames = static_cast<int>(frames);
  recording.analysed = static_cast<int>(analysed);
}

// Runs the clip through npcdetect and what `rest` says, hands the messages to `see`, and returns
// the detections.
Recording run(const std::string &clip, const PassSettings &settings, const std::string &rest,
              const std::function<void(const Pipeline &)> &prepare,
              const std::function<void(GstMessage *)> &see) {
  const Pipeline pipeline(front_of(settings) + rest, clip);
  prepare(pipeline);
  const Owned<GstElement> detect = pipeline.element("detect");
  const Owned<GstPad> source(gst_element_get_static_pad(detect.get(), "src"));
  const Owned<GstPad> pad(gst_element_get_static_pad(detect.get(), "sink"));
  DetectionTap tap(source.get());
  std::optional<DarkTap> night;
  if (settings.dark)
    night.emplace(pad.get(), *settings.dark);
  pipeline.play();
  while (const auto message = pipeline.next())
    see(message.get());
  Recording recording = tap.take();
  note_stats(recording, detect.get());
  return recording;
}

bool is_same(const Pass &a, const Pass &b) {
  const auto same_window = [](const Window &one, const Window &other) {
    return one.first == other.first && one.last == other.last &&
           one.counted.people == other.counted.people && one.counted.moving == other.counted.moving;
  };
  const auto same_crossing = [](const Crossing &one, const Crossing &other) {
    return one.line == other.line && one.way == other.way &&
           std::abs(one.seconds - other.seconds) < 1e-3;
  };
  return a.entered == b.entered && std::ranges::equal(a.windows, b.windows, same_window) &&
         std::ranges::equal(a.crossings, b.crossings, same_crossing);
}

// Of the file that npcdetect was loaded from: another one may find something else.
std::string plugin_hash() {
  g_autoptr(GstPlugin) plugin = gst_registry_find_plugin(gst_registry_get(), "npcdetect");
  const gchar *file = plugin != nullptr ? gst_plugin_get_filename(plugin) : nullptr;
  g_autofree gchar *bytes = nullptr;
  gsize length = 0;
  if (file == nullptr || !g_file_get_contents(file, &bytes, &length, nullptr))
    throw std::runtime_error("the plugin npcdetect cannot be read");
  g_autofree gchar *hash = g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar *>(bytes), length);
  return std::string(hash).substr(0, 16);
}

std::string recording_name(const std::string &clip, const PassSettings &settings) {
  std::ostringstream text;
  text << settings.detector;
  if (settings.dark)
    text << '\n' << settings.dark->gamma << ' ' << settings.dark->noise;
  g_autofree gchar *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text.str().c_str(), -1);
  return std::filesystem::path(clip).filename().string() + "-" + std::string(hash).substr(0, 16);
}

}  // namespace

Pass run_pipeline(const std::string &clip, const PassSettings &settings) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Record> records;
  std::vector<Crossing> crossings;
  const Recording recording = run(
      clip, settings,
      " ! npccount interval=" + std::to_string(settings.interval) +
          " name=count ! fakesink sync=false",
      [&](const Pipeline &pipeline) {
        g_object_set(pipeline.element("count").get(), "lines", settings.lines.c_str(), "zones",
                     settings.zones.c_str(), nullptr);
      },
      [&](GstMessage *message) {
        Record record;
        Crossing crossing;
        if (read_record(message, settings.label, record))
          records.push_back(record);
        else if (read_crossing(message, crossing))
          crossings.push_back(crossing);
      });
  Pass pass;
  pass.seconds = seconds_since(start);
  pass.crossings = std::move(crossings);
  pass.frames_per_second = recording.frames_per_second;
  pass.frames = recording.frames;
  pass.analysed = recording.analysed;
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
  Pass again = replay(recording, settings);
  if (!is_same(pass, again))
    throw std::runtime_error("npccount and its core alone come to different counts on " + clip);
  pass.tracked = std::move(again.tracked);
  return pass;
}

Pass run_recorded(const std::string &clip, const PassSettings &settings,
                  const std::filesystem::path &folder) {
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path file = folder / plugin_hash() / recording_name(clip, settings);
  Recording recording;
  if (std::ifstream in(file); in) {
    recording = Recording::read(in);
  } else {
    recording = run(
        clip, settings, " ! fakesink sync=false", [](const Pipeline &) {}, [](GstMessage *) {});
    std::filesystem::create_directories(file.parent_path());
    // So that what was torn off in the middle is not taken for the whole.
    const std::filesystem::path part = file.string() + ".part";
    std::ofstream out(part);
    recording.write(out);
    std::filesystem::rename(part, file);
  }
  Pass pass = replay(recording, settings);
  pass.seconds = seconds_since(start);
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
