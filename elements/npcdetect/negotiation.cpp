// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: what frames it takes, and how they are looked at.
#include "gstbase/eventfilter.h"
#include "npcdetect/engine.h"

GST_DEBUG_CATEGORY_EXTERN(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

bool npc::DetectEngine::set_caps(GstCaps *caps) {
  negotiated_ = false;
  if (!gst_video_info_from_caps(&info_, caps)) {
    GST_ERROR_OBJECT(element_, "cannot parse caps: %s", npc::describe(caps).c_str());
    return false;
  }
  const int width = GST_VIDEO_INFO_WIDTH(&info_), height = GST_VIDEO_INFO_HEIGHT(&info_);
  if (width > npc::kLargestSide || height > npc::kLargestSide) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("Frames of %dx%d pixels are too large: npcdetect takes up to %d on a side. "
                       "Check the caps, or put videoscale before it.",
                       width, height, npc::kLargestSide),
                      (nullptr));
    return false;
  }
  // The lines of both fields are taken as they come, as one picture: scaled down there is little
  // between them, and GStreamer's converter cannot tell fields of one line apart.
  info_.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  GstVideoOrientationMethod wanted;
  {
    npc::ObjectLocker lock(element_);
    wanted = settings.video_direction;
  }
  return configure(tags.resolve(wanted));
}

/// Follows the property, or the tags, to another way up. Returns whether frames can be looked at.
bool npc::DetectEngine::turn_upright(GstVideoOrientationMethod wanted) {
  const GstVideoOrientationMethod method = tags.resolve(wanted);
  // Upstream does not send caps again after a flush: ours are to be sent once it is over.
  return (negotiated_ && method == view_.method) ||
         ((negotiated_ || caps_unsent_) && configure(method));
}

/// Frames as in info_ follow, which `method` makes upright.
bool npc::DetectEngine::configure(GstVideoOrientationMethod method) {
  negotiated_ = false;
  view_ = npc::view_of(info_, method);
  if (!view_.believable && odd_pixels_.ask())
    GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                        ("The pixel-aspect-ratio %d/%d of the frames cannot be, and is taken for "
                         "1/1. Put capssetter or a capsfilter with the right one after the source.",
                         GST_VIDEO_INFO_PAR_N(&info_), GST_VIDEO_INFO_PAR_D(&info_)),
                        (nullptr));
  const npc::InputSpec wish = detector_->input_spec(view_.shape);
  const npc::InputSpec face_wish = faces_ ? faces_->input_spec(view_.shape) : npc::InputSpec();
  if (!image_.configure(info_, wish.size, wish.type, method) ||
      (faces_ && !face_image_.configure(info_, face_wish.size, face_wish.type, method))) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("Frames of this format cannot be converted for the detector. Put "
                       "videoconvert before npcdetect."),
                      ("%s of %dx%d", gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info_)),
                       GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_)));
    return false;
  }
  qos.configure(info_);
  luma_.configure(info_, method);
  caps_ = detector_->caps();
  cache_.configure(wish.size, caps_);
  GST_INFO_OBJECT(element_, "%s frames of %dx%d, upright %dx%d, looked at as %dx%d %s",
                  gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info_)),
                  GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_), view_.size.width,
                  view_.size.height, wish.size.width, wish.size.height,
                  wish.type == CV_8UC1 ? "luma" : "BGR");

  GstCaps *described = gst_caps_new_simple(
      "application/x-npc-detections", "version", G_TYPE_INT, 1, "width", G_TYPE_INT,
      view_.size.width, "height", G_TYPE_INT, view_.size.height, "framerate", GST_TYPE_FRACTION,
      GST_VIDEO_INFO_FPS_N(&info_), GST_VIDEO_INFO_FPS_D(&info_), nullptr);
  // Who follows people needs it for their speed.
  if (view_.pixel.width != view_.pixel.height)
    gst_caps_set_simple(described, "pixel-aspect-ratio", GST_TYPE_FRACTION, view_.pixel.width,
                        view_.pixel.height, nullptr);
  negotiated_ = gst_pad_push_event(srcpad_, gst_event_new_caps(described));
  caps_unsent_ = !negotiated_ && GST_PAD_IS_FLUSHING(srcpad_);
  gst_caps_unref(described);
  reset_schedule();
  return negotiated_;
}
