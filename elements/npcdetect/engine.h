// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#pragma once

#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/warninglimit.h"
#include "gstbase/objectlocker.h"
#include "npcdetect/core/detectioncache.h"
#include "npcdetect/core/schedule.h"
#include "npcdetect/qosmonitor.h"
#include "npcdetect/settings.h"
#include "npcdetect/view.h"
#include "npcdetect/workingimage.h"

namespace npc {

/// Under the object lock.
struct DetectStats {
  guint64 frames_in = 0, analysed = 0, skipped = 0, corrupted = 0, dropped = 0, lost = 0;
  guint64 detections = 0, full_scans = 0;
  guint64 gate_time = 0, convert_time = 0, propagate_time = 0, detect_time = 0, face_time = 0;

  void add(const DetectStats &more) {
    detections += more.detections;
    full_scans += more.full_scans;
    gate_time += more.gate_time;
    convert_time += more.convert_time;
    propagate_time += more.propagate_time;
    detect_time += more.detect_time;
    face_time += more.face_time;
  }
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

/// The streaming thread owns all but `settings` and `stats`.
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
  void post(const DetectorError &error);

  QosMonitor qos;
  OrientationTags tags;
  DetectSettings settings;  // under the object lock
  DetectStats stats;        // under the object lock

 private:
  bool configure(GstVideoOrientationMethod method);
  bool turn_upright(GstVideoOrientationMethod wanted);
  GstClockTime time_of(const FrameTimes &times);
  bool take(GstBuffer *buffer, GstClockTime time, const DetectSettings &current,
            DetectStats &spent);
  bool is_detection_due(GstClockTime time, const DetectSettings &current);
  /// Whether each look is at the whole frame, and its result all that is known.
  bool keeps_nothing(const DetectSettings &current) const {
    return caps_.every_frame || !current.motion_gate;
  }
  bool is_full_scan() const {
    return !regions_.empty() && regions_.front().crop.size() == image_.mat().size();
  }
  bool analyse(const DetectSettings &current, DetectStats &spent);
  bool detect(const cv::Rect &crop, double confidence, std::vector<Detection> &found);
  void report_loss(const FrameTimes &times, const Loss &loss);
  bool drop_late(const FrameTimes &times, const Arrival &arrival);
  void resynchronise(const FrameTimes &times);
  void post_qos(const FrameTimes &times, GstClockTimeDiff late);
  bool find_faces(GstClockTime time, double confidence, DetectStats &spent);
  std::vector<Detection> all_standing() const;
  bool guard(const std::function<void()> &work);
  void skip_frame(const FrameTimes &times, bool due);
  void skip_corrupted(const FrameTimes &times);
  void push_missing(const FrameTimes &times);
  GstFlowReturn push(const FrameTimes &times, double confidence,
                     const std::vector<Detection> &found);

  GstElement *const element_;
  GstPad *const sinkpad_, *const srcpad_;
  std::unique_ptr<Detector> detector_;
  WorkingImage image_;
  std::unique_ptr<Faces> faces_;  // null: not looked for
  WorkingImage face_image_;
  bool face_due_ = false;  // face_image_ is of this frame, and is to be searched
  SmallLuma luma_;
  DetectionCache cache_;
  DetectorCaps caps_;
  std::vector<CropRegion> regions_;  // of image_, that are to be looked at
  bool propagated_ = false;          // what stands is to be moved on to this frame
  GstVideoInfo info_{};
  View view_;
  bool negotiated_ = false;
  bool caps_unsent_ = false;  // a flush kept them from going downstream
  bool warned_late_ = false;  // that frames are late for ever; once
  WarningLimit short_frames_, corrupted_frames_, odd_pixels_;
  Schedule frames_, analyses_, detections_, scans_;
  GstClockTime last_ = GST_CLOCK_TIME_NONE;  // of the frame whose cells the cache has
  double confidence_ = -1;                   // what the last detection was made with
  std::vector<Polygon> masks_;
};

}  // namespace npc
