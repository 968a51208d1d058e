// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides what of each frame is given to the detectors, and says what is known after it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "npcdetect/core/detectioncache.h"
#include "npcdetect/core/faces.h"
#include "npcdetect/core/mask.h"
#include "npcdetect/core/schedule.h"
#include "npcdetect/detectors/detector.h"

namespace npc::detect {

/// The properties of npcdetect that may change from frame to frame. Times are in ns.
struct AnalysisSettings {
  /// Detections of less are weak; nothing: as the detector has it.
  std::optional<double> confidence;
  std::uint64_t detection_interval = 125'000'000;
  bool motion_gate = true;
  std::uint64_t full_scan = 60'000'000'000;
  std::uint64_t face_interval = 1'000'000'000;
  /// What is black in the pictures. With other masks, or another confidence, detections that are
  /// known already do not count.
  std::vector<Polygon> masks;
};

/// What analyses did, and the time that their steps took, in ns.
struct AnalysisStats {
  std::uint64_t detections = 0;  ///< frames that the detector was given, if only crops of them
  std::uint64_t full_scans = 0;  ///< those that it was given whole
  std::uint64_t gate_time = 0, convert_time = 0, propagate_time = 0, detect_time = 0, face_time = 0;

  AnalysisStats &operator+=(const AnalysisStats &more);
};

/// What is to be done with one frame.
struct AnalysisPlan {
  std::uint64_t time = 0;
  double confidence = 0;
  std::vector<CropRegion> regions;  ///< for the detector; empty: the picture is not needed
  bool faces = false;               ///< the faces' picture is to be searched; else it is not needed
  bool propagate = false;           ///< what is known is to be moved on to this frame
  bool replace = false;             ///< what the detector finds is all that is known
};

/// Turns the frames of one camera into detections. For each frame call plan(), make the pictures
/// that the plan needs, and call analyse(). In between, the frame itself can be given back.
///
/// It knows nothing of GStreamer, buffers and clocks: the result depends on the pictures, the times
/// and the settings only, so that a clip can be replayed. Used by one thread at a time.
class Analyser {
 public:
  /// @param faces null: faces are not looked for
  Analyser(std::unique_ptr<Detector> detector, std::unique_ptr<Faces> faces)
      : detector_(std::move(detector)), faces_(std::move(faces)) {}

  /// The picture that analyse() wants of frames of size `frame`, upright and in square pixels.
  InputSpec input_spec(cv::Size frame) const { return detector_->input_spec(frame); }
  /// The picture that it wants for faces; none: it needs no such picture.
  std::optional<InputSpec> face_input_spec(cv::Size frame) const;

  /// The confidence from which detections are not weak.
  double confidence(const AnalysisSettings &settings) const {
    return settings.confidence.value_or(detector_->confidence());
  }

  /// Pictures of these sizes follow. Forgets what was seen before.
  void configure(cv::Size picture, cv::Size face_picture);

  /// The next frame has no predecessor, and is looked at whole.
  void reset();

  /// Plans what is to be done with the frame of `time`, in ns of the stream.
  ///
  /// @param cells makes a small picture of the frame's brightness, of type CV_8UC1 and a size that
  ///        stays, masked; it is called if that is needed
  /// @param stats what planning takes is added to it
  AnalysisPlan plan(std::uint64_t time, const AnalysisSettings &settings,
                    const std::function<const cv::Mat &()> &cells, AnalysisStats &stats);

  /// Does what the last plan says. Throws DetectorError, and what OpenCV throws.
  ///
  /// @param picture the frame as input_spec() has it, masked; not read without regions
  /// @param face_picture as face_input_spec() has it; not read without faces
  /// @param stats what the analysis takes is added to it
  /// @return the people, things and faces that are known to be there, in pixels of `picture`; those
  ///         with less than the settings' confidence are weak
  std::vector<Detection> analyse(const AnalysisPlan &plan, const cv::Mat &picture,
                                 const cv::Mat &face_picture, AnalysisStats &stats);

  /// Leaves nothing of pictures in the detector: see Detector::forget().
  void forget(const cv::Mat &blank) { detector_->forget(blank); }
  /// Leaves nothing of pictures in what finds faces.
  void forget_faces(const cv::Mat &blank) { faces_->forget(blank); }

 private:
  bool is_detection_due(std::uint64_t time, const AnalysisSettings &settings);
  bool is_full_scan(const AnalysisPlan &plan) const {
    return !plan.regions.empty() && plan.regions.front().crop.size() == picture_;
  }
  void detect(const AnalysisPlan &plan, const cv::Mat &picture, AnalysisStats &stats);
  void find_faces(const AnalysisPlan &plan, const cv::Mat &face_picture);
  std::vector<Detection> standing() const;

  const std::unique_ptr<Detector> detector_;
  const std::unique_ptr<Faces> faces_;
  cv::Size picture_, face_picture_;
  DetectorCaps caps_;
  DetectionCache cache_;
  Schedule analyses_, detections_, scans_;
  std::optional<std::uint64_t> last_;  // time of the frame whose cells the cache has
  // What the detections that are known were made with.
  std::optional<double> confidence_;
  std::vector<Polygon> masks_;
};

}  // namespace npc::detect
