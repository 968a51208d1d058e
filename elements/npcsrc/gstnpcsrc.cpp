// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc: receives records of counts.

/**
 * SECTION:element-npcsrc
 * @title: npcsrc
 * @short_description: receives counts from other programs and machines, and from recordings
 * @see_also: npcsink, npccount
 *
 * Makes a stream of counts records (`application/x-npc-counts`) of what comes from the place that
 * #GstNpcSrc:uri names. To what follows, it is the same as npccount: a gateway is
 * `npcsrc ! npcsink`. Each record is checked and written anew, so that nothing but the known fields
 * of valid records passes; what is none is refused, counted in #GstNpcSrc:stats and, at most once a
 * minute, a warning. It never ends the stream.
 *
 * ## Receivers
 *
 * - `unix:/path[?site=home]` listens at a socket of that path, whose mode is 0660, for any number
 *   of programs on this device, as for `npcsink updaters=unix:/path`. Programs of the same user, of
 *   root, and of members of the socket's group may send. What comes is JSON lines, or one message
 *   of the first No-picture Camera, `<camera> <people> <moving> <faces>`, whose record gets the
 *   `site`, the time of its arrival, and an `interval` of 0.
 * - `file:/path[?speed=1]` plays a file of records, as `npcsink updaters=file:/path` writes it, at
 *   the pace of their times, or `speed` times as fast; with `speed=0` as fast as it goes. No pause
 *   is longer than an hour. The end of the file is the end of the stream.
 * - `mqtt://[user@]host[:1883]/[filter]` subscribes at an MQTT broker to what
 *   `npcsink updaters=mqtt://host` publishes, npc/+/+/counts, or to another filter of topics; with
 *   `mqtts:` over TLS. `group=name` shares the records with all receivers of that group.
 *   `password-file`, `client-id`, `ca-file`, `cert-file`, `key-file` and `insecure` are as for
 *   npcsink. A record counts on the topic of its own camera only. The broker keeps what comes while
 *   nobody takes it, but with `session=0`. Cameras are asked for records that are missing, but with
 *   `gaps=0`, `session=0` or a `group`.
 * - `lora:/dev/spidev0.1?board=name&cameras=/path&state-file=/path` receives cameras by radio, as
 *   `npcsink updaters=lora:…` sends them. A record stands for as many windows as its `interval` is
 *   long, its `seq` is that of the last of them, and its `boot` is `lora-` and a number.
 *   Parameters: `region`, `frequency`, `bandwidth`, `sf`, `power`, `pins`, `gpio-chip`. A chip
 *   that fails is a warning, and is set up anew.
 *
 * docs/receivers.md and docs/lora.md have more.
 *
 * ## What is stored
 *
 * A sender may forget a record when it is stored. npcsrc asks downstream whether there is a sink
 * that says what it has stored. If there is none, a record counts as stored when it was pushed
 * without a failure. Records that come again after that are dropped, and counted as `duplicates`.
 * #GstNpcSrc:state-file keeps over restarts which those are.
 *
 * ## Messages
 *
 * A sender is a camera, named by its `site` and `camera`. News of one is an element message named
 * `npc-sender`; there are at most about 20 a second:
 *
 * - `site`, `camera`: #gchararray, its names; empty if it was refused
 * - `state`: #gchararray, `active`: a record came, the first one or after a silence; `silent`:
 *   nothing came for three intervals of its last record and 10 s at least; `refused`: a program was
 *   turned away
 * - `reason`: #gchararray, a sentence, or empty
 *
 * The connection of `mqtt:` is an element message named `npc-receiver`, each time that it is made
 * or lost:
 *
 * - `state`: #gchararray, `connected` or `disconnected`; it is tried again for ever
 * - `reason`: #gchararray, why it is not connected, as a sentence, or empty
 *
 * Records of one `boot` are numbered. What is missing between two that are stored is an element
 * message named `npc-gap`, when it is missing for 5 s:
 *
 * - `site`, `camera`, `boot`: #gchararray, whose records they are
 * - `from`, `to`: #guint64, `seq` of the first and of the last of them
 * - `records`: #guint64, how many they are
 * - `final`: #gboolean, whether they were given up: the camera does not have them any more, or
 *   after #GstNpcSrc:gap-timeout or at the end of the stream; each is said once. If they come later
 *   they are passed on all the same
 *
 * In a `group` no member sees all records, so that none says what is missing.
 *
 * ## Limits
 *
 * The source is live: records come in PLAYING only. 1024 programs can be connected, each of which
 * can send 2000 records a second; more than that waits in their sockets. 4096 cameras are known,
 * and of each the last 4 boots with 128 gaps; what is older is forgotten, and if it comes again it
 * is passed on again.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 -e npcsrc uri=unix:/tmp/counts.sock ! npcsink updaters=mqtt://127.0.0.1:1883
 * ]| Sends what scanners on this device write, with `npcsink updaters=unix:/tmp/counts.sock`.
 * |[
 * gst-launch-1.0 npcsrc uri="file:/var/log/npc/counts.jsonl?speed=0" ! \
 *     npcsink updaters=influxdb://127.0.0.1/npc drain-timeout=60000000000
 * ]| Brings a recording into a database; twice makes no doubles there.
 *
 * Since: 1.0
 */

#include "npcsrc/gstnpcsrc.h"

#include <gst/npc/npc.h>

#include "gstbase/confirmation.h"
#include "npcsrc/instance.h"
#include "npcsrc/properties.h"

GST_DEBUG_CATEGORY(npcsrc_debug);
#define GST_CAT_DEFAULT npcsrc_debug

namespace {

GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS(GST_NPC_COUNTS_CAPS));

}  // namespace

G_DEFINE_TYPE_WITH_CODE(GstNpcSrc, gst_npc_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, gst_npc_src_init_uri_handler))
GST_ELEMENT_REGISTER_DEFINE(npcsrc, "npcsrc", GST_RANK_NONE, GST_TYPE_NPC_SRC)

static gboolean gst_npc_src_start(GstBaseSrc *base) {
  GstNpcSrc *self = GST_NPC_SRC(base);
  if (self->state->engine.start(npc::source::settings_of(self)))
    return TRUE;
  self->state->engine.stop();
  return FALSE;
}

static gboolean gst_npc_src_stop(GstBaseSrc *base) {
  GST_NPC_SRC(base)->state->engine.stop();
  return TRUE;
}

static gboolean gst_npc_src_unlock(GstBaseSrc *base) {
  GST_NPC_SRC(base)->state->engine.interrupt(true);
  return TRUE;
}

static gboolean gst_npc_src_unlock_stop(GstBaseSrc *base) {
  GST_NPC_SRC(base)->state->engine.interrupt(false);
  return TRUE;
}

static GstFlowReturn gst_npc_src_create(GstPushSrc *base, GstBuffer **buffer) {
  return GST_NPC_SRC(base)->state->engine.create(buffer);
}

static gboolean gst_npc_src_event(GstBaseSrc *base, GstEvent *event) {
  if (auto stored = npc::parse_stored_event(event)) {
    GST_NPC_SRC(base)->state->engine.confirm(*std::move(stored));
    return TRUE;
  }
  return GST_BASE_SRC_CLASS(gst_npc_src_parent_class)->event(base, event);
}

static gboolean gst_npc_src_send_event(GstElement *element, GstEvent *event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START)
    GST_NPC_SRC(element)->state->engine.flush();
  return GST_ELEMENT_CLASS(gst_npc_src_parent_class)->send_event(element, event);
}

static gboolean gst_npc_src_is_seekable(GstBaseSrc *) {
  return FALSE;
}

static void gst_npc_src_finalize(GObject *object) {
  delete GST_NPC_SRC(object)->state;
  G_OBJECT_CLASS(gst_npc_src_parent_class)->finalize(object);
}

static void gst_npc_src_class_init(GstNpcSrcClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npcsrc_debug, "npcsrc", 0, "receives counts");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->finalize = gst_npc_src_finalize;
  gst_npc_src_install_properties(object_class);

  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  element_class->send_event = GST_DEBUG_FUNCPTR(gst_npc_src_send_event);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Counts source", "Source/Network",
                                        "Receives counts of cameras from programs on this device, "
                                        "over LoRa, from an MQTT broker and from "
                                        "recordings, and knows which are missing",
                                        "The No-picture Camera project");

  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS(klass);
  base_class->start = GST_DEBUG_FUNCPTR(gst_npc_src_start);
  base_class->stop = GST_DEBUG_FUNCPTR(gst_npc_src_stop);
  base_class->unlock = GST_DEBUG_FUNCPTR(gst_npc_src_unlock);
  base_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_npc_src_unlock_stop);
  base_class->event = GST_DEBUG_FUNCPTR(gst_npc_src_event);
  base_class->is_seekable = GST_DEBUG_FUNCPTR(gst_npc_src_is_seekable);
  GST_PUSH_SRC_CLASS(klass)->create = GST_DEBUG_FUNCPTR(gst_npc_src_create);
}

static void gst_npc_src_init(GstNpcSrc *self) {
  self->state = new npc::source::State(GST_ELEMENT(self));
  GstBaseSrc *base = GST_BASE_SRC(self);
  gst_base_src_set_live(base, TRUE);
  gst_base_src_set_format(base, GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp(base, TRUE);
}
