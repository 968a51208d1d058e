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
 * The picture is overwritten with zeros when the element stops.
 *
 * Detections below #GstNpcDetect:confidence are passed on as weak: npccount lets them extend a
 * track, never begin one.
 *
 * ## Limits
 *
 * The HOG detector needs no model. It finds upright people who are seen from the side or a little
 * from above, unoccluded, and at least an eighth of the frame's height tall. A neural network finds
 * more, and is usually faster: see #GstNpcDetect:model. Neither finds people from straight above.
 * Faces are frontal faces of at least 20 pixels.
 *
 * When detection takes longer than a frame lasts, a live source drops frames: set
 * #GstNpcDetect:interval or put `queue leaky=downstream max-size-buffers=1` before the element.
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
 * Since: 0.1
 */

#include "gstnpcdetect.h"

#include <gst/npc/npc.h>

#include <string>

#include "../passage.h"
#include "state.h"

GST_DEBUG_CATEGORY(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace {

#define NPC_DETECT_FORMATS \
  "{ NV12, NV21, I420, YV12, GRAY8, Y42B, Y444, YUY2, UYVY, BGR, RGB, BGRx, RGBx, BGRA, RGBA }"

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(NPC_DETECT_FORMATS)));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_NPC_DETECTIONS_CAPS));

enum Property {
  PROP_0,
  PROP_DETECTOR,
  PROP_MODEL,
  PROP_LABELS,
  PROP_CLASSES,
  PROP_CONFIDENCE,
  PROP_INPUT_WIDTH,
  PROP_INPUT_HEIGHT,
  PROP_FACES,
  PROP_FACE_MODEL,
  PROP_INTERVAL,
  PROP_MASK,
  PROP_STATS,
};

GType detector_get_type() {
  static const GEnumValue values[] = {
      {GST_NPC_DETECT_DETECTOR_AUTO, "network when model is set, else hog", "auto"},
      {GST_NPC_DETECT_DETECTOR_HOG, "HOG people detector of OpenCV, needs no model", "hog"},
      {GST_NPC_DETECT_DETECTOR_NETWORK, "Neural network from model", "network"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstNpcDetectDetector", values);
  return type;
}

GType faces_get_type() {
  static const GEnumValue values[] = {
      {GST_NPC_DETECT_FACES_OFF, "Do not look for faces", "off"},
      {GST_NPC_DETECT_FACES_CASCADE, "Frontal faces by a cascade of OpenCV", "cascade"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstNpcDetectFaces", values);
  return type;
}

}  // namespace

G_DEFINE_TYPE(GstNpcDetect, gst_npc_detect, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(npcdetect, "npcdetect", GST_RANK_NONE, GST_TYPE_NPC_DETECT)

static GstFlowReturn gst_npc_detect_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  return GST_NPC_DETECT(parent)->state->chain(buffer);
}

static gboolean gst_npc_detect_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  GstNpcDetectState *state = GST_NPC_DETECT(parent)->state;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps;
      gst_event_parse_caps(event, &caps);
      const bool accepted = state->set_caps(caps);
      gst_event_unref(event);
      return accepted;
    }
    case GST_EVENT_SEGMENT:
    case GST_EVENT_FLUSH_STOP:
      state->reset_schedule();
      break;
    default:
      break;
  }
  GstEvent *plain = npc::event_that_may_pass(event);
  return plain == nullptr || gst_pad_event_default(pad, parent, plain);
}

static gboolean gst_npc_detect_sink_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
    // Strides are honoured, so that no one needs to copy a frame; the pool is the camera's.
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_npc_detect_src_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS:
    case GST_QUERY_ACCEPT_CAPS:
      return gst_pad_query_default(pad, parent, query);
    default:
      return npc::query_may_pass(query) && gst_pad_query_default(pad, parent, query);
  }
}

static GstStateChangeReturn gst_npc_detect_change_state(GstElement *element,
                                                        GstStateChange transition) {
  GstNpcDetectState *state = GST_NPC_DETECT(element)->state;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !state->start())
    return GST_STATE_CHANGE_FAILURE;
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_npc_detect_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    state->stop();
  return result;
}

static void gst_npc_detect_set_property(GObject *object, guint id, const GValue *value,
                                        GParamSpec *pspec) {
  GstNpcDetectState *state = GST_NPC_DETECT(object)->state;
  if (id == PROP_MASK) {
    state->set_mask(g_value_get_string(value));
    return;
  }
  auto text = [value] {
    const gchar *string = g_value_get_string(value);
    return std::string(string != nullptr ? string : "");
  };
  npc::ObjectLocker lock(object);
  npc::DetectSettings &settings = state->settings;
  switch (id) {
    case PROP_DETECTOR:
      settings.detector = static_cast<GstNpcDetectDetector>(g_value_get_enum(value));
      break;
    case PROP_MODEL:
      settings.model = text();
      break;
    case PROP_LABELS:
      settings.labels = text();
      break;
    case PROP_CLASSES:
      settings.classes = text();
      break;
    case PROP_CONFIDENCE:
      settings.confidence = g_value_get_double(value);
      break;
    case PROP_INPUT_WIDTH:
      settings.input_width = g_value_get_uint(value);
      break;
    case PROP_INPUT_HEIGHT:
      settings.input_height = g_value_get_uint(value);
      break;
    case PROP_FACES:
      settings.faces = static_cast<GstNpcDetectFaces>(g_value_get_enum(value));
      break;
    case PROP_FACE_MODEL:
      settings.face_model = text();
      break;
    case PROP_INTERVAL:
      settings.interval = g_value_get_uint64(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_npc_detect_get_property(GObject *object, guint id, GValue *value,
                                        GParamSpec *pspec) {
  GstNpcDetectState *state = GST_NPC_DETECT(object)->state;
  npc::ObjectLocker lock(object);
  const npc::DetectSettings &settings = state->settings;
  const npc::DetectStats &stats = state->stats;
  switch (id) {
    case PROP_DETECTOR:
      g_value_set_enum(value, settings.detector);
      break;
    case PROP_MODEL:
      g_value_set_string(value, settings.model.c_str());
      break;
    case PROP_LABELS:
      g_value_set_string(value, settings.labels.c_str());
      break;
    case PROP_CLASSES:
      g_value_set_string(value, settings.classes.c_str());
      break;
    case PROP_CONFIDENCE:
      g_value_set_double(value, settings.confidence);
      break;
    case PROP_INPUT_WIDTH:
      g_value_set_uint(value, settings.input_width);
      break;
    case PROP_INPUT_HEIGHT:
      g_value_set_uint(value, settings.input_height);
      break;
    case PROP_FACES:
      g_value_set_enum(value, settings.faces);
      break;
    case PROP_FACE_MODEL:
      g_value_set_string(value, settings.face_model.c_str());
      break;
    case PROP_INTERVAL:
      g_value_set_uint64(value, settings.interval);
      break;
    case PROP_MASK:
      g_value_set_string(value, settings.mask.c_str());
      break;
    case PROP_STATS:
      g_value_take_boxed(
          value, gst_structure_new("npc-detect-stats", "frames-in", G_TYPE_UINT64, stats.frames_in,
                                   "analysed", G_TYPE_UINT64, stats.analysed, "skipped",
                                   G_TYPE_UINT64, stats.skipped, "detect-time", G_TYPE_UINT64,
                                   stats.detect_time, nullptr));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_npc_detect_finalize(GObject *object) {
  delete GST_NPC_DETECT(object)->state;
  G_OBJECT_CLASS(gst_npc_detect_parent_class)->finalize(object);
}

static void gst_npc_detect_install_properties(GObjectClass *klass) {
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                     GST_PARAM_MUTABLE_PLAYING);
  auto install_text = [klass](Property id, const char *name, const char *nick, const char *blurb,
                              const char *initial, GParamFlags flags) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_string(name, nick, blurb, initial, flags));
  };
  /**
   * GstNpcDetect:detector:
   *
   * What looks for people: the HOG detector compiled into OpenCV, or a neural network.
   */
  g_object_class_install_property(
      klass, PROP_DETECTOR,
      g_param_spec_enum("detector", "Detector", "What looks for people and things",
                        detector_get_type(), GST_NPC_DETECT_DETECTOR_AUTO, kReady));
  /**
   * GstNpcDetect:model:
   *
   * Path of a neural network: ONNX (`.onnx`), or Darknet (`.weights`, with its `.cfg` of the same
   * name beside it). Its output is recognised by shape: Darknet-YOLO (input RGB in 0 to 1, the
   * frame stretched to it), YOLOX without decoding (BGR in 0 to 255, the frame's shape kept, grey
   * below or beside it), SSD (BGR in -1 to 1, stretched).
   */
  install_text(
      PROP_MODEL, "model", "Model",
      "Path of a neural network: ONNX (.onnx: YOLOX or SSD), or Darknet (.weights, its .cfg "
      "of the same name beside it). Empty: none, HOG is used",
      "", kReady);
  /**
   * GstNpcDetect:labels:
   *
   * Path of a text file that names the network's classes, one a line. Without it, a network of one
   * class finds `person`, one of 80 the classes of COCO. Characters other than letters, digits, `_`
   * and `-` become `_`: `traffic_light`.
   */
  install_text(
      PROP_LABELS, "labels", "Labels",
      "Path of a text file that names the network's classes, one a line. Empty: person for "
      "a network of 1 class, COCO's names for one of 80",
      "", kReady);
  install_text(PROP_CLASSES, "classes", "Classes",
               "Classes to look for, separated by commas; HOG knows person only", "person", kReady);
  /**
   * GstNpcDetect:confidence:
   *
   * Detections of at least this confidence can begin a track. Those from two fifths of it on are
   * passed on as weak. For HOG, the confidence is a logistic function of the distance from the
   * plane of its support vector machine.
   */
  g_object_class_install_property(
      klass, PROP_CONFIDENCE,
      g_param_spec_double("confidence", "Confidence",
                          "Confidence from which a detection can begin a track, 0 to 1; from two "
                          "fifths of it on, it can extend one",
                          0.0, 1.0, npc::kDefaultConfidence, kPlaying));
  g_object_class_install_property(
      klass, PROP_INPUT_WIDTH,
      g_param_spec_uint(
          "input-width", "Input width",
          "Width in pixels to which frames are scaled for the detector; a multiple of 32 for most "
          "networks. 0: what the model asks for; for HOG, that of 720 rows",
          0, 8192, 0, kReady));
  g_object_class_install_property(
      klass, PROP_INPUT_HEIGHT,
      g_param_spec_uint(
          "input-height", "Input height",
          "Height in pixels to which frames are scaled for the detector, set together "
          "with input-width. 0: what the model asks for",
          0, 8192, 0, kReady));
  g_object_class_install_property(
      klass, PROP_FACES,
      g_param_spec_enum("faces", "Faces", "Whether and how faces are looked for", faces_get_type(),
                        GST_NPC_DETECT_FACES_OFF, kReady));
  install_text(PROP_FACE_MODEL, "face-model", "Face model",
               "Path of the cascade (XML) for faces. Empty: haarcascade_frontalface_alt.xml of "
               "OpenCV (Debian's package opencv-data)",
               "", kReady);
  /**
   * GstNpcDetect:interval:
   *
   * Time between analysed frames. Frames in between are given back untouched; a GAP event stands
   * for each.
   */
  g_object_class_install_property(
      klass, PROP_INTERVAL,
      g_param_spec_uint64("interval", "Interval",
                          "Time between analysed frames in ns; frames in between are given back "
                          "untouched. 0: every frame is analysed",
                          0, G_MAXINT64, 0, kPlaying));
  /**
   * GstNpcDetect:mask:
   *
   * Polygons that are blackened before anything looks at a frame, in #GstStructure syntax, corners
   * in fractions of the frame from its upper left: `window,points=<0.1,0.1,0.4,0.1,0.4,0.6>;
   * desk,points=<...>`. A mask that cannot be read stops the element from starting; in a running
   * element the old one stays, with a warning.
   */
  install_text(
      PROP_MASK, "mask", "Mask",
      "Polygons to blacken before anything looks at a frame, corners x,y in fractions of the "
      "frame: name,points=<0.1,0.1,0.4,0.1,0.4,0.6>; name,points=<...>",
      "", kPlaying);
  /**
   * GstNpcDetect:stats:
   *
   * Since the element started: `frames-in`, `analysed`, `skipped` (by `interval`, or not of their
   * caps' size), and `detect-time`, ns spent in detectors, all guint64.
   */
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Since the start: frames-in, analysed, skipped, detect-time (ns in "
                         "detectors)",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void gst_npc_detect_class_init(GstNpcDetectClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npcdetect_debug, "npcdetect", 0, "frames in, detections out");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_npc_detect_set_property;
  object_class->get_property = gst_npc_detect_get_property;
  object_class->finalize = gst_npc_detect_finalize;
  gst_npc_detect_install_properties(object_class);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_npc_detect_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "No-picture detector", "Filter/Analyzer/Video",
      "Finds people, faces and things in frames and lets no picture out",
      "The No-picture Camera project");
  gst_type_mark_as_plugin_api(detector_get_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(faces_get_type(), static_cast<GstPluginAPIFlags>(0));
}

static void gst_npc_detect_init(GstNpcDetect *self) {
  self->state = new GstNpcDetectState(self);
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_detect_chain));
  gst_pad_set_event_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_detect_sink_event));
  gst_pad_set_query_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_detect_sink_query));
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_use_fixed_caps(self->srcpad);
  gst_pad_set_query_function(self->srcpad, GST_DEBUG_FUNCPTR(gst_npc_detect_src_query));
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}
