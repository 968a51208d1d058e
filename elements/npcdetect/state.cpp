// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#include "state.h"

#include <gst/npc/npc.h>

#include <chrono>
#include <exception>
#include <utility>

#include "../passage.h"
#include "../regions.h"

GST_DEBUG_CATEGORY_EXTERN(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace {

// The share of `confidence` from which a detection is passed on as weak.
constexpr double kWeakShare = 0.4;

// A frame that comes early by up to this part of detection-interval is due: cameras are not exact.
constexpr GstClockTime kEarlyShare = 8;

// Frames that follow faster show nobody elsewhere: what was known a moment ago is put out again.
constexpr GstClockTime kLookInterval = 60 * GST_MSECOND;

/// Time since it was last asked, in ns.
class Stopwatch {
 public:
  guint64 lap() {
    const auto before = std::exchange(last_, Clock::now());
    return static_cast<guint64>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(last_ - before).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

double seconds_of(GstClockTime time) {
  return static_cast<double>(time) / GST_SECOND;
}

/// `box` of a picture of size `from` in one of size `to`.
cv::Rect2f scaled(const cv::Rect2f &box, cv::Size from, cv::Size to) {
  const float across = static_cast<float>(to.width) / static_cast<float>(from.width);
  const float down = static_cast<float>(to.height) / static_cast<float>(from.height);
  return {box.x * across, box.y * down, box.width * across, box.height * down};
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
    if (!current.mask_error.empty())
      throw npc::DetectorError(npc::DetectorError::Kind::settings,
                               "The property mask cannot be used. " + current.mask_error);
    detector_ = npc::make_detector(current);
    faces_ = npc::make_faces(current);
  } catch (const npc::DetectorError &error) {
    detector_.reset();
    post(error);
    return false;
  } catch (const std::exception &error) {
    detector_.reset();
    post({npc::DetectorError::Kind::failed,
          std::string("OpenCV failed to make the detector: ") + error.what()});
    return false;
  }
  return true;
}

void GstNpcDetectState::stop() {
  picture_.wipe();
  if (!picture_.mat().empty())
    guard([this] { detector_->forget(picture_.mat()); });
  face_picture_.wipe();
  if (!face_picture_.mat().empty())
    guard([this] { faces_->forget(face_picture_.mat()); });
  picture_.forget();
  face_picture_.forget();
  faces_.reset();
  luma_.forget();
  watch_.forget();
  detector_.reset();
  negotiated_ = warned_late_ = false;
  for (npc::WarningLimit *limit : {&short_frames_, &corrupted_frames_, &odd_pixels_})
    limit->reset();
  tags.forget();
  pace.reset();
  reset_schedule();
}

GstClockTime GstNpcDetectState::time_of(const npc::FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    return times.pts;
  const GstClockTime running = gst_element_get_current_running_time(GST_ELEMENT(element_));
  return GST_CLOCK_TIME_IS_VALID(running) ? running : gst_util_get_timestamp();
}

void GstNpcDetectState::reset_schedule() {
  frames_ = looks_ = detections_ = scans_ = npc::Schedule();
  last_ = GST_CLOCK_TIME_NONE;
  if (faces_)
    faces_->reset();
  // The next detection is a full scan.
  confidence_ = -1;
}

/// Whether the detector may look at the frame of `time`.
bool GstNpcDetectState::is_detection_due(GstClockTime time, const npc::DetectSettings &current) {
  // What stands was found with other settings.
  if (confidence_ != current.confidence || masks_ != current.masks) {
    detections_.reset();
    scans_.reset();
    confidence_ = current.confidence;
    masks_ = current.masks;
  }
  return detections_.is_due(time, current.detection_interval,
                            current.detection_interval / kEarlyShare) ||
         reach_.every_frame;
}

/// Takes what is needed out of `buffer`: cells for the watch, and the picture, if windows_ of it
/// are to be looked at. Returns false if it is no frame as the caps have it.
bool GstNpcDetectState::take(GstBuffer *buffer, GstClockTime time,
                             const npc::DetectSettings &current, npc::DetectStats &spent) {
  windows_.clear();
  carried_ = face_look_ = false;
  npc::MappedFrame frame(info_, buffer);
  if (!frame.good())
    return false;
  const bool due = is_detection_due(time, current);
  if (!looks_.is_due(time, kLookInterval, kLookInterval / kEarlyShare) && !due)
    return true;
  Stopwatch stopwatch;
  luma_.copy(frame, current.masks);
  const GstClockTime passed = GST_CLOCK_TIME_IS_VALID(last_) && time > last_ ? time - last_ : 0;
  watch_.look(luma_.mat(), static_cast<double>(passed) / GST_SECOND);
  last_ = time;
  carried_ = !due;
  if (due && (keeps_nothing(current) || scans_.is_due(time, current.full_scan)))
    windows_ = {watch_.whole()};
  else if (due)
    windows_ = watch_.plan();
  if (is_full_scan())
    scans_.restart(time, current.full_scan);
  spent.gate_time = stopwatch.lap();
  if (!windows_.empty())
    picture_.copy(frame, current.masks);
  face_look_ = faces_ && faces_->is_due(seconds_of(time), seconds_of(current.face_interval));
  if (face_look_)
    face_picture_.copy(frame, current.masks);
  spent.convert_time = stopwatch.lap();
  return true;
}

/// Brings what stands up to date. Returns false after an error.
bool GstNpcDetectState::look(const npc::DetectSettings &current, npc::DetectStats &spent) {
  Stopwatch stopwatch;
  if (carried_) {
    watch_.carry();
    spent.carry_time = stopwatch.lap();
  }
  if (windows_.empty())
    return true;
  std::vector<std::vector<npc::Detection>> found(windows_.size());
  for (std::size_t i = 0; i < windows_.size(); ++i)
    if (!detect(windows_[i].crop, current.confidence, found[i]))
      return false;
  spent.detect_time = stopwatch.lap();
  spent.detections = 1;
  spent.full_scans = is_full_scan() ? 1 : 0;
  if (keeps_nothing(current))
    watch_.replace(std::move(found.front()));
  else
    watch_.update(windows_, found, static_cast<float>(current.confidence));
  spent.gate_time += stopwatch.lap();
  return true;
}

/// Looks at `crop` of the picture; adds what is there, in pixels of the picture.
bool GstNpcDetectState::detect(const cv::Rect &crop, double confidence,
                               std::vector<npc::Detection> &found) {
  const auto floor = static_cast<float>(confidence * kWeakShare);
  if (!guard([&] { detector_->detect(picture_.mat()(crop), floor, found); }))
    return false;
  for (npc::Detection &object : found)
    object.box += cv::Point2f(crop.tl());
  return true;
}

/// Does what OpenCV may fail at. Returns false after an error.
bool GstNpcDetectState::guard(const std::function<void()> &work) {
  try {
    work();
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

bool GstNpcDetectState::look_for_faces(GstClockTime time, double confidence,
                                       npc::DetectStats &spent) {
  if (!faces_)
    return true;
  Stopwatch stopwatch;
  std::vector<cv::Rect2f> people;
  for (const npc::Detection &object : watch_.standing())
    if (object.label == "person" && object.confidence >= static_cast<float>(confidence))
      people.push_back(scaled(object.box, picture_.mat().size(), face_picture_.mat().size()));
  faces_->follow(people);
  const auto floor = static_cast<float>(confidence * kWeakShare);
  const bool good = !std::exchange(face_look_, false) ||
                    guard([&] { faces_->search(face_picture_.mat(), seconds_of(time), floor); });
  spent.face_time = stopwatch.lap();
  return good;
}

/// People, things and faces, in pixels of the picture.
std::vector<npc::Detection> GstNpcDetectState::all_standing() const {
  std::vector<npc::Detection> all = watch_.standing();
  if (!faces_)
    return all;
  for (const npc::Detection &face : faces_->standing())
    all.push_back({scaled(face.box, face_picture_.mat().size(), picture_.mat().size()),
                   face.confidence, face.label});
  return all;
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

  const auto [width, height] = view_.size;
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

/// A frame that is not analysed.
void GstNpcDetectState::leave_out(const npc::FrameTimes &times, bool due) {
  const auto held_back = due ? short_frames_.ask() : std::nullopt;
  if (held_back)
    GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                        ("A frame is smaller than its caps say; it is left out, as all like it "
                         "will be. Check the format that the camera delivers."),
                        ("%u more since the last warning", *held_back));
  {
    npc::ObjectLocker lock(element_);
    stats.skipped++;
  }
  if (due)
    push_missing(times);
  // So that windows downstream close in time.
  else if (GST_CLOCK_TIME_IS_VALID(times.pts))
    gst_pad_push_event(element_->srcpad, gst_event_new_gap(times.pts, times.duration));
}

/// A frame of which the decoder says that it is damaged: whoever is seen in it may not be there.
void GstNpcDetectState::leave_out_corrupted(const npc::FrameTimes &times) {
  // The first sound one takes its place, rather than that of the next interval.
  frames_.reset();
  if (const auto held_back = corrupted_frames_.ask())
    GST_ELEMENT_WARNING(element_, STREAM, DECODE,
                        ("The decoder marks frames as damaged; they are left out. If that goes on, "
                         "check the network, the cable, or the file."),
                        ("%u more since the last warning", *held_back));
  {
    npc::ObjectLocker lock(element_);
    stats.corrupted++;
  }
  push_missing(times);
  tell_of_drops(times, 0);
}

/// Nobody saw what was at `times`.
void GstNpcDetectState::push_missing(const npc::FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    gst_pad_push_event(element_->srcpad, npc::missing_data_event(times.pts, times.duration));
}

/// Frames were lost on the way here: the camera had nowhere to put them, or a queue threw them
/// away.
void GstNpcDetectState::report_loss(const npc::FrameTimes &times, const npc::Loss &loss) {
  {
    npc::ObjectLocker lock(element_);
    stats.lost += loss.frames;
  }
  gst_pad_push_event(element_->srcpad, npc::missing_data_event(loss.start, loss.length));
  tell_of_drops(times, 0);
}

/// Leaves out a frame of a live source that comes too late, so that the delay does not grow.
bool GstNpcDetectState::drop_late(const npc::FrameTimes &times, const npc::Arrival &arrival) {
  const npc::Lateness lateness = pace.judge(arrival);
  if (GstEvent *event = pace.qos_event(arrival, lateness))
    gst_pad_push_event(element_->sinkpad, event);
  if (lateness == npc::Lateness::resynchronised)
    resynchronise(times);
  if (lateness != npc::Lateness::drop)
    return false;
  {
    npc::ObjectLocker lock(element_);
    stats.dropped++;
  }
  push_missing(times);
  tell_of_drops(times, pace.excess());
  return true;
}

/// Frames are late for ever, and dropping some does not help.
void GstNpcDetectState::resynchronise(const npc::FrameTimes &times) {
  const double late = static_cast<double>(pace.granted()) / GST_SECOND;
  GST_INFO_OBJECT(element_, "frames that are %.3f s late are taken to be in time", late);
  // Marks the window downstream.
  gst_pad_push_event(element_->srcpad, npc::missing_data_event(times.pts, 0));
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

void GstNpcDetectState::tell_of_drops(const npc::FrameTimes &times, GstClockTimeDiff late) {
  guint64 processed, dropped;
  {
    npc::ObjectLocker lock(element_);
    processed = stats.analysed;
    dropped = stats.dropped + stats.lost + stats.corrupted;
  }
  GstMessage *message = pace.message(GST_ELEMENT(element_), times.pts, late, processed, dropped);
  if (message == nullptr)
    return;
  GST_INFO_OBJECT(
      element_, "cannot keep up: %" G_GUINT64_FORMAT " frames analysed, %" G_GUINT64_FORMAT " lost",
      processed, dropped);
  gst_element_post_message(GST_ELEMENT(element_), message);
}

GstFlowReturn GstNpcDetectState::chain(GstBuffer *buffer) {
  npc::DetectSettings current;
  {
    npc::ObjectLocker lock(element_);
    current = settings;
    stats.frames_in++;
  }
  if (!turn_upright(current.video_direction)) {
    gst_buffer_unref(buffer);
    return GST_PAD_IS_FLUSHING(element_->srcpad) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  const npc::FrameTimes times(buffer);
  const GstClockTime time = time_of(times);
  const bool due = frames_.is_due(time, current.interval);
  const npc::Arrival arrival = {times.pts, times.offset,
                                gst_element_get_current_running_time(GST_ELEMENT(element_))};
  if (const npc::Loss loss = pace.note(element_->sinkpad, arrival, due, current.interval);
      loss.frames > 0)
    report_loss(times, loss);
  if (due && drop_late(times, arrival)) {
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  if (due && GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) {
    gst_buffer_unref(buffer);
    leave_out_corrupted(times);
    return GST_FLOW_OK;
  }
  npc::DetectStats spent;
  const bool good = due && take(buffer, time, current, spent);
  // Before detection: cameras have few buffers.
  gst_buffer_unref(buffer);
  if (!good) {
    leave_out(times, due);
    return GST_FLOW_OK;
  }
  detector_->set_time(seconds_of(time));
  if (!look(current, spent) || !look_for_faces(time, current.confidence, spent))
    return GST_FLOW_ERROR;
  {
    npc::ObjectLocker lock(element_);
    stats.analysed++;
    stats.add(spent);
  }
  const std::vector<npc::Detection> all = all_standing();
  GST_LOG_OBJECT(
      element_,
      "%zu detections at %" GST_TIME_FORMAT ", %zu windows looked at in %" G_GUINT64_FORMAT " us",
      all.size(), GST_TIME_ARGS(times.pts), windows_.size(), spent.detect_time / GST_USECOND);
  const GstFlowReturn flow = push(times, current.confidence, all);
  pace.looked(arrival, gst_element_get_current_running_time(GST_ELEMENT(element_)));
  return flow;
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
