// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: its properties.
#include "npccount/properties.h"

#include <utility>

#include "gstbase/objectlocker.h"
#include "npccount/instance.h"

namespace {

using Rule = npc::count::RuleSettings::Property;

enum Property {
  PROP_0,
  PROP_SITE,
  PROP_CAMERA,
  PROP_INTERVAL,
  PROP_POST_MESSAGES,
  PROP_PEOPLE_CLASSES,
  PROP_LINES,
  PROP_ZONES,
  PROP_THRESHOLDS,
  PROP_STATE_FILE,
};

constexpr auto kReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING);

constexpr guint64 kShortestInterval = 100 * GST_MSECOND;
constexpr guint64 kLongestInterval = 3600 * GST_SECOND;

}  // namespace

static void gst_npc_count_set_property(GObject *object, guint id, const GValue *value,
                                       GParamSpec *pspec) {
  npc::count::CountEngine *engine = GST_NPC_COUNT(object)->engine;
  switch (id) {
    case PROP_SITE:
      engine->set_rule(Rule::site, g_value_get_string(value));
      break;
    case PROP_CAMERA:
      engine->set_rule(Rule::camera, g_value_get_string(value));
      break;
    case PROP_INTERVAL: {
      npc::ObjectLocker lock(object);
      engine->settings.interval = g_value_get_uint64(value);
      break;
    }
    case PROP_POST_MESSAGES: {
      npc::ObjectLocker lock(object);
      engine->settings.post_messages = g_value_get_boolean(value) != FALSE;
      break;
    }
    case PROP_PEOPLE_CLASSES: {
      npc::count::PeopleClasses classes(g_value_get_string(value));
      npc::ObjectLocker lock(object);
      engine->settings.people_classes = std::move(classes);
      break;
    }
    case PROP_LINES:
      engine->set_rule(Rule::lines, g_value_get_string(value));
      break;
    case PROP_ZONES:
      engine->set_rule(Rule::zones, g_value_get_string(value));
      break;
    case PROP_THRESHOLDS:
      engine->set_rule(Rule::thresholds, g_value_get_string(value));
      break;
    case PROP_STATE_FILE: {
      const gchar *path = g_value_get_string(value);
      npc::ObjectLocker lock(object);
      engine->settings.state_file = path != nullptr ? path : "";
      break;
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_npc_count_get_property(GObject *object, guint id, GValue *value,
                                       GParamSpec *pspec) {
  npc::ObjectLocker lock(object);
  const npc::count::CountSettings &settings = GST_NPC_COUNT(object)->engine->settings;
  switch (id) {
    case PROP_SITE:
      g_value_set_string(value, settings.rules.text(Rule::site).c_str());
      break;
    case PROP_CAMERA:
      g_value_set_string(value, settings.rules.text(Rule::camera).c_str());
      break;
    case PROP_INTERVAL:
      g_value_set_uint64(value, settings.interval);
      break;
    case PROP_POST_MESSAGES:
      g_value_set_boolean(value, settings.post_messages);
      break;
    case PROP_PEOPLE_CLASSES:
      g_value_set_string(value, settings.people_classes.text().c_str());
      break;
    case PROP_LINES:
      g_value_set_string(value, settings.rules.text(Rule::lines).c_str());
      break;
    case PROP_ZONES:
      g_value_set_string(value, settings.rules.text(Rule::zones).c_str());
      break;
    case PROP_THRESHOLDS:
      g_value_set_string(value, settings.rules.text(Rule::thresholds).c_str());
      break;
    case PROP_STATE_FILE:
      g_value_set_string(value, settings.state_file.c_str());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_npc_count_install_lines(GObjectClass *klass) {
  /**
   * GstNpcCount:lines:
   *
   * Lines whose crossings are counted, separated by semicolons: a name of 1 to 64 letters, digits,
   * `_` or `-`, the two ends `x1`, `y1`, `x2`, `y2` in fractions of the frame, and options:
   *
   * * `class`: the class that is counted (person)
   * * `band`: half of the width of the band along the line, a share of the frame's height, 0 to 0.5
   *   (without it 0.1 of the height of each body)
   * * `settle`: how long somebody must stay on a side, in ms, 0 to 60000 (200)
   *
   * Whoever walks along the line from its first end to its second has side A on the right hand and
   * side B on the left; `in` is from A to B. So `door,x1=0.5,y1=0,x2=0.5,y2=1` counts who goes
   * rightward as in, and `door,x1=0,y1=0.5,x2=1,y2=0.5` who goes upward. To turn it round, swap the
   * ends.
   *
   * With lines that cannot work, or more than 64 KiB of them, the element does not start; in a
   * running element the old lines stay, with a warning. A change holds from the next frame on. A
   * line that keeps its name keeps its totals.
   */
  g_object_class_install_property(
      klass, PROP_LINES,
      g_param_spec_string("lines", "Lines",
                          "Lines to count crossings of, in fractions of the frame: "
                          "door,x1=0.5,y1=0,x2=0.5,y2=1; exit,... (here rightward is in: from the "
                          "right hand to the left of who walks from end 1 to end 2). Options: "
                          "class=person, band=0.02 (half the width of the band, a share of the "
                          "frame's height; default 0.1 body heights), settle=200 (ms)",
                          "", kPlaying));
}

static void gst_npc_count_install_zones(GObjectClass *klass) {
  /**
   * GstNpcCount:zones:
   *
   * Zones in which people are counted, separated by semicolons: a name as lines have, the
   * corners as `points=<x,y,x,y,x,y>` in order and in fractions of the frame, and the options
   * of #GstNpcCount:lines. Up to 64 corners, whose sides must not cross or touch.
   *
   * Zones that cannot work are refused as lines are.
   */
  g_object_class_install_property(
      klass, PROP_ZONES,
      g_param_spec_string("zones", "Zones",
                          "Zones to count people in, polygons in fractions of the frame: "
                          "queue,points=<0.1,0.1,0.4,0.1,0.4,0.6>; desk,... with the options of "
                          "lines",
                          "", kPlaying));
}

static void gst_npc_count_install_thresholds(GObjectClass *klass) {
  /**
   * GstNpcCount:thresholds:
   *
   * Numbers whose passing is posted on the bus as an `npc-threshold` message, separated by
   * semicolons: a name as lines have, and
   *
   * * `above`: so many or more are above the threshold, 1 to 500. There is no default
   * * `below`: so many or fewer are below it, from 0; less than `above` (one less than `above`). In
   *   between it stays as it is
   * * `for`: how long there must be so many, in every frame, in ms, 0 to 3600000 (1000)
   * * `zone`: the zone of #GstNpcCount:zones that is watched (none: the frame)
   * * `class`: the class that is watched in the frame (person); a zone has its own
   *
   * A threshold begins below and reports above and below in turn, never of the same twice. So
   * `used,above=1,for=0` reports the first who comes and the last who goes, and
   * `crowd,above=10,below=7,for=30000` only of crowds that last.
   *
   * Thresholds that cannot work are refused as lines are, and so are those of zones that are not
   * there: in a running element define the zone first, and take it away last. A threshold that
   * keeps its name stays above or below when it is changed.
   */
  g_object_class_install_property(
      klass, PROP_THRESHOLDS,
      g_param_spec_string("thresholds", "Thresholds",
                          "Numbers of people whose passing posts an npc-threshold message: "
                          "crowd,above=10,below=8,for=3000; queue-long,zone=queue,above=4,... : so "
                          "many or more, so many or fewer (default: above less 1), for so many ms "
                          "(default 1000), in a zone or else in the frame. Option: class=person",
                          "", kPlaying));
}

static void gst_npc_count_install_state_file(GObjectClass *klass) {
  /**
   * GstNpcCount:state-file:
   *
   * Path of a file that keeps the totals of the lines over restarts, one for each element. It is
   * read when the element starts, and written anew when a window ends in which totals changed, and
   * when the element stops. After a power cut there is the old file or the new one, never a half.
   *
   * The file is written before the record that has its totals. So totals that were published
   * never fall, and nothing counts twice, whenever the process or the power ends: what is lost are
   * the crossings of the open window, which only `npc-crossing` messages reported, and a record
   * whose totals were written but which was not published yet is lost as a record, not in the
   * totals.
   *
   * For that the stream waits: half a millisecond on an idle disk, a tenth of a second and more on
   * a busy one, in windows with a crossing only. Where frames must not be missed meanwhile, put a
   * `queue` before npccount: behind npcdetect it holds detections, not pictures.
   *
   * A file that is broken or of another kind is renamed to `….bad` with a warning, and totals begin
   * at 0. If it cannot be written there is one warning; counting goes on and each window tries
   * again.
   */
  g_object_class_install_property(
      klass, PROP_STATE_FILE,
      g_param_spec_string("state-file", "State file",
                          "File that keeps the totals of lines over restarts; empty: totals begin "
                          "at 0 with each process",
                          "", kReady));
}

static void gst_npc_count_install_names(GObjectClass *klass) {
  const npc::count::CountSettings initial;
  /**
   * GstNpcCount:site:
   *
   * Where the camera is: 1 to 64 letters, digits, `_` or `-`. It becomes a level of MQTT topics and
   * a tag of databases. With another text the element does not start; in a running element the old
   * name stays, with a warning. A change holds from the next record on.
   */
  g_object_class_install_property(
      klass, PROP_SITE,
      g_param_spec_string("site", "Site",
                          "Where the camera is, in 1 to 64 letters, digits, _ or -: part of every "
                          "record, of MQTT topics and of database tags",
                          initial.rules.site().c_str(), kPlaying));
  /**
   * GstNpcCount:camera:
   *
   * Which camera of the site it is, by the rules of #GstNpcCount:site.
   */
  g_object_class_install_property(
      klass, PROP_CAMERA,
      g_param_spec_string("camera", "Camera",
                          "Which camera of the site it is, in 1 to 64 letters, digits, _ or -: "
                          "give each camera of a site its own",
                          initial.rules.camera().c_str(), kPlaying));
}

static void gst_npc_count_install_windows(GObjectClass *klass) {
  const npc::count::CountSettings initial;
  /**
   * GstNpcCount:interval:
   *
   * Length of a window, in ns. A change holds from the next window on.
   */
  g_object_class_install_property(
      klass, PROP_INTERVAL,
      g_param_spec_uint64("interval", "Interval",
                          "Length of the windows in ns, 100 ms to 1 hour: there is one record for "
                          "each. A change holds from the next window on",
                          kShortestInterval, kLongestInterval, initial.interval, kPlaying));
  /**
   * GstNpcCount:post-messages:
   *
   * Whether each record, each crossing of a line and each passing of a threshold is posted on the
   * bus.
   */
  g_object_class_install_property(
      klass, PROP_POST_MESSAGES,
      g_param_spec_boolean("post-messages", "Post messages",
                           "Post an npc-counts element message on the bus for each record, an "
                           "npc-crossing message for each crossing of a line, and an "
                           "npc-threshold message for each passing of a threshold",
                           initial.post_messages, kPlaying));
  /**
   * GstNpcCount:people-classes:
   *
   * What detectors other than npcdetect call people, separated by commas, for instance
   * `pedestrian,Person`: detections of these classes count as `person`, in lines, zones and
   * thresholds too. A change holds from the next frame on.
   */
  g_object_class_install_property(
      klass, PROP_PEOPLE_CLASSES,
      g_param_spec_string("people-classes", "People classes",
                          "Classes of other detectors that are people, separated by commas, such "
                          "as pedestrian,Person: they count as person. The class person always is",
                          "", kPlaying));
}

void gst_npc_count_install_properties(GObjectClass *klass) {
  klass->set_property = gst_npc_count_set_property;
  klass->get_property = gst_npc_count_get_property;
  gst_npc_count_install_names(klass);
  gst_npc_count_install_windows(klass);
  gst_npc_count_install_lines(klass);
  gst_npc_count_install_zones(klass);
  gst_npc_count_install_thresholds(klass);
  gst_npc_count_install_state_file(klass);
}
