// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: detections in, counts out.

/**
 * SECTION:element-npccount
 * @title: npccount
 * @short_description: follows people and things from frame to frame and counts them
 * @see_also: npcdetect, npcsink
 *
 * npccount takes the detections of npcdetect, or of somebody else's detector, follows each person
 * and thing from frame to frame, and says once in each window of #GstNpcCount:interval how many
 * there were. It says so twice, in the same words: in an element message named `npc-counts` on the
 * bus, and in a buffer of one line of JSON on the caps `application/x-npc-counts`, whose timestamp
 * is the window's start and whose duration is its length.
 *
 * The message has these fields:
 *
 * * #GstClockTime `timestamp`: timestamp of the window's start, in ns
 * * #GstClockTime `stream-time`: stream time of the window's start, in ns
 * * #GstClockTime `running-time`: running time of the window's start, in ns
 * * #GstClockTime `duration`: length of the window, in ns
 * * #gint `version`: 1
 * * #gchararray `site`, `camera`: the properties of these names
 * * #gchararray `boot`: random name of this element's life, 16 hexadecimal digits
 * * #guint64 `seq`: number of the record in that life, from 0. `site`, `camera`, `boot` and `seq`
 *   name a record for ever
 * * #guint64 `time`: end of the window, UTC, in ms since 1970
 * * #guint64 `interval`: length of the window in ms
 * * #guint `people`: people present, median over the window's frames
 * * #guint `people_max`: the most people present in one frame
 * * #guint `moving`: people present who move, median
 * * #guint `faces`: faces present, median
 * * #GstStructure `objects`: for each other class its name and how many are present (#guint),
 * median
 * * #GstStructure `lines`: for each line of #GstNpcCount:lines, in their order, a structure of
 *   #guint `in`, `out` (crossings in the window) and #guint64 `in_total`, `out_total`
 * * #GstStructure `zones`: for each zone of #GstNpcCount:zones a structure of #guint `people`
 *   (median), `people_max`, `entered` and #guint64 `dwell` (ms)
 * * #GstNpcCountsFlags `flags`: `partial`: a window that the end of the stream cut short;
 *   `degraded`: frames in it were lost, came too late to be looked at, or were damaged; `stalled`:
 *   for some of it at least the camera was silent; `clock-unsynced`: the kernel says that no time
 *   server keeps the system's clock right, so `time` may be wrong
 *
 * The JSON record has those from `version` on. gst_npc_counts_from_message() and
 * gst_npc_counts_from_json() read them.
 *
 * Each crossing of a line is an element message of its own, `npc-crossing`, when it is counted:
 *
 * * #GstClockTime `timestamp`, `stream-time`, `running-time`: those of the frame, in ns
 * * #gchararray `site`, `camera`, `line`: where
 * * #gchararray `direction`: `in` or `out`
 * * #gchararray `class`: what crossed, as the line has it
 * * #guint64 `in_total`, `out_total`: totals of the line with this crossing
 *
 * Each passing of a threshold of #GstNpcCount:thresholds is an element message `npc-threshold`, in
 * the frame in which there have been so many for long enough:
 *
 * * #GstClockTime `timestamp`, `stream-time`, `running-time`: since when there are so many, in ns
 * * #GstClockTime `duration`: for how long that is, in ns
 * * #gchararray `site`, `camera`, `threshold`: where
 * * #gchararray `zone`: the zone that is watched; empty: the frame
 * * #gchararray `class`: what is counted there
 * * #gchararray `state`: `above` or `below`, in turn
 * * #guint `people`: how many there are in this frame
 *
 * ## What the numbers mean
 *
 * * **present**: a track that is confirmed, and was seen in this frame or at most 0.4 s ago. It is
 *   confirmed when its detections stand for 0.23 s: seven frames at 30 frames a second, one at four
 *   and fewer. The first frame of a stream is believed at once. Between 2.5 frames a second and
 *   one, a track may miss one frame; with more than 1.25 s between frames, none. No track is held
 *   for longer than it was seen before.
 * * **people**: present tracks of the class `person`. Someone who is hidden for less than a second
 *   keeps their track. Weak detections extend tracks, they never begin one.
 * * **moving**: people whose feet (the middle of the box's lower edge) moved faster than 0.2 of
 *   their height a second, measured over about one second. Whoever was seen for less than half a
 *   second does not count as moving yet, and whoever stops counts for about half a second more.
 * * **faces**: present tracks of the class `face`. Faces are not assigned to people.
 * * **objects**: present tracks of each other class. Once seen, a class stays listed, if only with
 *   0. At most 32 classes are counted, in a record of at most 4096 bytes; characters that names
 *   cannot have become `_`.
 * * **in**, **out**: tracks that settled on one side of a line and then on the other: 0.2 s there
 *   without a break, beyond a band of 0.1 body heights to either side. In between, the path of the
 *   feet must have led through the segment, ends included, and not round it; an end on the frame's
 *   edge has no beyond. So who trembles, stops or turns on the line counts nothing, and who is
 *   first seen beyond it counts nothing. A track is counted in and out in turn, never twice the
 * same way. With no more than one frame a second a crossing may be reported a second or two late.
 * * **in_total**, **out_total**: since the element was made, or since the #GstNpcCount:state-file
 *   or the last #GstNpcCount::reset. They never fall otherwise.
 * * **zones**: `people` are the present tracks of the zone's class whose feet are in it; who comes
 *   and goes must settle as with lines. `entered` are those who settled inside after they had been
 *   outside; who was inside when first seen did not enter, unless within 0.1 body heights of the
 *   frame's left, right or lower edge: they came in over that. A side of a zone on the frame's edge
 *   is no border. Feet that are first seen exactly on a border that two zones share are in one of
 *   them: a zone has its upper and left borders, its lower and right ones are its neighbours'.
 *   `dwell` is the mean length of the stays that ended in the window, from border to border, 0 if
 *   none did. A stay ends outside, or where its track was last seen; a track is kept for 1 s (with
 *   0.7 s and more between frames, for one and a half of those) and its stay with it.
 * * **median**: of an even number of frames, the mean of the middle two, rounded half up.
 *
 * ## Limits
 *
 * Counts are as good as the detections. Two people who cover each other in the picture for longer
 * than 0.4 s count as one, and so does a person whose box lies, but for 15 %, in that of somebody
 * more than 1.6 times as tall: a small child right before an adult. With seconds between frames
 * people are counted rightly, but who is who is a guess when several walk, and so is `moving`. At
 * most 500 detections of a frame are looked at.
 *
 * ## Windows and time
 *
 * Windows follow one another in running time from the first frame on. The first frame or GAP event
 * at or after a window's end closes it. A window with nobody in it gives a record of zeros; one in
 * which no frame was analysed gives none, for then nobody knows. A GAP event that is flagged
 * #GST_GAP_FLAG_MISSING_DATA says that frames were lost: windows that share time with it are
 * `degraded`. At the end of the stream the open
 * window is closed; it is flagged `partial` if it is short.
 *
 * FLUSH_STOP and a new SEGMENT forget all tracks and the open window, but no totals; so does the
 * state READY, and so do timestamps from a file that go back by more than a second. Caps with
 * another size of frame forget the tracks only: the window goes on. `seq` and `boot` stay for as
 * long as the element lives; a record that a flush or a change of state keeps from leaving has no
 * number, and no message. Frames without a timestamp count as of now, by the pipeline's clock;
 * those outside of the segment are left out. Frames that come after later ones, by up to a second,
 * count with those.
 *
 * Timestamps of a live source are held against the pipeline's clock. A stream that is late keeps
 * its own times, so that `time` is when a window ended, however late its record comes.
 * Timestamps that go back by more than a second, or that are ahead of the clock by more than 2 s or
 * a window, are mapped anew: since the last frame as much time has passed as the clock says. A
 * stream that keeps falling behind, until it is 3 s later than it once was, has a slow clock and is
 * kept there. So windows go on, and `time` is never ahead of the system's clock by more than a
 * window. The stream's own times hold again as soon as they fit.
 *
 * When a live source says nothing for 5 s while the element plays, neither a frame nor a GAP event
 * (beyond what the last one lasts, up to 60 s; GAP events for lost frames do not count), the camera
 * hangs. The window in which it fell silent then ends without waiting for a frame, and so does each
 * window from then on, until something comes again: these records are flagged `stalled`. Their
 * numbers are those of the frames that each window had, and 0 if it had none: readers must take it
 * for "nobody knows", not for "nobody is there". Windows that were over before those 5 s were give
 * no record, as any without frames. Time goes on as if there were frames; those that come late
 * afterwards count in the open window. This begins with the first SEGMENT event after caps, and
 * goes by the pipeline's clock. Files are never silent.
 *
 * GAP events end here, and the element adds nothing to the pipeline's latency: a record comes when
 * its window is over, so sinks must not wait for its timestamp (`sync=false`, as npcsink has it).
 *
 * ## Other detectors
 *
 * The sink takes `video/x-raw` too, of any format in any memory. Of a frame only the metadata is
 * read: #GstVideoRegionOfInterestMeta, as DL Streamer and GStreamer's elements write it (the class
 * is its `roi_type`, the confidence that of a parameter `detection`, else 1), and, if npccount was
 * built with GStreamer 1.24 or later, the object detections of #GstAnalyticsRelationMeta. An object
 * that is written both ways counts once. Boxes are in pixels of the caps' size. The frame is given
 * back at once, and nothing of it leaves npccount: no memory, no metadata, no tags or custom
 * events, no queries.
 *
 * What such a detector calls people is said by #GstNpcCount:people-classes. All its detections are
 * strong: what is too unsure is for its own threshold to leave out. It must look at every frame
 * that comes here; one without metadata is one with nobody in it.
 *
 * ## Example launch lines
 *
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount ! fakesink
 * ]| Shows an `npc-counts` message for each two seconds of a clip.
 * |[
 * gst-launch-1.0 -q filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount ! fdsink
 * ]| Prints a line of JSON for each of them.
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount
 * lines="door,x1=0.5,y1=0,x2=0.5,y2=1" zones="lawn,points=<0,0.5,0.5,0.5,0.5,1,0,1>" ! fakesink
 * ]| Counts who walks over the middle of the picture, rightward as in, and who is in its lower left
 * quarter.
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount
 * thresholds="crowd,above=6,below=4,for=2000" ! fakesink
 * ]| Tells when there have been six or more for two seconds, and when four or fewer.
 * |[
 * gst-launch-1.0 -q filesrc location=vtest.avi ! decodebin ! videoconvert
 * ! gvadetect model=person-detection-retail-0013.xml ! gvatrack ! npccount ! fdsink
 * ]| Counts what a detector of DL Streamer finds. (DL Streamer is not part of Debian.)
 *
 * Since: 1.0
 */

#include "npccount/gstnpccount.h"

#include <gst/npc/npc.h>

#include "gstbase/eventfilter.h"
#include "npccount/instance.h"
#include "npccount/properties.h"

GST_DEBUG_CATEGORY(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

namespace {

// Of video only the metadata is read, so any format in any memory will do.
GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(GST_NPC_DETECTIONS_CAPS "; video/x-raw(ANY), width=(int)[1,max], "
                                            "height=(int)[1,max]"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS(GST_NPC_COUNTS_CAPS));

enum Signal {
  SIGNAL_RESET,
  SIGNALS,
};
guint signals[SIGNALS];

}  // namespace

G_DEFINE_TYPE(GstNpcCount, gst_npc_count, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(npccount, "npccount", GST_RANK_NONE, GST_TYPE_NPC_COUNT)

static GstFlowReturn gst_npc_count_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  return GST_NPC_COUNT(parent)->engine->chain(buffer);
}

static gboolean gst_npc_count_sink_event(GstPad *, GstObject *parent, GstEvent *event) {
  if (!npc::is_well_formed(event)) {
    gst_event_unref(event);
    return FALSE;
  }
  return GST_NPC_COUNT(parent)->engine->take_event(event);
}

static GstStateChangeReturn gst_npc_count_change_state(GstElement *element,
                                                       GstStateChange transition) {
  npc::count::CountEngine *engine = GST_NPC_COUNT(element)->engine;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !engine->start())
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    engine->pause();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_npc_count_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING && result != GST_STATE_CHANGE_FAILURE)
    engine->play();
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    engine->stop();
  return result;
}

static void gst_npc_count_reset(GstNpcCount *self, const gchar *name) {
  self->engine->reset(name);
}

static void gst_npc_count_finalize(GObject *object) {
  delete GST_NPC_COUNT(object)->engine;
  G_OBJECT_CLASS(gst_npc_count_parent_class)->finalize(object);
}

static void gst_npc_count_class_init(GstNpcCountClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npccount_debug, "npccount", 0, "detections in, counts out");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  object_class->finalize = gst_npc_count_finalize;
  gst_npc_count_install_properties(object_class);
  /**
   * GstNpcCount::reset:
   * @npccount: the element
   * @name: (nullable): a line, or %NULL or an empty text for all
   *
   * Totals begin at 0 again, those in the state file too: `in_total` and `out_total` of the record
   * of the open window are 0 or count from here. May be emitted from any thread and in any state.
   * There is a warning on the bus if there is no such line.
   */
  signals[SIGNAL_RESET] = g_signal_new_class_handler(
      "reset", G_TYPE_FROM_CLASS(klass),
      static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
      G_CALLBACK(gst_npc_count_reset), nullptr, nullptr, nullptr, G_TYPE_NONE, 1, G_TYPE_STRING);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_npc_count_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "No-picture counter", "Filter/Analyzer",
      "Follows people and things from frame to frame and counts them in windows of time",
      "The No-picture Camera project");
}

static void gst_npc_count_init(GstNpcCount *self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_count_chain));
  gst_pad_set_event_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_npc_count_sink_event));
  gst_pad_set_query_function(self->sinkpad, GST_DEBUG_FUNCPTR(npc::answer_query));
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->srcpad, GST_DEBUG_FUNCPTR(npc::pass_upstream));
  gst_pad_set_query_function(self->srcpad, GST_DEBUG_FUNCPTR(npc::answer_query));
  gst_pad_use_fixed_caps(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
  self->engine = new npc::count::CountEngine(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}
