// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#include "npcdetect/engine.h"

#include <gst/npc/npc.h>

#include <exception>
#include <utility>

#include "gstbase/eventfilter.h"
#include "gstbase/objectlocker.h"
#include "gstbase/shapes.h"
#include "npcdetect/core/stopwatch.h"

GST_DEBUG_CATEGORY_EXTERN(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace npc::detect {

void DetectEngine::post(const DetectorError &error) {
  switch (error.kind()) {
    case DetectorError::Kind::not_found:
      GST_ELEMENT_ERROR(element_, RESOURCE, NOT_FOUND, ("%s", error.what()), (nullptr));
      break;
    case DetectorError::Kind::unusable:
      GST_ELEMENT_ERROR(element_, RESOURCE, READ, ("%s", error.what()), (nullptr));
      break;
    case DetectorError::Kind::settings:
      GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.what()), (nullptr));
      break;
    case DetectorError::Kind::failed:
      GST_ELEMENT_ERROR(element_, STREAM, FAILED, ("%s", error.what()), (nullptr));
      break;
  }
}

bool DetectEngine::start() {
  DetectSettings current;
  {
    ObjectLocker lock(element_);
    current = settings;
    stats = DetectStats();
  }
  try {
    if (!current.mask_error.empty())
      throw DetectorError(DetectorError::Kind::settings,
                          "The property mask cannot be used. " + current.mask_error);
    analyser_ = std::make_unique<Analyser>(make_detector(current), make_faces(current));
  } catch (const DetectorError &error) {
    post(error);
    return false;
  } catch (const std::exception &error) {
    post({DetectorError::Kind::failed,
          std::string("OpenCV failed to make the detector: ") + error.what()});
    return false;
  }
  return true;
}

void DetectEngine::stop() {
  image_.wipe();
  if (!image_.mat().empty())
    guard([this] { analyser_->forget(image_.mat()); });
  face_image_.wipe();
  if (!face_image_.mat().empty())
    guard([this] { analyser_->forget_faces(face_image_.mat()); });
  analyser_.reset();
  image_.forget();
  face_image_.forget();
  luma_.forget();
  frames_ = Schedule();
  negotiation_ = Negotiation::none;
  warned_late_ = false;
  for (WarningLimit *limit : {&short_frames_, &corrupted_frames_, &odd_pixels_})
    limit->reset();
  tags.forget();
  qos.reset();
}

GstClockTime DetectEngine::time_of(const FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    return times.pts;
  const GstClockTime running = gst_element_get_current_running_time(element_);
  return GST_CLOCK_TIME_IS_VALID(running) ? running : gst_util_get_timestamp();
}

bool DetectEngine::set_caps(GstCaps *caps) {
  negotiation_ = Negotiation::none;
  if (!gst_video_info_from_caps(&info_, caps)) {
    GST_ERROR_OBJECT(element_, "cannot parse caps: %s", describe(caps).c_str());
    return false;
  }
  const int width = GST_VIDEO_INFO_WIDTH(&info_), height = GST_VIDEO_INFO_HEIGHT(&info_);
  if (width > kLargestSide || height > kLargestSide) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("Frames of %dx%d pixels are too large: npcdetect takes up to %d on a side. "
                       "Check the caps, or put videoscale before it.",
                       width, height, kLargestSide),
                      (nullptr));
    return false;
  }
  // The lines of both fields are taken as they come, as one picture: scaled down there is little
  // between them, and GStreamer's converter cannot tell fields of one line apart.
  info_.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  GstVideoOrientationMethod wanted;
  {
    ObjectLocker lock(element_);
    wanted = settings.video_direction;
  }
  return configure(tags.resolve(wanted));
}

/// Follows the property, or the tags, to another way up. Returns whether frames can be analysed.
bool DetectEngine::turn_upright(GstVideoOrientationMethod wanted) {
  const GstVideoOrientationMethod method = tags.resolve(wanted);
  if (negotiation_ == Negotiation::done && method == view_.method)
    return true;
  // Upstream does not send caps again after a flush: ours are to be sent once it is over.
  return negotiation_ != Negotiation::none && configure(method);
}

/// Frames as in info_ follow, which `method` makes upright.
bool DetectEngine::configure(GstVideoOrientationMethod method) {
  negotiation_ = Negotiation::none;
  view_ = view_of(info_, method);
  if (!view_.believable && odd_pixels_.ask())
    GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                        ("The pixel-aspect-ratio %d/%d of the frames cannot be, and is taken for "
                         "1/1. Put capssetter or a capsfilter with the right one after the source.",
                         GST_VIDEO_INFO_PAR_N(&info_), GST_VIDEO_INFO_PAR_D(&info_)),
                        (nullptr));
  if (!configure_images(method)) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("Frames of this format cannot be converted for the detector. Put "
                       "videoconvert before npcdetect."),
                      ("%s of %dx%d", gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info_)),
                       GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_)));
    return false;
  }
  qos.configure(info_);
  analyser_->configure(image_.mat().size(), face_image_.mat().size());
  GST_INFO_OBJECT(element_, "%s frames of %dx%d, upright %dx%d, analysed as %dx%d %s",
                  gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info_)),
                  GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_), view_.size.width,
                  view_.size.height, image_.mat().cols, image_.mat().rows,
                  image_.mat().type() == CV_8UC1 ? "luma" : "BGR");
  if (push_caps())
    negotiation_ = Negotiation::done;
  else if (GST_PAD_IS_FLUSHING(srcpad_))
    negotiation_ = Negotiation::unsent;
  frames_ = Schedule();
  return negotiation_ == Negotiation::done;
}

/// Makes the pictures that the analyser wants. Returns false if GStreamer cannot convert so.
bool DetectEngine::configure_images(GstVideoOrientationMethod method) {
  luma_.configure(info_, method);
  const InputSpec wanted = analyser_->input_spec(view_.shape);
  if (!image_.configure(info_, wanted.size, wanted.type, method))
    return false;
  const std::optional<InputSpec> faces = analyser_->face_input_spec(view_.shape);
  return !faces || face_image_.configure(info_, faces->size, faces->type, method);
}

bool DetectEngine::push_caps() {
  GstCaps *described = gst_caps_new_simple(
      "application/x-npc-detections", "version", G_TYPE_INT, 1, "width", G_TYPE_INT,
      view_.size.width, "height", G_TYPE_INT, view_.size.height, "framerate", GST_TYPE_FRACTION,
      GST_VIDEO_INFO_FPS_N(&info_), GST_VIDEO_INFO_FPS_D(&info_), nullptr);
  // Who follows people needs it for their speed.
  if (view_.pixel.width != view_.pixel.height)
    gst_caps_set_simple(described, "pixel-aspect-ratio", GST_TYPE_FRACTION, view_.pixel.width,
                        view_.pixel.height, nullptr);
  const bool sent = gst_pad_push_event(srcpad_, gst_event_new_caps(described));
  gst_caps_unref(described);
  return sent;
}

void DetectEngine::reset_schedule() {
  frames_ = Schedule();
  if (analyser_)
    analyser_->reset();
}

/// Takes what the analyser needs out of `buffer`. Returns none if it is no frame as the caps have
/// it.
std::optional<AnalysisPlan> DetectEngine::take(GstBuffer *buffer, GstClockTime time,
                                               const AnalysisSettings &current,
                                               AnalysisStats &spent) {
  MappedFrame frame(info_, buffer);
  if (!frame.good())
    return std::nullopt;
  const auto cells = [&]() -> const cv::Mat & {
    luma_.copy(frame, current.masks);
    return luma_.mat();
  };
  const AnalysisPlan plan = analyser_->plan(time, current, cells, spent);
  Stopwatch stopwatch;
  if (!plan.regions.empty())
    image_.copy(frame, current.masks);
  if (plan.faces)
    face_image_.copy(frame, current.masks);
  spent.convert_time += stopwatch.lap();
  return plan;
}

/// Does what OpenCV may fail at. Returns false after an error.
bool DetectEngine::guard(const std::function<void()> &work) {
  try {
    work();
  } catch (const DetectorError &error) {
    post(error);
    return false;
  } catch (const std::exception &error) {
    post({DetectorError::Kind::failed, std::string("OpenCV failed on a frame: ") + error.what()});
    return false;
  }
  return true;
}

GstFlowReturn DetectEngine::push(const FrameTimes &times, double confidence,
                                 const std::vector<Detection> &found) {
  // Made from nothing: what is not copied here by name cannot get out.
  GstBuffer *buffer = gst_buffer_new();
  GST_BUFFER_PTS(buffer) = times.pts;
  GST_BUFFER_DTS(buffer) = times.dts;
  GST_BUFFER_DURATION(buffer) = times.duration;
  GST_BUFFER_OFFSET(buffer) = times.offset;
  GST_BUFFER_OFFSET_END(buffer) = times.offset_end;
  GST_BUFFER_FLAG_SET(buffer, times.flags);

  const auto [width, height] = view_.size;
  const double across = static_cast<double>(width) / image_.mat().cols;
  const double down = static_cast<double>(height) / image_.mat().rows;
  for (const Detection &object : found) {
    const GstNpcDetection detection = {object.label.c_str(),
                                       object.box.x * across,
                                       object.box.y * down,
                                       object.box.width * across,
                                       object.box.height * down,
                                       object.confidence,
                                       object.confidence < static_cast<float>(confidence),
                                       {}};
    gst_npc_buffer_add_detection(buffer, &detection, width, height);
  }
  return gst_pad_push(srcpad_, buffer);
}

/// A frame that is not analysed.
void DetectEngine::skip_frame(const FrameTimes &times, bool due) {
  const auto held_back = due ? short_frames_.ask() : std::nullopt;
  if (held_back)
    GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                        ("A frame is smaller than its caps say; it is left out, as all like it "
                         "will be. Check the format that the camera delivers."),
                        ("%u more since the last warning", *held_back));
  {
    ObjectLocker lock(element_);
    stats.skipped++;
  }
  if (due)
    push_missing(times);
  // So that windows downstream close in time.
  else if (GST_CLOCK_TIME_IS_VALID(times.pts))
    gst_pad_push_event(srcpad_, gst_event_new_gap(times.pts, times.duration));
}

/// A frame of which the decoder says that it is damaged: whoever is seen in it may not be there.
void DetectEngine::skip_corrupted(const FrameTimes &times) {
  // The first sound one takes its place, rather than that of the next interval.
  frames_.reset();
  if (const auto held_back = corrupted_frames_.ask())
    GST_ELEMENT_WARNING(element_, STREAM, DECODE,
                        ("The decoder marks frames as damaged; they are left out. If that goes on, "
                         "check the network, the cable, or the file."),
                        ("%u more since the last warning", *held_back));
  {
    ObjectLocker lock(element_);
    stats.corrupted++;
  }
  push_missing(times);
  post_qos(times, 0);
}

/// Nobody saw what was at `times`.
void DetectEngine::push_missing(const FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    gst_pad_push_event(srcpad_, missing_data_event(times.pts, times.duration));
}

/// Frames were lost on the way here: the camera had nowhere to put them, or a queue threw them
/// away.
void DetectEngine::report_loss(const FrameTimes &times, const Loss &loss) {
  {
    ObjectLocker lock(element_);
    stats.lost += loss.frames;
  }
  gst_pad_push_event(srcpad_, missing_data_event(loss.start, loss.length));
  post_qos(times, 0);
}

/// Leaves out a frame of a live source that comes too late, so that the delay does not grow.
bool DetectEngine::drop_late(const FrameTimes &times, const Arrival &arrival) {
  const Lateness lateness = qos.judge(arrival);
  if (GstEvent *event = qos.qos_event(arrival, lateness))
    gst_pad_push_event(sinkpad_, event);
  if (lateness == Lateness::resynchronised)
    resynchronise(times);
  if (lateness != Lateness::drop)
    return false;
  {
    ObjectLocker lock(element_);
    stats.dropped++;
  }
  push_missing(times);
  post_qos(times, qos.excess());
  return true;
}

/// Frames are late for ever, and dropping some does not help.
void DetectEngine::resynchronise(const FrameTimes &times) {
  const double late = static_cast<double>(qos.granted()) / GST_SECOND;
  GST_INFO_OBJECT(element_, "frames that are %.3f s late are taken to be in time", late);
  // Marks the window downstream.
  gst_pad_push_event(srcpad_, missing_data_event(times.pts, 0));
  if (std::exchange(warned_late_, true))
    return;
  GST_ELEMENT_WARNING(
      element_, CORE, CLOCK,
      ("Frames come %.1f s later than their timestamps say, and to drop some does not help: from "
       "now on they are looked at as they come. Check the clock and the frame rate of the camera; "
       "if a decoder is too slow, make frames smaller or fewer.",
       late),
      (nullptr));
}

void DetectEngine::post_qos(const FrameTimes &times, GstClockTimeDiff late) {
  guint64 processed, dropped;
  {
    ObjectLocker lock(element_);
    processed = stats.analysed;
    dropped = stats.dropped + stats.lost + stats.corrupted;
  }
  GstMessage *message = qos.message(element_, times.pts, late, processed, dropped);
  if (message == nullptr)
    return;
  GST_INFO_OBJECT(
      element_, "cannot keep up: %" G_GUINT64_FORMAT " frames analysed, %" G_GUINT64_FORMAT " lost",
      processed, dropped);
  gst_element_post_message(element_, message);
}

GstFlowReturn DetectEngine::chain(GstBuffer *buffer) {
  DetectSettings current;
  {
    ObjectLocker lock(element_);
    current = settings;
    stats.frames_in++;
  }
  if (!turn_upright(current.video_direction)) {
    gst_buffer_unref(buffer);
    return GST_PAD_IS_FLUSHING(srcpad_) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  const FrameTimes times(buffer);
  const GstClockTime time = time_of(times);
  const bool due = frames_.is_due(time, current.interval);
  const Arrival arrival = {times.pts, times.offset, gst_element_get_current_running_time(element_)};
  if (const Loss loss = qos.note(sinkpad_, arrival, due, current.interval); loss.frames > 0)
    report_loss(times, loss);
  if (due && drop_late(times, arrival)) {
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  if (due && GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) {
    gst_buffer_unref(buffer);
    skip_corrupted(times);
    return GST_FLOW_OK;
  }
  AnalysisStats spent;
  std::optional<AnalysisPlan> plan;
  if (due)
    plan = take(buffer, time, current.analysis, spent);
  // Before detection: cameras have few buffers.
  gst_buffer_unref(buffer);
  if (!plan) {
    skip_frame(times, due);
    return GST_FLOW_OK;
  }
  std::vector<Detection> found;
  if (!guard([&] { found = analyser_->analyse(*plan, image_.mat(), face_image_.mat(), spent); }))
    return GST_FLOW_ERROR;
  {
    ObjectLocker lock(element_);
    stats.analysed++;
    stats.analysis += spent;
  }
  GST_LOG_OBJECT(element_,
                 "%zu detections at %" GST_TIME_FORMAT
                 ", %zu regions analysed in %" G_GUINT64_FORMAT " us",
                 found.size(), GST_TIME_ARGS(times.pts), plan->regions.size(),
                 spent.detect_time / GST_USECOND);
  const GstFlowReturn flow = push(times, plan->confidence, found);
  qos.looked(arrival, gst_element_get_current_running_time(element_));
  return flow;
}

void DetectEngine::set_mask(const gchar *text) {
  std::vector<Corners> polygons;
  std::string error;
  const bool good = read_polygons(text, polygons, error);
  std::vector<Polygon> masks;
  for (const Corners &corners : polygons) {
    Polygon &mask = masks.emplace_back();
    for (const Corner &corner : corners)
      mask.emplace_back(static_cast<float>(corner.x), static_cast<float>(corner.y));
  }
  {
    ObjectLocker lock(element_);
    const bool running = GST_STATE(element_) >= GST_STATE_PAUSED;
    // A bad mask must never make a running element show more than before.
    if (good || !running) {
      settings.mask = text != nullptr ? text : "";
      settings.mask_error = error;
      settings.analysis.masks = std::move(masks);
      return;
    }
  }
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("The property mask stays as it was. %s", error.c_str()), (nullptr));
}

}  // namespace npc::detect
