// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: its settings, and what the streaming thread does.
#include "state.h"

#include <gst/npc/npc.h>

#include <exception>
#include <utility>

#include "../regions.h"

GST_DEBUG_CATEGORY_EXTERN(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace {

// The share of `confidence` from which a detection is passed on as weak.
constexpr double kWeakShare = 0.4;

std::vector<std::string> split_classes(const std::string &text) {
  std::vector<std::string> classes;
  std::string name;
  for (char c : text + ",") {
    if (c != ',' && !g_ascii_isspace(c)) {
      name += c;
    } else if (!name.empty()) {
      classes.push_back(std::exchange(name, {}));
    }
  }
  return classes;
}

}  // namespace

void GstNpcDetectState::post(const npc::DetectorError &error) {
  switch (error.kind()) {
    case npc::DetectorError::Kind::not_found:
      GST_ELEMENT_ERROR(element_, RESOURCE, NOT_FOUND, ("%s", error.what()), (nullptr));
      break;
    case npc::DetectorError::Kind::unusable:
      GST_ELEMENT_ERROR(element_, RESOURCE, READ, ("%s", error.what()), (nullptr));
      break;
    case npc::DetectorError::Kind::settings:
      GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.what()), (nullptr));
      break;
    case npc::DetectorError::Kind::failed:
      GST_ELEMENT_ERROR(element_, STREAM, FAILED, ("%s", error.what()), (nullptr));
      break;
  }
}

bool GstNpcDetectState::start() {
  npc::DetectSettings current;
  {
    npc::ObjectLocker lock(element_);
    current = settings;
    stats = npc::DetectStats();
  }
  try {
    using Kind = npc::DetectorError::Kind;
    if (!current.mask_error.empty())
      throw npc::DetectorError(Kind::settings,
                               "The property mask cannot be used. " + current.mask_error);
    if ((current.input_width == 0) != (current.input_height == 0))
      throw npc::DetectorError(Kind::settings,
                               "Set both input-width and input-height, or neither of them.");
    const npc::DetectorSettings wanted{
        current.model, current.labels, split_classes(current.classes),
        cv::Size(static_cast<int>(current.input_width), static_cast<int>(current.input_height)),
        current.min_size};
    if (wanted.classes.empty())
      throw npc::DetectorError(Kind::settings,
                               "The property classes names none: set for example classes=person.");
    const bool network =
        current.detector == GST_NPC_DETECT_DETECTOR_NETWORK ||
        (current.detector == GST_NPC_DETECT_DETECTOR_AUTO && !current.model.empty());
    if (network && current.model.empty())
      throw npc::DetectorError(
          Kind::settings,
          "The detector network needs a model: set model to an ONNX or Darknet "
          "file (pipelines/get-model fetches one).");
    if (current.detector == GST_NPC_DETECT_DETECTOR_MOTION)
      detectors_.push_back(npc::make_motion(wanted));
    else
      detectors_.push_back(network ? npc::make_network(wanted) : npc::make_hog(wanted));
    if (current.faces == GST_NPC_DETECT_FACES_CASCADE)
      detectors_.push_back(npc::make_cascade(current.face_model));
  } catch (const npc::DetectorError &error) {
    detectors_.clear();
    post(error);
    return false;
  } catch (const std::exception &error) {
    detectors_.clear();
    post({npc::DetectorError::Kind::failed,
          std::string("OpenCV failed to make the detector: ") + error.what()});
    return false;
  }
  return true;
}

void GstNpcDetectState::stop() {
  // Detectors keep copies of the picture at other sizes: what they see last is black.
  picture_.wipe();
  std::vector<npc::Detection> ignored;
  if (negotiated_)
    detect(npc::kDefaultConfidence, ignored);
  picture_.forget();
  detectors_.clear();
  negotiated_ = warned_ = false;
  last_ = next_ = GST_CLOCK_TIME_NONE;
}

bool GstNpcDetectState::set_caps(GstCaps *caps) {
  negotiated_ = false;
  if (!gst_video_info_from_caps(&info_, caps)) {
    GST_ERROR_OBJECT(element_, "cannot parse caps %" GST_PTR_FORMAT, static_cast<void *>(caps));
    return false;
  }
  const npc::PictureWish wish = detectors_.front()->wish(
      cv::Size(GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_)));
  if (!picture_.configure(info_, wish.size, wish.type)) {
    GST_ERROR_OBJECT(element_, "no conversion from %" GST_PTR_FORMAT, static_cast<void *>(caps));
    return false;
  }
  GST_INFO_OBJECT(element_, "frames of %" GST_PTR_FORMAT ", looked at as %dx%d %s",
                  static_cast<void *>(caps), wish.size.width, wish.size.height,
                  wish.type == CV_8UC1 ? "luma" : "BGR");

  GstCaps *described =
      gst_caps_new_simple("application/x-npc-detections", "version", G_TYPE_INT, 1, "width",
                          G_TYPE_INT, GST_VIDEO_INFO_WIDTH(&info_), "height", G_TYPE_INT,
                          GST_VIDEO_INFO_HEIGHT(&info_), "framerate", GST_TYPE_FRACTION,
                          GST_VIDEO_INFO_FPS_N(&info_), GST_VIDEO_INFO_FPS_D(&info_), nullptr);
  negotiated_ = gst_pad_push_event(element_->srcpad, gst_event_new_caps(described));
  gst_caps_unref(described);
  reset_schedule();
  return negotiated_;
}

GstClockTime GstNpcDetectState::time_of(const npc::FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    return times.pts;
  const GstClockTime running = gst_element_get_current_running_time(GST_ELEMENT(element_));
  return GST_CLOCK_TIME_IS_VALID(running) ? running : gst_util_get_timestamp();
}

/// Whether the frame of `time` is to be analysed. The schedule is a grid of `interval`, so that
/// frames that come a little late do not make the mean distance longer.
bool GstNpcDetectState::is_due(GstClockTime time, GstClockTime interval) {
  const bool backwards = GST_CLOCK_TIME_IS_VALID(last_) && time < last_;
  last_ = time;
  if (interval != 0 && !backwards && GST_CLOCK_TIME_IS_VALID(next_) && time < next_ &&
      next_ - time <= interval)
    return false;
  const bool on_grid = interval != 0 && !backwards && GST_CLOCK_TIME_IS_VALID(next_) &&
                       time >= next_ && time - next_ < interval;
  next_ = (on_grid ? next_ : time) + interval;
  return true;
}

bool GstNpcDetectState::detect(double confidence, std::vector<npc::Detection> &found) {
  try {
    for (const auto &detector : detectors_) {
      const auto floor = static_cast<float>(confidence * kWeakShare);
      detector->detect(detector == detectors_.front() ? picture_.mat() : picture_.luma(), floor,
                       found);
    }
  } catch (const npc::DetectorError &error) {
    post(error);
    return false;
  } catch (const std::exception &error) {
    post({npc::DetectorError::Kind::failed,
          std::string("OpenCV failed on a frame: ") + error.what()});
    return false;
  }
  return true;
}

GstFlowReturn GstNpcDetectState::push(const npc::FrameTimes &times, double confidence,
                                      const std::vector<npc::Detection> &found) {
  // Made from nothing: what is not copied here by name cannot get out.
  GstBuffer *buffer = gst_buffer_new();
  GST_BUFFER_PTS(buffer) = times.pts;
  GST_BUFFER_DTS(buffer) = times.dts;
  GST_BUFFER_DURATION(buffer) = times.duration;
  GST_BUFFER_OFFSET(buffer) = times.offset;
  GST_BUFFER_OFFSET_END(buffer) = times.offset_end;
  GST_BUFFER_FLAG_SET(buffer, times.flags);

  const int width = GST_VIDEO_INFO_WIDTH(&info_), height = GST_VIDEO_INFO_HEIGHT(&info_);
  const double across = static_cast<double>(width) / picture_.mat().cols;
  const double down = static_cast<double>(height) / picture_.mat().rows;
  for (const npc::Detection &object : found) {
    const GstNpcDetection detection = {object.label.c_str(),
                                       object.box.x * across,
                                       object.box.y * down,
                                       object.box.width * across,
                                       object.box.height * down,
                                       object.confidence,
                                       object.confidence < static_cast<float>(confidence)};
    gst_npc_buffer_add_detection(buffer, &detection, width, height);
  }
  return gst_pad_push(element_->srcpad, buffer);
}

GstFlowReturn GstNpcDetectState::chain(GstBuffer *buffer) {
  if (!negotiated_) {
    gst_buffer_unref(buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  double confidence;
  GstClockTime interval;
  std::vector<npc::Polygon> masks;
  {
    npc::ObjectLocker lock(element_);
    confidence = settings.confidence;
    interval = settings.interval;
    masks = settings.masks;
    stats.frames_in++;
  }
  const npc::FrameTimes times(buffer);
  const bool due = is_due(time_of(times), interval);
  const bool good = due && picture_.copy(buffer, masks);
  // Before detection: cameras have few buffers.
  gst_buffer_unref(buffer);

  if (!good) {
    if (due && !std::exchange(warned_, true))
      GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                          ("A frame is smaller than its caps say; it is left out, as all like it "
                           "will be. Check the format that the camera delivers."),
                          (nullptr));
    {
      npc::ObjectLocker lock(element_);
      stats.skipped++;
    }
    // So that windows downstream close in time.
    if (GST_CLOCK_TIME_IS_VALID(times.pts))
      gst_pad_push_event(element_->srcpad, gst_event_new_gap(times.pts, times.duration));
    return GST_FLOW_OK;
  }
  warned_ = false;

  std::vector<npc::Detection> found;
  detectors_.front()->set_time(static_cast<double>(time_of(times)) / GST_SECOND);
  const gint64 begin = g_get_monotonic_time();
  if (!detect(confidence, found))
    return GST_FLOW_ERROR;
  const gint64 took = g_get_monotonic_time() - begin;
  {
    npc::ObjectLocker lock(element_);
    stats.analysed++;
    stats.detect_time += took * GST_USECOND;
  }
  GST_LOG_OBJECT(element_, "%zu detections at %" GST_TIME_FORMAT " in %" G_GINT64_FORMAT " us",
                 found.size(), GST_TIME_ARGS(times.pts), took);
  return push(times, confidence, found);
}

void GstNpcDetectState::set_mask(const gchar *text) {
  std::vector<npc::Corners> polygons;
  std::string error;
  const bool good = npc::read_polygons(text, polygons, error);
  std::vector<npc::Polygon> masks;
  for (const npc::Corners &corners : polygons) {
    npc::Polygon &mask = masks.emplace_back();
    for (const npc::Corner &corner : corners)
      mask.emplace_back(static_cast<float>(corner.x), static_cast<float>(corner.y));
  }
  {
    npc::ObjectLocker lock(element_);
    const bool running = GST_STATE(element_) >= GST_STATE_PAUSED;
    // A bad mask must never make a running element show more than before.
    if (good || !running) {
      settings.mask = text != nullptr ? text : "";
      settings.mask_error = error;
      settings.masks = std::move(masks);
      return;
    }
  }
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("The property mask stays as it was. %s", error.c_str()), (nullptr));
}
