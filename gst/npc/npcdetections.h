/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Detections on a buffer: adding and walking them. */
#ifndef GST_NPC_DETECTIONS_H
#define GST_NPC_DETECTIONS_H

#include <gst/npc/npcprelude.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/**
 * GST_NPC_DETECTIONS_CAPS:
 *
 * The caps of a stream of detections: buffers without memory, one for each analysed frame, that
 * carry a #GstVideoRegionOfInterestMeta for each object. `width`, `height` and `framerate` are
 * those of the frames.
 */
#define GST_NPC_DETECTIONS_CAPS                                        \
  "application/x-npc-detections, version=(int)1, width=(int)[1,max], " \
  "height=(int)[1,max], framerate=(fraction)[0/1,max]"

/**
 * GstNpcDetection:
 * @label: class of the object, `person` and `face` among them
 * @x: left edge, in pixels of the frame
 * @y: upper edge
 * @width: width of the box
 * @height: height of the box
 * @confidence: how sure the detector is, 0 to 1
 * @weak: below the confidence that the user asked for: enough to extend a track, not enough to
 * begin one
 *
 * Initialise all of it, `= {0}` or with the members' names: members that are added later come out
 * of the reserved ones, and 0 will mean that they are not known.
 *
 * Since: 1.0
 */
typedef struct {
  const gchar *label;
  gdouble x;
  gdouble y;
  gdouble width;
  gdouble height;
  gdouble confidence;
  gboolean weak;
  /*< private >*/
  gpointer _gst_reserved[GST_PADDING];
} GstNpcDetection;

/**
 * gst_npc_buffer_add_detection:
 * @buffer: a writable buffer
 * @detection: what to add; its numbers may lie outside of the frame
 * @frame_width: width of the frame in pixels
 * @frame_height: height of the frame in pixels
 *
 * Adds a #GstVideoRegionOfInterestMeta whose `roi_type` is the label, clipped to the frame and
 * rounded to pixels, with a parameter structure `npc-detection` of `confidence` (double) and `weak`
 * (boolean).
 *
 * Returns: %FALSE if nothing of the box lies in the frame or a number is not finite: nothing was
 * added then
 */
GST_NPC_API gboolean gst_npc_buffer_add_detection(GstBuffer *buffer,
                                                  const GstNpcDetection *detection,
                                                  guint frame_width, guint frame_height);

/**
 * gst_npc_buffer_iterate_detections:
 * @buffer: a buffer
 * @state: (inout): points to a %NULL pointer for the first call
 * @detection: (out caller-allocates): the next detection; its label belongs to GLib and lives for
 * ever
 *
 * Walks the regions of interest of @buffer, ours and others': one without an `npc-detection`
 * parameter takes its confidence from a `detection` parameter (as DL Streamer writes them), or else
 * is sure (1.0), and is never weak. Boxes of others may lie outside of the frame.
 *
 * Returns: %FALSE when there are no more
 */
GST_NPC_API gboolean gst_npc_buffer_iterate_detections(GstBuffer *buffer, gpointer *state,
                                                       GstNpcDetection *detection);

G_END_DECLS

#endif
