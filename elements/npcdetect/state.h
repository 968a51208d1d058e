// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#pragma once

#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../objectlocker.h"
#include "../warninglimit.h"
#include "gstnpcdetect.h"
#include "pace.h"
#include "picture.h"
#include "schedule.h"
#include "settings.h"
#include "view.h"
#include "watch.h"

namespace npc {

/// Under the object lock.
struct DetectStats {
  guint64 frames_in = 0, analysed = 0, skipped = 0, corrupted = 0, dropped = 0, lost = 0;
  guint64 detections = 0, full_scans = 0;
  guint64 gate_time = 0, convert_time = 0, carry_time = 0, detect_time = 0, face_time = 0;

  void add(const DetectStats &more) {
    detections += more.detections;
    full_scans += more.full_scans;
    gate_time += more.gate_time;
    convert_time += more.convert_time;
    carry_time += more.carry_time;
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

}  // namespace npc

struct _GstNpcDetect {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  struct GstNpcDetectState *state;
};

// C++ objects with destructors. The streaming thread owns all but `settings` and `stats`.
struct GstNpcDetectState {
  explicit GstNpcDetectState(GstNpcDetect *element) : element_(element) {}

  bool start();
  void stop();
  bool set_caps(GstCaps *caps);
  void reset_schedule();
  GstFlowReturn chain(GstBuffer *buffer);
  void set_mask(const gchar *text);
  void post(const npc::DetectorError &error);

  npc::Pace pace;
  npc::OrientationTags tags;
  npc::DetectSettings settings;  // under the object lock
  npc::DetectStats stats;        // under the object lock

 private:
  bool configure(GstVideoOrientationMethod method);
  bool turn_upright(GstVideoOrientationMethod wanted);
  GstClockTime time_of(const npc::FrameTimes &times);
  bool take(GstBuffer *buffer, GstClockTime time, const npc::DetectSettings &current,
            npc::DetectStats &spent);
  bool is_detection_due(GstClockTime time, const npc::DetectSettings &current);
  /// Whether each look is at the whole frame, and its result all that is known.
  bool keeps_nothing(const npc::DetectSettings &current) const {
    return reach_.every_frame || !current.motion_gate;
  }
  bool is_full_scan() const {
    return !windows_.empty() && windows_.front().crop.size() == picture_.mat().size();
  }
  bool look(const npc::DetectSettings &current, npc::DetectStats &spent);
  bool detect(const cv::Rect &crop, double confidence, std::vector<npc::Detection> &found);
  void report_loss(const npc::FrameTimes &times, const npc::Loss &loss);
  bool drop_late(const npc::FrameTimes &times, const npc::Arrival &arrival);
  void resynchronise(const npc::FrameTimes &times);
  void tell_of_drops(const npc::FrameTimes &times, GstClockTimeDiff late);
  bool look_for_faces(GstClockTime time, double confidence, npc::DetectStats &spent);
  std::vector<npc::Detection> all_standing() const;
  bool guard(const std::function<void()> &work);
  void leave_out(const npc::FrameTimes &times, bool due);
  void leave_out_corrupted(const npc::FrameTimes &times);
  void push_missing(const npc::FrameTimes &times);
  GstFlowReturn push(const npc::FrameTimes &times, double confidence,
                     const std::vector<npc::Detection> &found);

  GstNpcDetect *element_;
  std::unique_ptr<npc::Detector> detector_;
  npc::Picture picture_;
  std::unique_ptr<npc::Faces> faces_;  // null: not looked for
  npc::Picture face_picture_;
  bool face_look_ = false;  // face_picture_ is of this frame, and is to be searched
  npc::SmallLuma luma_;
  npc::Watch watch_;
  npc::Reach reach_;
  std::vector<npc::Window> windows_;  // of picture_, that are to be looked at
  bool carried_ = false;              // what stands is to be moved on to this frame
  GstVideoInfo info_{};
  npc::View view_;
  bool negotiated_ = false;
  bool caps_unsent_ = false;  // a flush kept them from going downstream
  bool warned_late_ = false;  // that frames are late for ever; once
  npc::WarningLimit short_frames_, corrupted_frames_, odd_pixels_;
  npc::Schedule frames_, looks_, detections_, scans_;
  GstClockTime last_ = GST_CLOCK_TIME_NONE;  // of the frame whose cells the watch has
  double confidence_ = -1;                   // what the last detection was made with
  std::vector<npc::Polygon> masks_;
};
