// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#pragma once

#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/warninglimit.h"
#include "npcdetect/core/analyser.h"
#include "npcdetect/core/schedule.h"
#include "npcdetect/qosmonitor.h"
#include "npcdetect/settings.h"
#include "npcdetect/view.h"
#include "npcdetect/workingimage.h"

namespace npc::detect {

/// Under the object lock.
struct DetectStats {
  guint64 frames_in = 0, analysed = 0, skipped = 0, corrupted = 0, dropped = 0, lost = 0;
  AnalysisStats analysis;
};

/// What must outlive an input buffer that is given back early.
struct FrameTimes {
  explicit FrameTimes(GstBuffer *buffer)
      : pts(GST_BUFFER_PTS(buffer)),
        dts(GST_BUFFER_DTS(buffer)),
        duration(GST_BUFFER_DURATION(buffer)),
        offset(GST_BUFFER_OFFSET(buffer)),
        offset_end(GST_BUFFER_OFFSET_END(buffer)),
        flags(GST_BUFFER_FLAGS(buffer) & (GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_RESYNC)) {}

  GstClockTime pts, dts, duration;
  guint64 offset, offset_end;
  guint flags;
};

/// Takes frames, and pushes what the analyser finds in them. The streaming thread owns all but
/// `settings` and `stats`.
class DetectEngine {
 public:
  /// The element and its pads outlive it.
  DetectEngine(GstElement *element, GstPad *sinkpad, GstPad *srcpad)
      : element_(element), sinkpad_(sinkpad), srcpad_(srcpad) {}

  bool start();
  void stop();
  bool set_caps(GstCaps *caps);
  void reset_schedule();
  GstFlowReturn chain(GstBuffer *buffer);
  void set_mask(const gchar *text);

  QosMonitor qos;
  OrientationTags tags;
  DetectSettings settings;  // under the object lock
  DetectStats stats;        // under the object lock

 private:
  enum class Negotiation {
    none,    // no caps, or none that will do
    unsent,  // frames as in info_ come, but a flush kept our caps from going downstream
    done,
  };

  void post(const DetectorError &error);
  bool configure(GstVideoOrientationMethod method);
  bool configure_images(GstVideoOrientationMethod method);
  bool push_caps();
  bool turn_upright(GstVideoOrientationMethod wanted);
  GstClockTime time_of(const FrameTimes &times);
  std::optional<AnalysisPlan> take(GstBuffer *buffer, GstClockTime time,
                                   const AnalysisSettings &current, AnalysisStats &spent);
  void report_loss(const FrameTimes &times, const Loss &loss);
  bool drop_late(const FrameTimes &times, const Arrival &arrival);
  void resynchronise(const FrameTimes &times);
  void post_qos(const FrameTimes &times, GstClockTimeDiff late);
  bool guard(const std::function<void()> &work);
  void skip_frame(const FrameTimes &times, bool due);
  void skip_corrupted(const FrameTimes &times);
  void push_missing(const FrameTimes &times);
  GstFlowReturn push(const FrameTimes &times, double confidence,
                     const std::vector<Detection> &found);

  GstElement *const element_;
  GstPad *const sinkpad_, *const srcpad_;
  std::unique_ptr<Analyser> analyser_;  // from start() to stop()
  SmallLuma luma_;
  WorkingImage image_, face_image_;
  Negotiation negotiation_ = Negotiation::none;
  GstVideoInfo info_{};
  View view_;
  Schedule frames_;           // that `interval` chooses
  bool warned_late_ = false;  // that frames are late for ever; once
  WarningLimit short_frames_, corrupted_frames_, odd_pixels_;
};

}  // namespace npc::detect
