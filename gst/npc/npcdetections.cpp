// SPDX-License-Identifier: LGPL-2.1-or-later
// Detections on a buffer: adding and walking them.
#include "npcdetections.h"

#include <algorithm>
#include <cmath>

namespace {
constexpr const char *kParameter = "npc-detection";
// The name under which DL Streamer's detectors write their confidence.
constexpr const char *kForeignParameter = "detection";
}  // namespace

gboolean gst_npc_buffer_add_detection(GstBuffer *buffer, const GstNpcDetection *detection,
                                      guint frame_width, guint frame_height) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer) && gst_buffer_is_writable(buffer), FALSE);
  g_return_val_if_fail(detection != nullptr && detection->label != nullptr, FALSE);

  const GstNpcDetection &d = *detection;
  for (double number : {d.x, d.y, d.width, d.height, d.confidence})
    if (!std::isfinite(number))
      return FALSE;

  // The meta's numbers are unsigned: what is outside must be cut off before it wraps.
  auto clip = [](double number, guint limit) {
    return static_cast<guint>(std::lround(std::clamp(number, 0.0, static_cast<double>(limit))));
  };
  const guint left = clip(d.x, frame_width), right = clip(d.x + d.width, frame_width);
  const guint top = clip(d.y, frame_height), bottom = clip(d.y + d.height, frame_height);
  if (left >= right || top >= bottom)
    return FALSE;

  GstVideoRegionOfInterestMeta *meta = gst_buffer_add_video_region_of_interest_meta(
      buffer, d.label, left, top, right - left, bottom - top);
  gst_video_region_of_interest_meta_add_param(
      meta, gst_structure_new(kParameter, "confidence", G_TYPE_DOUBLE, d.confidence, "weak",
                              G_TYPE_BOOLEAN, d.weak, nullptr));
  return TRUE;
}

gboolean gst_npc_buffer_iterate_detections(GstBuffer *buffer, gpointer *state,
                                           GstNpcDetection *detection) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), FALSE);
  g_return_val_if_fail(state != nullptr && detection != nullptr, FALSE);

  GstMeta *found =
      gst_buffer_iterate_meta_filtered(buffer, state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  if (found == nullptr)
    return FALSE;

  auto *meta = reinterpret_cast<GstVideoRegionOfInterestMeta *>(found);
  const gchar *label = g_quark_to_string(meta->roi_type);
  // Others may write a box that begins left of the frame or above it: the meta's numbers wrap.
  *detection = {label != nullptr ? label : "",
                static_cast<gdouble>(static_cast<gint>(meta->x)),
                static_cast<gdouble>(static_cast<gint>(meta->y)),
                static_cast<gdouble>(meta->w),
                static_cast<gdouble>(meta->h),
                1.0,
                FALSE,
                {}};
  const GstStructure *parameter = gst_video_region_of_interest_meta_get_param(meta, kParameter);
  if (parameter == nullptr)
    parameter = gst_video_region_of_interest_meta_get_param(meta, kForeignParameter);
  if (parameter != nullptr) {
    gst_structure_get_double(parameter, "confidence", &detection->confidence);
    gst_structure_get_boolean(parameter, "weak", &detection->weak);
  }
  return TRUE;
}
