// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcdetect's properties say, and the detectors that they ask for.
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <string>

#include "npcdetect/core/analyser.h"
#include "npcdetect/core/faces.h"
#include "npcdetect/detectors/detector.h"

typedef enum {
  GST_NPC_DETECT_DETECTOR_AUTO,
  GST_NPC_DETECT_DETECTOR_HOG,
  GST_NPC_DETECT_DETECTOR_NETWORK,
  GST_NPC_DETECT_DETECTOR_MOTION,
} GstNpcDetectDetector;

typedef enum {
  GST_NPC_DETECT_FACES_OFF,
  GST_NPC_DETECT_FACES_CASCADE,
  GST_NPC_DETECT_FACES_YUNET,
} GstNpcDetectFaces;

namespace npc::detect {

GType detector_get_type();
GType faces_get_type();

/// The properties, as they were set. Under the object lock.
struct DetectSettings {
  GstNpcDetectDetector detector = GST_NPC_DETECT_DETECTOR_AUTO;
  std::string model, labels, classes = "person";
  guint input_width = 0, input_height = 0;
  guint input_pixels = static_cast<guint>(DetectorSettings().input_pixels);
  GstNpcDetectFaces faces = GST_NPC_DETECT_FACES_OFF;
  std::string face_model;
  double min_size = DetectorSettings().least_size;
  GstClockTime interval = 0;
  AnalysisSettings analysis;
  GstVideoOrientationMethod video_direction = GST_VIDEO_ORIENTATION_AUTO;  // never custom
  std::string mask;
  std::string mask_error;  // why `mask` cannot be used; empty if it can
};

/// The detector that `settings` ask for. Throws DetectorError.
std::unique_ptr<Detector> make_detector(const DetectSettings &settings);

/// What looks for faces; null if nothing is to. Throws DetectorError.
std::unique_ptr<Faces> make_faces(const DetectSettings &settings);

}  // namespace npc::detect
