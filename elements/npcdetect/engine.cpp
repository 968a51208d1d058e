// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what the streaming thread does.
#include "npcdetect/engine.h"

#include <gst/npc/npc.h>

#include <chrono>
#include <exception>
#include <utility>

#include "gstbase/eventfilter.h"
#include "gstbase/shapes.h"

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

void npc::DetectEngine::post(const npc::DetectorError &error) {
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

bool npc::DetectEngine::start() {
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

void npc::DetectEngine::stop() {
  image_.wipe();
  if (!image_.mat().empty())
    guard([this] { detector_->forget(image_.mat()); });
  face_image_.wipe();
  if (!face_image_.mat().empty())
    guard([this] { faces_->forget(face_image_.mat()); });
  image_.forget();
  face_image_.forget();
  faces_.reset();
  luma_.forget();
  cache_.forget();
  detector_.reset();
  negotiated_ = warned_late_ = false;
  for (npc::WarningLimit *limit : {&short_frames_, &corrupted_frames_, &odd_pixels_})
    limit->reset();
  tags.forget();
  qos.reset();
  reset_schedule();
}

GstClockTime npc::DetectEngine::time_of(const npc::FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    return times.pts;
  const GstClockTime running = gst_element_get_current_running_time(element_);
  return GST_CLOCK_TIME_IS_VALID(running) ? running : gst_util_get_timestamp();
}

void npc::DetectEngine::reset_schedule() {
  frames_ = analyses_ = detections_ = scans_ = npc::Schedule();
  last_ = GST_CLOCK_TIME_NONE;
  if (faces_)
    faces_->reset();
  // The next detection is a full scan.
  confidence_ = -1;
}

/// Whether the detector may look at the frame of `time`.
bool npc::DetectEngine::is_detection_due(GstClockTime time, const npc::DetectSettings &current) {
  // What stands was found with other settings.
  if (confidence_ != current.confidence || masks_ != current.masks) {
    detections_.reset();
    scans_.reset();
    confidence_ = current.confidence;
    masks_ = current.masks;
  }
  return detections_.is_due(time, current.detection_interval,
                            current.detection_interval / kEarlyShare) ||
         caps_.every_frame;
}

/// Takes what is needed out of `buffer`: cells for the cache, and the picture, if regions_ of it
/// are to be looked at. Returns false if it is no frame as the caps have it.
bool npc::DetectEngine::take(GstBuffer *buffer, GstClockTime time,
                             const npc::DetectSettings &current, npc::DetectStats &spent) {
  regions_.clear();
  propagated_ = face_due_ = false;
  npc::MappedFrame frame(info_, buffer);
  if (!frame.good())
    return false;
  const bool due = is_detection_due(time, current);
  if (!analyses_.is_due(time, kLookInterval, kLookInterval / kEarlyShare) && !due)
    return true;
  Stopwatch stopwatch;
  luma_.copy(frame, current.masks);
  const GstClockTime passed = GST_CLOCK_TIME_IS_VALID(last_) && time > last_ ? time - last_ : 0;
  cache_.analyse(luma_.mat(), static_cast<double>(passed) / GST_SECOND);
  last_ = time;
  propagated_ = !due;
  if (due && (keeps_nothing(current) || scans_.is_due(time, current.full_scan)))
    regions_ = {cache_.whole()};
  else if (due)
    regions_ = cache_.plan();
  if (is_full_scan())
    scans_.restart(time, current.full_scan);
  spent.gate_time = stopwatch.lap();
  if (!regions_.empty())
    image_.copy(frame, current.masks);
  face_due_ = faces_ && faces_->is_due(seconds_of(time), seconds_of(current.face_interval));
  if (face_due_)
    face_image_.copy(frame, current.masks);
  spent.convert_time = stopwatch.lap();
  return true;
}

/// Brings what stands up to date. Returns false after an error.
bool npc::DetectEngine::analyse(const npc::DetectSettings &current, npc::DetectStats &spent) {
  Stopwatch stopwatch;
  if (propagated_) {
    cache_.propagate();
    spent.propagate_time = stopwatch.lap();
  }
  if (regions_.empty())
    return true;
  std::vector<std::vector<npc::Detection>> found(regions_.size());
  for (std::size_t i = 0; i < regions_.size(); ++i)
    if (!detect(regions_[i].crop, current.confidence, found[i]))
      return false;
  spent.detect_time = stopwatch.lap();
  spent.detections = 1;
  spent.full_scans = is_full_scan() ? 1 : 0;
  if (keeps_nothing(current))
    cache_.replace(std::move(found.front()));
  else
    cache_.update(regions_, found, static_cast<float>(current.confidence));
  spent.gate_time += stopwatch.lap();
  return true;
}

/// Looks at `crop` of the picture; adds what is there, in pixels of the picture.
bool npc::DetectEngine::detect(const cv::Rect &crop, double confidence,
                               std::vector<npc::Detection> &found) {
  const auto floor = static_cast<float>(confidence * kWeakShare);
  if (!guard([&] { detector_->detect(image_.mat()(crop), floor, found); }))
    return false;
  for (npc::Detection &object : found)
    object.box += cv::Point2f(crop.tl());
  return true;
}

/// Does what OpenCV may fail at. Returns false after an error.
bool npc::DetectEngine::guard(const std::function<void()> &work) {
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

bool npc::DetectEngine::find_faces(GstClockTime time, double confidence, npc::DetectStats &spent) {
  if (!faces_)
    return true;
  Stopwatch stopwatch;
  std::vector<cv::Rect2f> people;
  for (const npc::Detection &object : cache_.standing())
    if (object.label == "person" && object.confidence >= static_cast<float>(confidence))
      people.push_back(scaled(object.box, image_.mat().size(), face_image_.mat().size()));
  faces_->follow(people);
  const auto floor = static_cast<float>(confidence * kWeakShare);
  const bool good = !std::exchange(face_due_, false) ||
                    guard([&] { faces_->search(face_image_.mat(), seconds_of(time), floor); });
  spent.face_time = stopwatch.lap();
  return good;
}

/// People, things and faces, in pixels of the picture.
std::vector<npc::Detection> npc::DetectEngine::all_standing() const {
  std::vector<npc::Detection> all = cache_.standing();
  if (!faces_)
    return all;
  for (const npc::Detection &face : faces_->standing())
    all.push_back({scaled(face.box, face_image_.mat().size(), image_.mat().size()), face.confidence,
                   face.label});
  return all;
}

GstFlowReturn npc::DetectEngine::push(const npc::FrameTimes &times, double confidence,
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
  const double across = static_cast<double>(width) / image_.mat().cols;
  const double down = static_cast<double>(height) / image_.mat().rows;
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
  return gst_pad_push(srcpad_, buffer);
}

/// A frame that is not analysed.
void npc::DetectEngine::skip_frame(const npc::FrameTimes &times, bool due) {
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
    gst_pad_push_event(srcpad_, gst_event_new_gap(times.pts, times.duration));
}

/// A frame of which the decoder says that it is damaged: whoever is seen in it may not be there.
void npc::DetectEngine::skip_corrupted(const npc::FrameTimes &times) {
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
  post_qos(times, 0);
}

/// Nobody saw what was at `times`.
void npc::DetectEngine::push_missing(const npc::FrameTimes &times) {
  if (GST_CLOCK_TIME_IS_VALID(times.pts))
    gst_pad_push_event(srcpad_, npc::missing_data_event(times.pts, times.duration));
}

/// Frames were lost on the way here: the camera had nowhere to put them, or a queue threw them
/// away.
void npc::DetectEngine::report_loss(const npc::FrameTimes &times, const npc::Loss &loss) {
  {
    npc::ObjectLocker lock(element_);
    stats.lost += loss.frames;
  }
  gst_pad_push_event(srcpad_, npc::missing_data_event(loss.start, loss.length));
  post_qos(times, 0);
}

/// Leaves out a frame of a live source that comes too late, so that the delay does not grow.
bool npc::DetectEngine::drop_late(const npc::FrameTimes &times, const npc::Arrival &arrival) {
  const npc::Lateness lateness = qos.judge(arrival);
  if (GstEvent *event = qos.qos_event(arrival, lateness))
    gst_pad_push_event(sinkpad_, event);
  if (lateness == npc::Lateness::resynchronised)
    resynchronise(times);
  if (lateness != npc::Lateness::drop)
    return false;
  {
    npc::ObjectLocker lock(element_);
    stats.dropped++;
  }
  push_missing(times);
  post_qos(times, qos.excess());
  return true;
}

/// Frames are late for ever, and dropping some does not help.
void npc::DetectEngine::resynchronise(const npc::FrameTimes &times) {
  const double late = static_cast<double>(qos.granted()) / GST_SECOND;
  GST_INFO_OBJECT(element_, "frames that are %.3f s late are taken to be in time", late);
  // Marks the window downstream.
  gst_pad_push_event(srcpad_, npc::missing_data_event(times.pts, 0));
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

void npc::DetectEngine::post_qos(const npc::FrameTimes &times, GstClockTimeDiff late) {
  guint64 processed, dropped;
  {
    npc::ObjectLocker lock(element_);
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

GstFlowReturn npc::DetectEngine::chain(GstBuffer *buffer) {
  npc::DetectSettings current;
  {
    npc::ObjectLocker lock(element_);
    current = settings;
    stats.frames_in++;
  }
  if (!turn_upright(current.video_direction)) {
    gst_buffer_unref(buffer);
    return GST_PAD_IS_FLUSHING(srcpad_) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  const npc::FrameTimes times(buffer);
  const GstClockTime time = time_of(times);
  const bool due = frames_.is_due(time, current.interval);
  const npc::Arrival arrival = {times.pts, times.offset,
                                gst_element_get_current_running_time(element_)};
  if (const npc::Loss loss = qos.note(sinkpad_, arrival, due, current.interval); loss.frames > 0)
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
  npc::DetectStats spent;
  const bool good = due && take(buffer, time, current, spent);
  // Before detection: cameras have few buffers.
  gst_buffer_unref(buffer);
  if (!good) {
    skip_frame(times, due);
    return GST_FLOW_OK;
  }
  detector_->set_time(seconds_of(time));
  if (!analyse(current, spent) || !find_faces(time, current.confidence, spent))
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
      all.size(), GST_TIME_ARGS(times.pts), regions_.size(), spent.detect_time / GST_USECOND);
  const GstFlowReturn flow = push(times, current.confidence, all);
  qos.looked(arrival, gst_element_get_current_running_time(element_));
  return flow;
}

void npc::DetectEngine::set_mask(const gchar *text) {
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
