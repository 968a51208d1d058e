// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: frames in, detections out; pixels end here.

/**
 * SECTION:element-npcdetect
 * @title: npcdetect
 * @short_description: finds people, faces and things in frames and lets no picture out
 * @see_also: npccount, npcsink
 *
 * npcdetect looks at each frame of raw video and pushes a buffer *without memory* for it, on the
 * caps `application/x-npc-detections`, with a #GstVideoRegionOfInterestMeta for each detection: the
 * class in `roi_type` (`person`, `face`, or a class of the network), the box clipped to the frame,
 * and a parameter `npc-detection` with `confidence` (double, 0 to 1) and `weak` (boolean). No video
 * sink, encoder or converter links behind it, and a sink that takes anything writes nothing.
 *
 * A frame is copied, scaled, into one working picture, and goes back to the camera before detection
 * begins. Polygons of #GstNpcDetect:mask are blackened in that picture before anything looks at it.
 * The picture, and what detectors keep of it, is overwritten when the element stops.
 *
 * Beside the buffers, nothing that came here is handed on. Events and queries are made anew, in
 * both directions, from the numbers that their kind is known to have; what GStreamer or others
 * added to them stays behind. Events that pass are STREAM_START, SEGMENT, GAP, SEGMENT_DONE,
 * STREAM_GROUP_DONE, EOS and the flushes, and upstream QOS, SEEK, LATENCY and RECONFIGURE; queries
 * are POSITION, DURATION, LATENCY, SEEKING, SEGMENT and CONVERT. All others are refused: TAG, for
 * covers are pictures, URI, for a `data:` URI is the picture itself, and CONTEXT, for a context
 * holds anything. The stream-id is the SHA-256 of the one that came, for that is a text of any
 * length.
 *
 * ## What a frame is taken for
 *
 * The detector sees what somebody in front of a display would: the frame turned upright as its
 * stream's tag `image-orientation` says (#GstNpcDetect:video-direction), and anamorphic video, of
 * which the `pixel-aspect-ratio` is not 1/1, in the shape of the display. Boxes, and `width` and
 * `height` of the caps, are in the frame's own pixels, but upright: a frame of 1920x1080 that is to
 * be turned by a quarter has detections in 1080x1920. Masks, and npccount's lines and zones, are
 * fractions of that. Both fields of an interlaced frame are looked at as one picture.
 *
 * Frames have up to 16384 pixels on a side. One that the decoder marks with
 * #GST_BUFFER_FLAG_CORRUPTED, and one that is smaller than its caps say, is not analysed: a GAP
 * event with #GST_GAP_FLAG_MISSING_DATA stands for it, so the window is `degraded`, and a warning
 * comes at most once a minute. Decoders mark what they notice, some of them nothing: a picture
 * that is damaged without a mark is looked at like any other, and may show people who are not
 * there.
 *
 * Detections below #GstNpcDetect:confidence are passed on as weak: npccount lets them extend a
 * track, never begin one.
 *
 * ## Looking seldom
 *
 * The detector looks at most every #GstNpcDetect:detection-interval, and with
 * #GstNpcDetect:motion-gate only where something changed since it last looked there: a network at
 * the whole frame or not at all, HOG at windows. Changes are seen in the brightness of about
 * 192x144 cells, each with a threshold after its own noise; a sudden change of most of them, as of
 * the light or of a camera that is pushed, makes the detector look at everything. Who stands still
 * stays known for as long as nothing changes there, and who leaves is a change. After a hit or a
 * miss that may be chance the detector looks again. At least every #GstNpcDetect:full-scan it looks
 * at the whole frame. In between, detections are moved along with what moves in them, by sparse
 * optical flow between the cells of frames at least 60 ms apart. #GstNpcDetect:stats has what
 * each of these costs. The motion detector is given every frame.
 *
 * ## Limits
 *
 * The HOG detector needs no model. It finds upright people who are seen from the side or a little
 * from above, unoccluded, and at least an eighth of the frame's height tall; a fifth if the frame
 * has 240 rows only. A neural network finds more, if its input is large enough: see
 * #GstNpcDetect:model and #GstNpcDetect:input-width. Neither finds people from straight above.
 *
 * For that there is `detector=motion`. It learns the background for a second, and then reports
 * whatever is not part of it and has moved, under the one name in #GstNpcDetect:classes: `person`
 * is counted as people, `car` as objects. It cannot tell a person from a dog or a trolley, takes
 * two who come as one for one, and wants a camera that stands still. What stops becomes background
 * after half a minute. Changes of exposure are evened out; when most of the frame changes, the
 * background is learned anew.
 *
 * Faces are looked for in the upper part of the people found, and once a second, for large ones, in
 * the whole frame (#GstNpcDetect:face-interval). In between they go with their people. They are
 * found in frames scaled to at most 720 rows, where frontal ones are at least 20 pixels wide for
 * the cascade, and 10 for YuNet, which also finds faces that are turned.
 *
 * ## When it cannot keep up
 *
 * A frame of a live source that comes here more than half a second late is given back unseen, so
 * that counts do not come much later than that. Without a queue before the element, a camera
 * that is not relieved of its buffers in time loses frames itself; so does a leaky queue. Either
 * way a GAP event with #GST_GAP_FLAG_MISSING_DATA stands for what was not seen, and a QoS message
 * has the totals, at most once a second. Frames that #GstNpcDetect:interval leaves out are not
 * missing: set it, if fewer frames will do. From files nothing is dropped.
 *
 * QoS events go upstream to decoders, as those of a sink do, so that they may skip frames. One
 * frame a second is looked at however late it is (fewer, if that takes longer than a quarter of a
 * second). Where all frames are late for two seconds and do not get less so, they are not late
 * because of this element: a decoder is too slow, or the timestamps are wrong. Then, and at once
 * where timestamps go back by more than a second, that lateness is taken for granted: a warning
 * says so, once, and frames are looked at as they come, but those that are later still.
 *
 * ## Example launch lines
 *
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount camera=door !
 * npcsink updaters=file:/dev/stdout
 * ]| Counts people in a clip.
 * |[
 * gst-launch-1.0 -m libcamerasrc ! video/x-raw,format=NV12,width=640,height=480,framerate=10/1 !
 * npcdetect interval=500000000 ! npccount ! npcsink
 * ]| Counts people before the camera of a Raspberry Pi, twice a second.
 *
 * Since: 1.0
 */

#include "npcdetect/gstnpcdetect.h"

#include <gst/npc/npc.h>

#include "gstbase/eventfilter.h"
#include "npcdetect/instance.h"
#include "npcdetect/properties.h"

GST_DEBUG_CATEGORY(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace {

#define NPC_DETECT_FORMATS \
  "{ NV12, NV21, I420, YV12, GRAY8, Y42B, Y444, YUY2, UYVY, BGR, RGB, BGRx, RGBx, BGRA, RGBA }"

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(NPC_DETECT_FORMATS)));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_NPC_DETECTIONS_CAPS));

}  // namespace

G_DEFINE_TYPE_WITH_CODE(GstNpcDetect, gst_npc_detect, GST_TYPE_ELEMENT,
                        // It has a property only, which is this class's own: its default differs.
                        G_IMPLEMENT_INTERFACE(GST_TYPE_VIDEO_DIRECTION, nullptr))
GST_ELEMENT_REGISTER_DEFINE(npcdetect, "npcdetect", GST_RANK_NONE, GST_TYPE_NPC_DETECT)

static GstFlowReturn gst_npc_detect_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  return GST_NPC_DETECT(parent)->engine->chain(buffer);
}

static gboolean gst_npc_detect_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  npc::detect::DetectEngine *engine = GST_NPC_DETECT(parent)->engine;
  if (!npc::is_well_formed(event)) {
    gst_event_unref(event);
    return FALSE;
  }
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps;
      gst_event_parse_caps(event, &caps);
      const bool accepted = engine->set_caps(caps);
      gst_event_unref(event);
      return accepted;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment;
      gst_event_parse_segment(event, &segment);
      if (segment->format != GST_FORMAT_TIME) {
        GST_ELEMENT_ERROR(parent, STREAM, FORMAT,
                          ("npcdetect looks at frames in time: the stream before it must be timed, "
                           "as that of a camera or a decoder is; appsrc needs format=time."),
                          ("segment in format %s", gst_format_get_name(segment->format)));
        gst_event_unref(event);
        return FALSE;
      }
      engine->qos.set_segment(segment);
      engine->reset_schedule();
      break;
    }
    case GST_EVENT_STREAM_START:
      engine->tags.forget();
      break;
    case GST_EVENT_TAG: {
      engine->tags.read(event);
      break;
    }
    case GST_EVENT_FLUSH_STOP:
      engine->qos.resume();
      engine->reset_schedule();
      break;
    default:
      break;
  }
  return npc::pass_downstream(pad, parent, event);
}

static gboolean gst_npc_detect_src_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY && npc::is_well_formed(event)) {
    GstClockTime latency;
    gst_event_parse_latency(event, &latency);
    GST_NPC_DETECT(parent)->engine->qos.set_latency(latency);
  }
  return npc::pass_upstream(pad, parent, event);
}

static GstStateChangeReturn gst_npc_detect_change_state(GstElement *element,
                                                        GstStateChange transition) {
  npc::detect::DetectEngine *engine = GST_NPC_DETECT(element)->engine;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !engine->start())
    return GST_STATE_CHANGE_FAILURE;
  // What a camera does not send while the pipeline is paused is not lost.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    engine->qos.resume();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_npc_detect_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    engine->stop();
  return result;
}

static void gst_npc_detect_finalize(GObject *object) {
  delete GST_NPC_DETECT(object)->engine;
  G_OBJECT_CLASS(gst_npc_detect_parent_class)->finalize(object);
}

static void gst_npc_detect_class_init(GstNpcDetectClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npcdetect_debug, "npcdetect", 0, "frames in, detections out");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = npc::detect::set_detect_property;
  object_class->get_property = npc::detect::get_detect_property;
  object_class->finalize = gst_npc_detect_finalize;
  npc::detect::install_detect_properties(object_class);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_npc_detect_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "No-picture detector", "Filter/Analyzer/Video",
      "Finds people, faces and things in frames and lets no picture out",
      "The No-picture Camera project");
  gst_type_mark_as_plugin_api(npc::detect::detector_get_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(npc::detect::faces_get_type(), static_cast<GstPluginAPIFlags>(0));
}

static void gst_npc_detect_init(GstNpcDetect *self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_detect_chain));
  gst_pad_set_event_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_detect_sink_event));
  gst_pad_set_query_function(self->sinkpad, GST_DEBUG_FUNCPTR(npc::answer_query));
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_use_fixed_caps(self->srcpad);
  gst_pad_set_event_function(self->srcpad, GST_DEBUG_FUNCPTR(gst_npc_detect_src_event));
  gst_pad_set_query_function(self->srcpad, GST_DEBUG_FUNCPTR(npc::answer_query));
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
  self->engine = new npc::detect::DetectEngine(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}
