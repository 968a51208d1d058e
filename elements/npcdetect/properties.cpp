// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: its properties.
#include "npcdetect/properties.h"

#include <string>

#include "gstbase/objectlocker.h"
#include "npcdetect/instance.h"

GST_DEBUG_CATEGORY_EXTERN(npcdetect_debug);
#define GST_CAT_DEFAULT npcdetect_debug

namespace npc::detect {
namespace {

enum Property {
  PROP_0,
  PROP_DETECTOR,
  PROP_MODEL,
  PROP_LABELS,
  PROP_CLASSES,
  PROP_CONFIDENCE,
  PROP_INPUT_WIDTH,
  PROP_INPUT_HEIGHT,
  PROP_INPUT_PIXELS,
  PROP_FACES,
  PROP_FACE_MODEL,
  PROP_FACE_INTERVAL,
  PROP_MIN_SIZE,
  PROP_INTERVAL,
  PROP_DETECTION_INTERVAL,
  PROP_MOTION_GATE,
  PROP_FULL_SCAN,
  PROP_VIDEO_DIRECTION,
  PROP_MASK,
  PROP_STATS,
};

GstStructure *structure_of(const DetectStats &stats) {
  return gst_structure_new(
      "npc-detect-stats", "frames-in", G_TYPE_UINT64, stats.frames_in, "analysed", G_TYPE_UINT64,
      stats.analysed, "skipped", G_TYPE_UINT64, stats.skipped, "corrupted", G_TYPE_UINT64,
      stats.corrupted, "dropped", G_TYPE_UINT64, stats.dropped, "lost", G_TYPE_UINT64, stats.lost,
      "detections", G_TYPE_UINT64, stats.analysis.detections, "full-scans", G_TYPE_UINT64,
      stats.analysis.full_scans, "gate-time", G_TYPE_UINT64, stats.analysis.gate_time,
      "convert-time", G_TYPE_UINT64, stats.analysis.convert_time, "carry-time", G_TYPE_UINT64,
      stats.analysis.propagate_time, "detect-time", G_TYPE_UINT64, stats.analysis.detect_time,
      "face-time", G_TYPE_UINT64, stats.analysis.face_time, nullptr);
}

/// Sets a property of analyses. Returns false if it is none.
bool set_analysis_property(AnalysisSettings &settings, guint id, const GValue *value) {
  switch (id) {
    case PROP_CONFIDENCE:
      settings.confidence =
          g_value_get_double(value) > 0 ? std::optional(g_value_get_double(value)) : std::nullopt;
      return true;
    case PROP_FACE_INTERVAL:
      settings.face_interval = g_value_get_uint64(value);
      return true;
    case PROP_DETECTION_INTERVAL:
      settings.detection_interval = g_value_get_uint64(value);
      return true;
    case PROP_MOTION_GATE:
      settings.motion_gate = g_value_get_boolean(value);
      return true;
    case PROP_FULL_SCAN:
      settings.full_scan = g_value_get_uint64(value);
      return true;
    default:
      return false;
  }
}

/// Gets a property of analyses. Returns false if it is none.
bool get_analysis_property(const AnalysisSettings &settings, guint id, GValue *value) {
  switch (id) {
    case PROP_CONFIDENCE:
      g_value_set_double(value, settings.confidence.value_or(0));
      return true;
    case PROP_FACE_INTERVAL:
      g_value_set_uint64(value, settings.face_interval);
      return true;
    case PROP_DETECTION_INTERVAL:
      g_value_set_uint64(value, settings.detection_interval);
      return true;
    case PROP_MOTION_GATE:
      g_value_set_boolean(value, settings.motion_gate);
      return true;
    case PROP_FULL_SCAN:
      g_value_set_uint64(value, settings.full_scan);
      return true;
    default:
      return false;
  }
}

}  // namespace

void set_detect_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
  npc::detect::DetectEngine *engine = GST_NPC_DETECT(object)->engine;
  if (id == PROP_MASK) {
    engine->set_mask(g_value_get_string(value));
    return;
  }
  auto text = [value] {
    const gchar *string = g_value_get_string(value);
    return std::string(string != nullptr ? string : "");
  };
  ObjectLocker lock(object);
  DetectSettings &settings = engine->settings;
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
    case PROP_INPUT_WIDTH:
      settings.input_width = g_value_get_uint(value);
      break;
    case PROP_INPUT_PIXELS:
      settings.input_pixels = g_value_get_uint(value);
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
    case PROP_MIN_SIZE:
      settings.min_size = g_value_get_double(value);
      break;
    case PROP_INTERVAL:
      settings.interval = g_value_get_uint64(value);
      break;
    case PROP_VIDEO_DIRECTION:
      if (g_value_get_enum(value) == GST_VIDEO_ORIENTATION_CUSTOM)
        GST_WARNING_OBJECT(object, "video-direction stays as it was: npcdetect has no custom one");
      else
        settings.video_direction = static_cast<GstVideoOrientationMethod>(g_value_get_enum(value));
      break;
    default:
      if (!set_analysis_property(settings.analysis, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

void get_detect_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  npc::detect::DetectEngine *engine = GST_NPC_DETECT(object)->engine;
  ObjectLocker lock(object);
  const DetectSettings &settings = engine->settings;
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
    case PROP_INPUT_WIDTH:
      g_value_set_uint(value, settings.input_width);
      break;
    case PROP_INPUT_PIXELS:
      g_value_set_uint(value, settings.input_pixels);
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
    case PROP_MIN_SIZE:
      g_value_set_double(value, settings.min_size);
      break;
    case PROP_INTERVAL:
      g_value_set_uint64(value, settings.interval);
      break;
    case PROP_VIDEO_DIRECTION:
      g_value_set_enum(value, settings.video_direction);
      break;
    case PROP_MASK:
      g_value_set_string(value, settings.mask.c_str());
      break;
    case PROP_STATS:
      g_value_take_boxed(value, structure_of(engine->stats));
      break;
    default:
      if (!get_analysis_property(settings.analysis, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

namespace {

constexpr auto kReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING);

void install_text(GObjectClass *klass, Property id, const char *name, const char *nick,
                  const char *blurb, const char *initial, GParamFlags flags) {
  g_object_class_install_property(klass, id,
                                  g_param_spec_string(name, nick, blurb, initial, flags));
}

void install_detector(GObjectClass *klass) {
  /**
   * GstNpcDetect:detector:
   *
   * What looks for people: the HOG detector compiled into OpenCV, a neural network, or `motion`,
   * which compares each frame with a background that it learns.
   */
  g_object_class_install_property(
      klass, PROP_DETECTOR,
      g_param_spec_enum("detector", "Detector", "What looks for people and things",
                        detector_get_type(), GST_NPC_DETECT_DETECTOR_AUTO, kReady));
  /**
   * GstNpcDetect:confidence:
   *
   * Detections of at least this confidence can begin a track. Those from two fifths of it on are
   * passed on as weak. 0 leaves it to the detector: 0.5 for HOG (a logistic function of the
   * distance from the plane of its support vector machine) and `motion`; for networks 0.7 for each
   * probability in their scores, that is 0.49 where that of an object is multiplied by that of its
   * class, unless `MODEL.json` says otherwise: see #GstNpcDetect:model.
   */
  g_object_class_install_property(
      klass, PROP_CONFIDENCE,
      g_param_spec_double("confidence", "Confidence",
                          "Confidence from which a detection can begin a track, 0 to 1; from two "
                          "fifths of it on, it can extend one. 0: what suits the detector",
                          0.0, 1.0, 0.0, kPlaying));
  /**
   * GstNpcDetect:min-size:
   *
   * The smallest moving blob that `detector=motion` reports, as a share of the frame's area.
   */
  g_object_class_install_property(
      klass, PROP_MIN_SIZE,
      g_param_spec_double("min-size", "Minimum size",
                          "Smallest moving blob for the detector motion, as a share of the "
                          "frame's area, 0 to 1",
                          0.0, 1.0, DetectorSettings().least_size, kReady));
}

void install_input(GObjectClass *klass) {
  g_object_class_install_property(
      klass, PROP_INPUT_WIDTH,
      g_param_spec_uint(
          "input-width", "Input width",
          "Width in pixels of the detector's input; a multiple of 32 for most networks. A network "
          "sees the frame in its own shape, with grey beside it. 0: what the model asks for, or "
          "input-pixels; for HOG and motion, what goes with the height",
          0, 8192, 0, kReady));
  g_object_class_install_property(
      klass, PROP_INPUT_HEIGHT,
      g_param_spec_uint(
          "input-height", "Input height",
          "Height in pixels of the detector's input, set together with input-width. 0: what the "
          "model asks for, or input-pixels; for HOG 720, but at most twice the frame's; for "
          "motion the frame's, but at most 240",
          0, 8192, 0, kReady));
  /**
   * GstNpcDetect:input-pixels:
   *
   * Where a network takes pictures of any size (Darknet, ONNX without sizes in it) and none is
   * asked for, frames are scaled in their own shape, to at most twice their size, so that the
   * input, with sides that are multiples of 32, has at most as many pixels.
   */
  g_object_class_install_property(
      klass, PROP_INPUT_PIXELS,
      g_param_spec_uint("input-pixels", "Input pixels",
                        "Most pixels of the input of a network that takes pictures of any size",
                        32 * 32, 8192 * 8192, DetectSettings().input_pixels, kReady));
}

void install_network(GObjectClass *klass) {
  /**
   * GstNpcDetect:model:
   *
   * Path of a neural network: ONNX (`.onnx`), or Darknet (`.weights`, with its `.cfg` of the same
   * name beside it). Its output is recognised by its shape and numbers: Darknet-YOLO (input RGB in
   * 0 to 1), YOLOX with or without decoding (BGR in 0 to 255), Ultralytics' exports of YOLOv5, v8,
   * v9, v10 and 11 (RGB in 0 to 1), FastestDet (BGR in 0 to 1), SSD (BGR in -1 to 1). The frame
   * keeps its shape; what is left of the input is grey. `MODEL.json` beside `MODEL.onnx` may say
   * otherwise, each key optional: `{"classes": ["person"], "input": [416, 416], "channels": "bgr",
   * "mean": [0, 0, 0], "scale": 1, "layout": "yolox", "confidence": 0.5}`.
   */
  install_text(klass, PROP_MODEL, "model", "Model",
               "Path of a neural network: ONNX (.onnx), or Darknet (.weights, its .cfg "
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
      klass, PROP_LABELS, "labels", "Labels",
      "Path of a text file that names the network's classes, one a line. Empty: person for "
      "a network of 1 class, COCO's names for one of 80",
      "", kReady);
  install_text(
      klass, PROP_CLASSES, "classes", "Classes",
      "Classes to look for, separated by commas; HOG knows person only, and all that motion "
      "finds gets the one name given here",
      "person", kReady);
}

void install_faces(GObjectClass *klass) {
  g_object_class_install_property(
      klass, PROP_FACES,
      g_param_spec_enum("faces", "Faces", "Whether and how faces are looked for", faces_get_type(),
                        GST_NPC_DETECT_FACES_OFF, kReady));
  /**
   * GstNpcDetect:face-model:
   *
   * For `faces=cascade` a cascade of OpenCV (XML). For `faces=yunet` the network YuNet as of 2023
   * (ONNX): `yunet_n_320_320.onnx` of libfacedetection.train or `face_detection_yunet_2023mar.onnx`
   * of OpenCV's zoo.
   */
  install_text(klass, PROP_FACE_MODEL, "face-model", "Face model",
               "Path of the cascade (XML) or of YuNet (ONNX) for faces. Empty, for a cascade: "
               "haarcascade_frontalface_alt.xml of OpenCV (Debian's package opencv-data)",
               "", kReady);
  /**
   * GstNpcDetect:face-interval:
   *
   * Time between searches of the whole frame for faces. Such a search is for faces of at least 0.08
   * of the frame's height only, those of people who are too close to be found as people. Smaller
   * ones are searched in the upper part of the people found, four times a second each.
   */
  g_object_class_install_property(
      klass, PROP_FACE_INTERVAL,
      g_param_spec_uint64("face-interval", "Face interval",
                          "Time between searches of the whole frame for large faces in ns; people "
                          "are searched four times a second. 0: every frame",
                          0, G_MAXINT64, AnalysisSettings().face_interval, kPlaying));
}

void install_times(GObjectClass *klass) {
  /**
   * GstNpcDetect:interval:
   *
   * Time between analysed frames. A GAP event stands for each frame in between.
   */
  g_object_class_install_property(
      klass, PROP_INTERVAL,
      g_param_spec_uint64("interval", "Interval",
                          "Time between analysed frames in ns; frames in between are given back "
                          "untouched. 0: every frame is analysed",
                          0, G_MAXINT64, 0, kPlaying));
  /**
   * GstNpcDetect:detection-interval:
   *
   * Least time between two looks of the detector. For analysed frames in between, what was found is
   * moved along with what moves in it, so every frame has detections, and tracks cost a fraction of
   * detection. A frame that comes early by up to an eighth of this is due.
   */
  g_object_class_install_property(
      klass, PROP_DETECTION_INTERVAL,
      g_param_spec_uint64("detection-interval", "Detection interval",
                          "Least time between two looks of the detector in ns; for frames in "
                          "between, what was found is moved along by optical flow. 0: each "
                          "analysed frame is looked at",
                          0, G_MAXINT64, AnalysisSettings().detection_interval, kPlaying));
  /**
   * GstNpcDetect:motion-gate:
   *
   * The detector looks only where something changed since it last looked there, and at the whole
   * frame where most of it changed; elsewhere, what it found stands. So a still scene costs next to
   * nothing and keeps its standing people.
   */
  g_object_class_install_property(
      klass, PROP_MOTION_GATE,
      g_param_spec_boolean("motion-gate", "Motion gate",
                           "Look only where something changed since the last look; what was found "
                           "elsewhere stands. FALSE: each look is at the whole frame",
                           TRUE, kPlaying));
  /**
   * GstNpcDetect:full-scan:
   *
   * Time after which the whole frame is looked at, changed or not, should the motion gate have
   * missed something.
   */
  g_object_class_install_property(
      klass, PROP_FULL_SCAN,
      g_param_spec_uint64("full-scan", "Full scan",
                          "Most time between two looks at the whole frame in ns, if motion-gate is "
                          "TRUE. 0: each look is at the whole frame",
                          0, G_MAXINT64, AnalysisSettings().full_scan, kPlaying));
}

void install_picture(GObjectClass *klass) {
  /**
   * GstNpcDetect:video-direction:
   *
   * How frames are turned upright before anything looks at them, as in #GstVideoDirection; `auto`
   * obeys the stream's tag `image-orientation`, as phones and some cameras write it. Boxes and the
   * width and height in the caps of the detections are those of the upright frame, and so are the
   * fractions of #GstNpcDetect:mask and of npccount's lines and zones. `custom` is refused.
   */
  g_object_class_install_property(
      klass, PROP_VIDEO_DIRECTION,
      g_param_spec_enum("video-direction", "Video direction",
                        "How frames are turned upright before anything looks at them; auto: as "
                        "the tag image-orientation says. All results are of the upright frame",
                        GST_TYPE_VIDEO_ORIENTATION_METHOD, GST_VIDEO_ORIENTATION_AUTO, kPlaying));
  /**
   * GstNpcDetect:mask:
   *
   * Polygons that are blackened before anything looks at a frame, in #GstStructure syntax, corners
   * in fractions of the upright frame from its upper left:
   * `window,points=<0.1,0.1,0.4,0.1,0.4,0.6>; desk,points=<...>`. Up to 1000 corners each, 64 KiB
   * of text in all; sides must not cross or touch. A mask that cannot be read stops the element
   * from starting; in a running element the old one stays, with a warning.
   */
  install_text(
      klass, PROP_MASK, "mask", "Mask",
      "Polygons to blacken before anything looks at a frame, corners x,y in fractions of the "
      "upright frame: name,points=<0.1,0.1,0.4,0.1,0.4,0.6>; name,points=<...>",
      "", kPlaying);
}

void install_stats(GObjectClass *klass) {
  /**
   * GstNpcDetect:stats:
   *
   * Since the element started, all guint64: the frames `frames-in`, `analysed`, `skipped` (by
   * `interval`, or not of their caps' size), `corrupted` (the decoder said so), `dropped` (live,
   * and too late) and `lost` (live, and never here); the looks of the detector `detections`, and
   * those of them that were at the whole frame `full-scans`; and ns spent in seeing what changed,
   * `gate-time`, in making the picture for the detector, `convert-time`, in moving detections
   * along, `carry-time`, in detectors, `detect-time`, and for faces, `face-time`.
   */
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since the start: frames-in, analysed, skipped, corrupted, dropped, lost; detections and "
          "full-scans "
          "(looks of the detector); gate-time, convert-time, carry-time, face-time and "
          "detect-time (ns)",
          GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

}  // namespace

void install_detect_properties(GObjectClass *klass) {
  install_detector(klass);
  install_input(klass);
  install_network(klass);
  install_faces(klass);
  install_times(klass);
  install_picture(klass);
  install_stats(klass);
}

}  // namespace npc::detect
