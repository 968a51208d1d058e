// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes what npcdetect is given: caps, frames with their metas, memories, flags and times, tags
// and segments. What comes out has no memory, and boxes in the frame.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <string>

#include "fuzz/fuzz.h"
#include "support/guarded.h"
#include "support/owned.h"

GST_ELEMENT_REGISTER_DECLARE(npcdetect)

using namespace npc::fuzz;
using npc::test::Owned;

namespace {

constexpr int kMostSteps = 60;
constexpr gsize kMostBytes = 1 << 20;

constexpr GstVideoFormat kFormats[] = {
    GST_VIDEO_FORMAT_NV12,  GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12,
    GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_YUY2,
    GST_VIDEO_FORMAT_UYVY,  GST_VIDEO_FORMAT_BGR,  GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGRx,
    GST_VIDEO_FORMAT_RGBx,  GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_RGBA};
constexpr const char *kInterlaceModes[] = {"progressive", "interleaved", "mixed", "fields",
                                           "alternate"};
constexpr const char *kColorimetries[] = {"bt601", "bt709", "sRGB", "1:4:0:0", "2:0:0:0"};
constexpr const char *kOrientations[] = {
    "rotate-0",       "rotate-90",       "rotate-180",      "rotate-270",    "flip-rotate-0",
    "flip-rotate-90", "flip-rotate-180", "flip-rotate-270", "rotate-360000", ""};
constexpr const char *kMasks[] = {"", "a,points=<0,0,1,0,0,1>",
                                  "a,points=<0.5,0.1,0.9,0.5,0.5,0.9>; b,points=<0,0,0,1,1,1>",
                                  "a,points=<0,0,1,1>", "<<<"};
constexpr int kHuge[] = {16384, 16385, 32767, 300000000, G_MAXINT};

class Session {
 public:
  explicit Session(FuzzedDataProvider &data) : data_(data) {
    GstElement *element = gst_element_factory_make("npcdetect", nullptr);
    const bool hog = data_.ConsumeIntegralInRange(0, 7) == 0;
    gst_util_set_object_arg(G_OBJECT(element), "detector", hog ? "hog" : "motion");
    if (hog)
      g_object_set(element, "input-width", 64, "input-height", 128, nullptr);
    else if (data_.ConsumeBool())
      g_object_set(element, "input-width", data_.ConsumeIntegralInRange(1, 64), "input-height",
                   data_.ConsumeIntegralInRange(1, 64), nullptr);
    harness_.reset(gst_harness_new_with_element(element, "sink", "src"));
    gst_object_unref(element);
    gst_harness_play(harness_.get());
  }

  void run() {
    set_caps();
    for (int i = 0; i < kMostSteps && data_.remaining_bytes() > 0; ++i) {
      // Half of all steps are frames.
      switch (data_.ConsumeIntegralInRange(0, 15)) {
        case 0:
        case 1:
          set_caps();
          break;
        case 2:
          set_property(harness_->element);
          break;
        case 3:
          push_segment();
          break;
        case 4:
        case 5:
          push_tags();
          break;
        case 6:
          push_other_event();
          break;
        default:
          gst_harness_push(harness_.get(), make_frame());
          break;
      }
      check_output();
    }
  }

 private:
  int side() {
    return data_.ConsumeIntegralInRange(0, 31) == 0 ? data_.PickValueInArray(kHuge)
                                                    : data_.ConsumeIntegralInRange(1, 96);
  }

  void set_caps() {
    const GstVideoFormat format = data_.PickValueInArray(kFormats);
    int width = side(), height = side();
    // So much memory is upstream's to find.
    if (std::max(width, height) <= kHuge[0] && std::min(width, height) > 96)
      height = 96;
    GstCaps *caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING,
                                        gst_video_format_to_string(format), "width", G_TYPE_INT,
                                        width, "height", G_TYPE_INT, height, nullptr);
    const auto fields = data_.ConsumeIntegral<guint8>();
    if (fields & 1)
      gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION,
                          data_.ConsumeIntegralInRange(0, G_MAXINT),
                          data_.ConsumeIntegralInRange(1, G_MAXINT), nullptr);
    else
      gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION, 10, 1, nullptr);
    if (fields & 2)
      gst_caps_set_simple(caps, "pixel-aspect-ratio", GST_TYPE_FRACTION,
                          data_.ConsumeIntegralInRange(0, G_MAXINT),
                          data_.ConsumeIntegralInRange(1, G_MAXINT), nullptr);
    else if (fields & 4)
      gst_caps_set_simple(caps, "pixel-aspect-ratio", GST_TYPE_FRACTION,
                          data_.ConsumeIntegralInRange(1, 16), data_.ConsumeIntegralInRange(1, 16),
                          nullptr);
    if (fields & 8)
      gst_caps_set_simple(caps, "interlace-mode", G_TYPE_STRING,
                          data_.PickValueInArray(kInterlaceModes), nullptr);
    if (fields & 16)
      gst_caps_set_simple(caps, "colorimetry", G_TYPE_STRING,
                          data_.PickValueInArray(kColorimetries), nullptr);
    if (!gst_video_info_from_caps(&info_, caps))
      gst_video_info_init(&info_);
    gst_harness_set_src_caps(harness_.get(), caps);
  }

  /// A time that may make sense, may be anything, or is none.
  GstClockTime time() {
    switch (data_.ConsumeIntegralInRange(0, 7)) {
      case 0:
        return data_.ConsumeIntegral<guint64>();
      case 1:
        return GST_CLOCK_TIME_NONE;
      default:
        return now_ += data_.ConsumeIntegral<guint8>() * 10 * GST_MSECOND;
    }
  }

  GstBuffer *make_frame() {
    GstBuffer *buffer = gst_buffer_new();
    gsize size = std::min(info_.size, kMostBytes);
    if (data_.ConsumeIntegralInRange(0, 7) == 0)
      size = data_.ConsumeIntegralInRange<gsize>(0, size + 64);
    const auto shade = data_.ConsumeIntegral<guint8>();
    const gsize bright = data_.ConsumeIntegralInRange<gsize>(0, size);
    for (int pieces = data_.ConsumeIntegralInRange(0, 7); size > 0; --pieces) {
      const gsize part =
          pieces > 4 || pieces <= 0 ? size : data_.ConsumeIntegralInRange<gsize>(1, size);
      gst_buffer_append_memory(buffer, npc::test::guarded_memory(part));
      size -= part;
    }
    gst_buffer_memset(buffer, 0, shade, bright);
    if (data_.ConsumeIntegralInRange(0, 3) == 0)
      add_meta(buffer);
    GST_BUFFER_PTS(buffer) = time();
    if (data_.ConsumeBool()) {
      GST_BUFFER_DTS(buffer) = time();
      GST_BUFFER_DURATION(buffer) = time();
      GST_BUFFER_OFFSET(buffer) = time();
      GST_BUFFER_FLAG_SET(buffer,
                          data_.ConsumeIntegral<guint32>() & ~(GST_MINI_OBJECT_FLAG_LAST - 1u));
    }
    return buffer;
  }

  /// What may be true of the frame, in all but a few places.
  void add_meta(GstBuffer *buffer) {
    GstVideoFormat format = GST_VIDEO_INFO_FORMAT(&info_);
    if (format == GST_VIDEO_FORMAT_UNKNOWN)
      return;
    guint width = GST_VIDEO_INFO_WIDTH(&info_), height = GST_VIDEO_INFO_HEIGHT(&info_);
    guint planes = GST_VIDEO_INFO_N_PLANES(&info_);
    gsize offset[GST_VIDEO_MAX_PLANES] = {};
    gint stride[GST_VIDEO_MAX_PLANES] = {};
    std::copy_n(info_.offset, GST_VIDEO_MAX_PLANES, offset);
    std::copy_n(info_.stride, GST_VIDEO_MAX_PLANES, stride);
    for (int lies = data_.ConsumeIntegralInRange(0, 3); lies > 0; --lies) {
      const int plane = data_.ConsumeIntegralInRange(0, GST_VIDEO_MAX_PLANES - 1);
      switch (data_.ConsumeIntegralInRange(0, 6)) {
        case 0:
          width = data_.ConsumeIntegralInRange<guint>(1, 2 * width);
          break;
        case 1:
          height = data_.ConsumeIntegralInRange<guint>(1, 2 * height);
          break;
        case 2:
          planes = data_.ConsumeIntegralInRange<guint>(1, GST_VIDEO_MAX_PLANES);
          break;
        case 3:
          offset[plane] = data_.ConsumeIntegral<gsize>();
          break;
        case 4:
          offset[plane] = data_.ConsumeIntegralInRange<gsize>(0, info_.size);
          break;
        case 5:
          stride[plane] = data_.ConsumeIntegral<gint>();
          break;
        default:
          stride[plane] = data_.ConsumeIntegralInRange<gint>(-256, 1024);
          break;
      }
    }
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, width, height, planes,
                                   offset, stride);
  }

  void set_property(GstElement *element) {
    switch (data_.ConsumeIntegralInRange(0, 6)) {
      case 0:
        g_object_set(element, "mask", data_.PickValueInArray(kMasks), nullptr);
        break;
      case 1:
        g_object_set(element, "video-direction", data_.ConsumeIntegralInRange(0, 8), nullptr);
        break;
      case 2:
        g_object_set(element, "interval", data_.ConsumeIntegral<guint64>() >> 30, nullptr);
        break;
      case 3:
        g_object_set(element, "detection-interval", data_.ConsumeIntegral<guint64>() >> 30,
                     nullptr);
        break;
      case 4:
        g_object_set(element, "confidence", data_.ConsumeProbability<double>(), nullptr);
        break;
      case 5:
        g_object_set(element, "motion-gate", data_.ConsumeBool(), nullptr);
        break;
      default:
        g_object_set(element, "full-scan", data_.ConsumeIntegral<guint64>() >> 30, nullptr);
        break;
    }
  }

  void push_segment() {
    GstSegment segment;
    gst_segment_init(&segment,
                     data_.ConsumeIntegralInRange(0, 7) == 0 ? GST_FORMAT_BYTES : GST_FORMAT_TIME);
    if (data_.ConsumeBool()) {
      segment.start = time();
      segment.stop = time();
      segment.base = time();
      segment.offset = time();
      segment.time = time();
      segment.position = time();
      segment.rate = data_.ConsumeBool() ? 1 : data_.ConsumeFloatingPointInRange(0.001, 100.0);
      segment.applied_rate = data_.ConsumeBool() ? 1 : -1;
    }
    gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  }

  void push_tags() {
    GstTagList *tags = gst_tag_list_new_empty();
    if (data_.ConsumeIntegralInRange(0, 7) == 0)
      gst_tag_list_add(tags, GST_TAG_MERGE_APPEND, GST_TAG_TITLE, "title", nullptr);
    const char *orientation = data_.PickValueInArray(kOrientations);
    if (*orientation != '\0')
      gst_tag_list_add(tags, GST_TAG_MERGE_APPEND, GST_TAG_IMAGE_ORIENTATION, orientation, nullptr);
    gst_tag_list_set_scope(tags, data_.ConsumeBool() ? GST_TAG_SCOPE_STREAM : GST_TAG_SCOPE_GLOBAL);
    gst_harness_push_event(harness_.get(), gst_event_new_tag(tags));
  }

  void push_other_event() {
    switch (data_.ConsumeIntegralInRange(0, 4)) {
      case 0:
        gst_harness_push_event(harness_.get(), gst_event_new_stream_start("another"));
        break;
      case 1: {
        gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
        gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE));
        push_segment();
        break;
      }
      case 2: {
        const GstClockTime start = time();
        if (GST_CLOCK_TIME_IS_VALID(start))
          gst_harness_push_event(harness_.get(), gst_event_new_gap(start, time()));
        break;
      }
      case 3:
        gst_harness_push_event(
            harness_.get(),
            gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("custom")));
        break;
      default: {
        gst_harness_push_upstream_event(
            harness_.get(), gst_event_new_latency(data_.ConsumeIntegral<guint64>() >> 1));
        break;
      }
    }
  }

  void check_output() {
    while (Owned<GstEvent> event{gst_harness_try_pull_event(harness_.get())})
      require(GST_EVENT_TYPE(event.get()) != GST_EVENT_TAG, "no tags come out");
    while (Owned<GstBuffer> buffer{gst_harness_try_pull(harness_.get())}) {
      require(gst_buffer_n_memory(buffer.get()) == 0, "what comes out has no memory");
      check_boxes(buffer.get());
    }
  }

  void check_boxes(GstBuffer *buffer) {
    Owned<GstCaps> caps(gst_pad_get_current_caps(harness_->sinkpad));
    int width = 0, height = 0;
    gst_structure_get(gst_caps_get_structure(caps.get(), 0), "width", G_TYPE_INT, &width, "height",
                      G_TYPE_INT, &height, nullptr);
    gpointer walk = nullptr;
    GstNpcDetection box;
    while (gst_npc_buffer_iterate_detections(buffer, &walk, &box))
      require(
          box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height,
          "boxes are in the frame");
  }

  FuzzedDataProvider &data_;
  Owned<GstHarness> harness_;
  GstVideoInfo info_{};
  GstClockTime now_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const bool registered = [] {
    // Threads would only make runs differ.
    cv::setNumThreads(1);
    return GST_ELEMENT_REGISTER(npcdetect, nullptr);
  }();
  require(registered, "the element is there");
  FuzzedDataProvider data(bytes, size);
  Session(data).run();
  return 0;
}
