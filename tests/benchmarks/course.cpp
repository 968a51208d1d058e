// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the pipeline and times its elements where buffers pass between them.
#include "benchmarks/course.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

#include "benchmarks/measuring.h"
#include "support/pipeline.h"

namespace npc::bench {
namespace {

using test::Owned;
using test::Pipeline;

// What a crop is a part of.
constexpr int kWidth = 768, kHeight = 576;

// Times an element's chain function, what it pushes on included. A pad has no probe for the moment
// when its buffer is done with: the function is replaced by one that calls it.
class ChainClock {
 public:
  ChainClock(GstElement *element, bool on) : pad_(gst_element_get_static_pad(element, "sink")) {
    if (!on)
      return;
    chain_ = GST_PAD_CHAINFUNC(pad_.get());
    gst_pad_set_chain_function_full(pad_.get(), timed_chain, this, nullptr);
  }
  ChainClock(const ChainClock &) = delete;
  ChainClock &operator=(const ChainClock &) = delete;

  // After the end of the stream.
  double seconds() const { return std::chrono::duration<double>(total_).count(); }

 private:
  using Clock = std::chrono::steady_clock;

  static GstFlowReturn timed_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
    auto *self = static_cast<ChainClock *>(pad->chaindata);
    const auto start = Clock::now();
    const GstFlowReturn flow = self->chain_(pad, parent, buffer);
    self->total_ += Clock::now() - start;
    return flow;
  }

  Owned<GstPad> pad_;
  GstPadChainFunction chain_ = nullptr;
  Clock::duration total_{};
};

// Notes when the first buffer comes to a pad.
class StartLine {
 public:
  explicit StartLine(GstElement *element) {
    const Owned<GstPad> pad(gst_element_get_static_pad(element, "sink"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
  }
  StartLine(const StartLine &) = delete;
  StartLine &operator=(const StartLine &) = delete;

  double seconds() const { return stopwatch_.seconds(); }
  double cpu() const { return cpu_seconds() - cpu_; }

 private:
  static GstPadProbeReturn on_buffer(GstPad *, GstPadProbeInfo *, gpointer self) {
    auto *line = static_cast<StartLine *>(self);
    line->stopwatch_ = Stopwatch();
    line->cpu_ = cpu_seconds();
    return GST_PAD_PROBE_REMOVE;
  }

  Stopwatch stopwatch_;
  double cpu_ = 0;
};

// Records go to a file that goes with this.
class Folder {
 public:
  Folder() {
    const std::string pattern = std::filesystem::temp_directory_path() / "npc-benchmark-XXXXXX";
    path_ = pattern;
    if (g_mkdtemp(path_.data()) == nullptr)
      throw std::runtime_error("no folder can be made like " + pattern);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;

  const std::string &path() const { return path_; }

 private:
  std::string path_;
};

void read_stats(GstElement *detect, Figures &figures) {
  GstStructure *stats = nullptr;
  g_object_get(detect, "stats", &stats, nullptr);
  for (int i = 0; i < gst_structure_n_fields(stats); i++) {
    const std::string name = gst_structure_nth_field_name(stats, static_cast<guint>(i));
    guint64 value = 0;
    if (!gst_structure_get_uint64(stats, name.c_str(), &value))
      continue;
    if (name.ends_with("-time"))
      figures.stages.emplace_back(name, static_cast<double>(value) / GST_SECOND);
    else
      figures.counters.emplace_back(name, value);
  }
  gst_structure_free(stats);
}

Owned<GstBuffer> stamped(const Film &film, int frame, GstClockTime period) {
  // Shares the pixels.
  Owned<GstBuffer> buffer(
      gst_buffer_copy(film.frames[static_cast<std::size_t>(frame % film.size())].get()));
  GST_BUFFER_PTS(buffer.get()) = static_cast<guint64>(frame) * period;
  GST_BUFFER_DURATION(buffer.get()) = period;
  GST_BUFFER_OFFSET(buffer.get()) = static_cast<guint64>(frame);
  return buffer;
}

constexpr const char *kRules =
    "lines=\"middle,x1=0.5,y1=0.0,x2=0.5,y2=1.0; left,x1=0.25,y1=0.0,x2=0.25,y2=1.0; "
    "across,x1=0.0,y1=0.5,x2=1.0,y2=0.5\" zones=\"half,points=<0.1,0.1,0.6,0.1,0.6,0.9,0.1,0.9>\"";

}  // namespace

cv::Mat Film::bgr(int frame) const {
  GstVideoFrame mapped;
  GstVideoInfo copy = info;
  if (!gst_video_frame_map(&mapped, &copy, frames[static_cast<std::size_t>(frame)].get(),
                           GST_MAP_READ))
    throw std::runtime_error("a frame cannot be read");
  const int width = GST_VIDEO_FRAME_WIDTH(&mapped), height = GST_VIDEO_FRAME_HEIGHT(&mapped);
  cv::Mat planes(height * 3 / 2, width, CV_8UC1);
  // OpenCV wants the planes without gaps.
  auto *to = planes.ptr<unsigned char>();
  for (guint plane = 0; plane < 3; plane++) {
    const cv::Size size = plane == 0 ? cv::Size(width, height) : cv::Size(width / 2, height / 2);
    const cv::Mat from(size, CV_8UC1, GST_VIDEO_FRAME_PLANE_DATA(&mapped, plane),
                       static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&mapped, plane)));
    from.copyTo(cv::Mat(size, CV_8UC1, to));
    to += size.area();
  }
  gst_video_frame_unmap(&mapped);
  cv::Mat picture;
  cv::cvtColor(planes, picture, cv::COLOR_YUV2BGR_I420);
  return picture;
}

Film decode(const std::string &clip, const Cut &cut) {
  std::string line = "videoconvert ! ";
  if (!cut.crop.empty()) {
    const cv::Rect &crop = cut.crop;
    line += "videoscale add-borders=false ! video/x-raw,width=" + std::to_string(kWidth) +
            ",height=" + std::to_string(kHeight) + " ! videocrop left=" + std::to_string(crop.x) +
            " top=" + std::to_string(crop.y) + " right=" + std::to_string(kWidth - crop.br().x) +
            " bottom=" + std::to_string(kHeight - crop.br().y) + " ! ";
  }
  line += "videoscale add-borders=false ! video/x-raw,format=I420";
  if (!cut.size.empty())
    line += ",pixel-aspect-ratio=1/1,width=" + std::to_string(cut.size.width) +
            ",height=" + std::to_string(cut.size.height);
  const Pipeline pipeline(line + " ! appsink name=frames sync=false max-buffers=4", clip);
  const Owned<GstElement> sink = pipeline.element("frames");
  pipeline.play();
  Film film;
  while (cut.frames == 0 || film.size() < cut.frames) {
    GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(sink.get()));
    if (sample == nullptr)
      break;
    if (film.frames.empty())
      gst_video_info_from_caps(&film.info, gst_sample_get_caps(sample));
    // A decoder's own buffers would be kept from it.
    film.frames.emplace_back(gst_buffer_copy_deep(gst_sample_get_buffer(sample)));
    gst_sample_unref(sample);
  }
  if (film.frames.empty()) {
    pipeline.finish();
    throw std::runtime_error("there is no frame in " + clip);
  }
  return film;
}

Film still(const Film &film, int frame, double noise) {
  constexpr int kPictures = 16;
  Film copy;
  copy.info = film.info;
  cv::RNG random(1);
  for (int i = 0; i < (noise > 0 ? kPictures : 1); i++) {
    Owned<GstBuffer> buffer(
        gst_buffer_copy_deep(film.frames[static_cast<std::size_t>(frame)].get()));
    GstVideoFrame mapped;
    if (noise > 0 && gst_video_frame_map(&mapped, &copy.info, buffer.get(), GST_MAP_READWRITE)) {
      cv::Mat luma(GST_VIDEO_FRAME_HEIGHT(&mapped), GST_VIDEO_FRAME_WIDTH(&mapped), CV_8UC1,
                   GST_VIDEO_FRAME_PLANE_DATA(&mapped, 0),
                   static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&mapped, 0)));
      cv::Mat added(luma.size(), CV_16SC1);
      random.fill(added, cv::RNG::NORMAL, 0, noise);
      cv::add(luma, added, luma, cv::noArray(), CV_8U);
      gst_video_frame_unmap(&mapped);
    }
    copy.frames.push_back(std::move(buffer));
  }
  return copy;
}

double Figures::stage(const std::string &name) const {
  const auto found = std::ranges::find(stages, name, &std::pair<std::string, double>::first);
  return found == stages.end() ? 0 : found->second;
}

nlohmann::ordered_json Figures::json() const {
  nlohmann::ordered_json json = {{"frames", frames},         {"frames_per_second", rate()},
                                 {"seconds", wall},          {"ms", ms(wall)},
                                 {"cpu_ms", ms(cpu)},        {"npcdetect_ms", ms(detect)},
                                 {"npccount_ms", ms(count)}, {"npcsink_ms", ms(sink)}};
  for (const auto &[name, seconds] : stages)
    json["stages_ms"][name] = ms(seconds);
  for (const auto &[name, value] : counters)
    json["counters"][name] = value;
  return json;
}

Figures run_course(const Film &film, const Course &course) {
  const Folder folder;
  const Pipeline pipeline(
      "appsrc name=frames format=time block=true max-buffers=2 ! npcdetect "
      "name=detect " +
      course.properties + " ! npccount name=count " + (course.rules ? kRules : "") +
      " ! npcsink name=sink updaters=file:" + folder.path() + "/counts.jsonl");
  const Owned<GstElement> source = pipeline.element("frames");
  const Owned<GstElement> detect = pipeline.element("detect");
  GstVideoInfo info = film.info;
  GstCaps *caps = gst_video_info_to_caps(&info);
  gst_app_src_set_caps(GST_APP_SRC(source.get()), caps);
  gst_caps_unref(caps);
  const ChainClock detecting(detect.get(), course.clocks);
  const ChainClock counting(pipeline.element("count").get(), course.clocks);
  const ChainClock sinking(pipeline.element("sink").get(), course.clocks);
  const StartLine start(detect.get());
  const GstClockTime period = gst_util_uint64_scale_int(GST_SECOND, info.fps_d, info.fps_n);

  Figures figures;
  figures.frames = course.frames > 0 ? course.frames : film.size();
  pipeline.play();
  for (int frame = 0; frame < figures.frames; frame++) {
    if (course.on_frame)
      course.on_frame(frame);
    // Refused only when the pipeline has given up, and then the bus says why.
    if (gst_app_src_push_buffer(GST_APP_SRC(source.get()),
                                stamped(film, frame, period).release()) != GST_FLOW_OK)
      break;
    // As an application does.
    while (pipeline.read(GST_MESSAGE_ANY, 0)) {
    }
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  pipeline.finish();
  figures.wall = start.seconds();
  figures.cpu = start.cpu();
  figures.sink = sinking.seconds();
  figures.count = counting.seconds() - figures.sink;
  figures.detect = detecting.seconds() - counting.seconds();
  read_stats(detect.get(), figures);
  return figures;
}

void print_budget(const std::string &title, const Figures &figures) {
  std::printf("\n%s: %d frames, %.1f a second, %.3f ms a frame (processor time %.3f ms)\n",
              title.c_str(), figures.frames, figures.rate(), figures.ms(figures.wall),
              figures.ms(figures.cpu));
  const auto line = [&figures](const std::string &stage, double seconds) {
    std::printf("  %-24s %10.4f ms %7.2f %%\n", stage.c_str(), figures.ms(seconds),
                100 * seconds / figures.wall);
  };
  double rest = figures.detect;
  for (const auto &[name, seconds] : figures.stages) {
    line("npcdetect " + name, seconds);
    rest -= seconds;
  }
  line("npcdetect, rest", rest);
  line("npccount", figures.count);
  line("npcsink", figures.sink);
  line("between elements, threads", figures.wall - figures.detect - figures.count - figures.sink);
  for (const auto &[name, value] : figures.counters)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(value));
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace npc::bench
