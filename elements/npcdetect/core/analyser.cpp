// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides what of each frame is given to the detectors, and says what is known after it.
#include "npcdetect/core/analyser.h"

#include <utility>

#include "npcdetect/core/stopwatch.h"

namespace npc::detect {
namespace {

// The share of `confidence` from which a detection is passed on as weak.
constexpr double kWeakShare = 0.4;

// A frame that comes early by up to this part of detection-interval is due: cameras are not exact.
constexpr std::uint64_t kEarlyShare = 8;

// Frames that follow faster show nobody elsewhere: what was known a moment ago is put out again.
constexpr std::uint64_t kLookInterval = 60'000'000;

double seconds_of(std::uint64_t time) {
  return static_cast<double>(time) / 1e9;
}

float floor_of(const AnalysisPlan &plan) {
  return static_cast<float>(plan.confidence * kWeakShare);
}

/// `box` of a picture of size `from` in one of size `to`.
cv::Rect2f scaled(const cv::Rect2f &box, cv::Size from, cv::Size to) {
  const float across = static_cast<float>(to.width) / static_cast<float>(from.width);
  const float down = static_cast<float>(to.height) / static_cast<float>(from.height);
  return {box.x * across, box.y * down, box.width * across, box.height * down};
}

}  // namespace

AnalysisStats &AnalysisStats::operator+=(const AnalysisStats &more) {
  detections += more.detections;
  full_scans += more.full_scans;
  gate_time += more.gate_time;
  convert_time += more.convert_time;
  propagate_time += more.propagate_time;
  detect_time += more.detect_time;
  face_time += more.face_time;
  return *this;
}

std::optional<InputSpec> Analyser::face_input_spec(cv::Size frame) const {
  return faces_ ? std::optional(faces_->input_spec(frame)) : std::nullopt;
}

void Analyser::configure(cv::Size picture, cv::Size face_picture) {
  picture_ = picture;
  face_picture_ = face_picture;
  caps_ = detector_->caps();
  cache_.configure(picture, caps_);
  reset();
}

void Analyser::reset() {
  analyses_ = detections_ = scans_ = Schedule();
  last_.reset();
  if (faces_)
    faces_->reset();
  confidence_.reset();
}

bool Analyser::is_detection_due(std::uint64_t time, const AnalysisSettings &settings) {
  if (confidence_ != confidence(settings) || masks_ != settings.masks) {
    detections_.reset();
    scans_.reset();
    confidence_ = confidence(settings);
    masks_ = settings.masks;
  }
  return detections_.is_due(time, settings.detection_interval,
                            settings.detection_interval / kEarlyShare) ||
         caps_.every_frame;
}

AnalysisPlan Analyser::plan(std::uint64_t time, const AnalysisSettings &settings,
                            const std::function<const cv::Mat &()> &cells, AnalysisStats &stats) {
  AnalysisPlan plan;
  plan.time = time;
  plan.confidence = confidence(settings);
  const bool due = is_detection_due(time, settings);
  if (!analyses_.is_due(time, kLookInterval, kLookInterval / kEarlyShare) && !due)
    return plan;
  Stopwatch stopwatch;
  cache_.analyse(cells(), last_ && time > *last_ ? seconds_of(time - *last_) : 0);
  last_ = time;
  plan.propagate = !due;
  plan.replace = caps_.every_frame || !settings.motion_gate;
  if (due && (plan.replace || scans_.is_due(time, settings.full_scan)))
    plan.regions = {cache_.whole()};
  else if (due)
    plan.regions = cache_.plan();
  if (is_full_scan(plan))
    scans_.restart(time, settings.full_scan);
  plan.faces = faces_ && faces_->is_due(seconds_of(time), seconds_of(settings.face_interval));
  stats.gate_time += stopwatch.lap();
  return plan;
}

std::vector<Detection> Analyser::analyse(const AnalysisPlan &plan, const cv::Mat &picture,
                                         const cv::Mat &face_picture, AnalysisStats &stats) {
  Stopwatch stopwatch;
  detector_->set_time(seconds_of(plan.time));
  if (plan.propagate) {
    cache_.propagate();
    stats.propagate_time += stopwatch.lap();
  }
  if (!plan.regions.empty())
    detect(plan, picture, stats);
  if (faces_) {
    stopwatch.lap();
    find_faces(plan, face_picture);
    stats.face_time += stopwatch.lap();
  }
  return standing();
}

void Analyser::detect(const AnalysisPlan &plan, const cv::Mat &picture, AnalysisStats &stats) {
  Stopwatch stopwatch;
  std::vector<std::vector<Detection>> found(plan.regions.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const cv::Rect &crop = plan.regions[i].crop;
    detector_->detect(picture(crop), floor_of(plan), found[i]);
    for (Detection &object : found[i])
      object.box += cv::Point2f(crop.tl());
  }
  stats.detect_time += stopwatch.lap();
  stats.detections += 1;
  stats.full_scans += is_full_scan(plan) ? 1 : 0;
  if (plan.replace)
    cache_.replace(std::move(found.front()));
  else
    cache_.update(plan.regions, found, static_cast<float>(plan.confidence));
  stats.gate_time += stopwatch.lap();
}

void Analyser::find_faces(const AnalysisPlan &plan, const cv::Mat &face_picture) {
  std::vector<cv::Rect2f> people;
  for (const Detection &object : cache_.standing())
    if (object.label == "person" && object.confidence >= static_cast<float>(plan.confidence))
      people.push_back(scaled(object.box, picture_, face_picture_));
  faces_->follow(people);
  if (plan.faces)
    faces_->search(face_picture, seconds_of(plan.time), floor_of(plan));
}

/// People, things and faces.
std::vector<Detection> Analyser::standing() const {
  std::vector<Detection> all = cache_.standing();
  if (!faces_)
    return all;
  for (const Detection &face : faces_->standing())
    all.push_back({scaled(face.box, face_picture_, picture_), face.confidence, face.label});
  return all;
}

}  // namespace npc::detect
