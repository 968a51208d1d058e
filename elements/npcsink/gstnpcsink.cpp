// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: hands the records of a stream to updaters.

/**
 * SECTION:element-npcsink
 * @title: npcsink
 * @short_description: sends counts to brokers, databases, programs, files and GPIO lines
 * @see_also: npccount
 *
 * Takes a stream of counts records (`application/x-npc-counts`) and hands each of them to all
 * updaters of the property #GstNpcSink:updaters. Nothing but the known fields of valid records
 * leaves it: what else a buffer holds is refused with a warning, counted in #GstNpcSink:stats, and
 * does not stop the pipeline.
 *
 * ## Updaters
 *
 * - `mqtt://[user@]host[:1883]/[?name=value&…]`, `mqtts://[user@]host[:8883]/…` with TLS, and over
 *   WebSocket `ws://[user@]host[:80]/path…` and `wss://[user@]host[:443]/path…` with TLS: publishes
 *   on the topics of `npc/<site>/<camera>/` of a broker, with MQTT 5 or 3.1.1: `counts` (JSON),
 *   `influx` (InfluxDB's line protocol), `state` (the last record, retained), `status` (`online` or
 *   `offline`, retained; `offline` is also the last will) and `health` (retained).
 *   Parameters: `qos` (0, 1 or 2; default 1; with 0 nothing is confirmed), `password-file`,
 *   `client-id`, `topic-prefix`, `topics`, `expiry`, `discovery`, `discovery-form`,
 *   `discovery-prefix`; for mqtts and wss `ca-file`, `cert-file`, `key-file`, `insecure`.
 * - `influxdb://[user@]host[:8086]/database` (InfluxDB 1) or
 *   `influxdb://host/?org=…&bucket=…&token-file=…` (InfluxDB 2), and `influxdbs://…` with TLS:
 *   writes line protocol. Parameters: `password-file`, `rp` (a retention policy of InfluxDB 1); for
 *   influxdbs `ca-file`, `insecure`.
 * - `unix:/path[?format=json]` writes JSON lines to the socket of a program on this device; with
 *   `format=classic`, `<camera> <people> <moving> <faces>`.
 * - `file:/path[?fsync=1]` appends JSON lines to a file, pipe or terminal, as `file:/dev/stdout`.
 * - `gpio:chip/line?on=people>=10[&off=people<8]` sets an output of a GPIO chip. Parameters: `on`,
 *   `off`, `pulse`, `active`, `stale`.
 * - `lora:/dev/spidev0.1?board=name&camera=7&key-file=/path&state-file=/path` sends people, moving,
 *   faces and lines of one camera to a gateway by radio; zones and objects are not sent.
 *   Parameters: `lines`, `period`, `history`, `ack` (1, the default: a record is done when the
 *   gateway has acknowledged it; 0: when it was sent), `region` (`eu868`, `us915`, `as923`),
 *   `frequency`, `bandwidth`, `sf`, `power`, `pins`, `gpio-chip`. What region or chip do not allow
 *   is refused. docs/lora.md has more.
 *
 * A character that means something in URIs is written as in `%20`. Passwords and tokens are in the
 * first line of a file of their own; one in the URI is refused. More is in docs/updaters.md.
 *
 * Without an updater and a store the sink only checks the records, and says so in an info message.
 *
 * Each updater works on a thread of its own and takes its records from the store. A record is done
 * when the remote has confirmed it: it may arrive twice, with the same (`site`, `camera`, `boot`,
 * `seq`), but no outage loses it. An updater that the store does not know yet begins with the next
 * record, not with the history.
 *
 * ## Store
 *
 * #GstNpcSink:store names an SQLite file, and each record is written there before it goes anywhere:
 * a broker that is away, a power cut or a kill costs time, not records. What was received up to
 * about a tenth of a second before a power cut is on the disk; what is not yet there is in
 * `/dev/shm` too, so that a kill of the process takes nothing; a container must bring that folder
 * from outside to outlive itself. Records are kept for
 * #GstNpcSink:store-retention after that, so the file is also the device's own database; anybody
 * may read it while the sink writes:
 * |[
 * sqlite3 -readonly /var/lib/npc/counts.db \
 *     'SELECT datetime(time / 1000, "unixepoch"), camera, record ->> "people" FROM records'
 * ]|
 * The table `records` has the record itself (`record`, JSON) and what names it, `cursors` the last
 * `id` that each updater has delivered, and `refused` the last 1000 records that a remote never
 * takes, with the reason. The journal beside the file (`…-wal`, `…-shm`) stays when the sink stops,
 * so that who may not write there can read the store then too.
 *
 * File and journal stay below #GstNpcSink:store-size: then the oldest records go, delivered or not,
 * and those that were not are counted as dropped. An updater that is taken out of
 * #GstNpcSink:updaters holds no records back; its cursor is forgotten with the last record that it
 * has delivered. Records that come faster than the disk takes them, as from a file of records, are
 * held up. While the file cannot be written, records wait in memory, 16 MiB of them, are delivered
 * from there, and outlive the process but not the machine. A damaged file is set aside as
 * `….damaged-1`, and what can be read of it is copied into a new one. One store serves one sink.
 *
 * Without a file the store is in memory, at most 16 MiB of it, and what waits when the element goes
 * to NULL is lost. Of what all updaters have, only the newest 500 records stay then.
 *
 * A store that fails is no error of the pipeline, unless it must not be used at all: in use by
 * another sink, under whatever name, of a newer version, or a file of another program, which stays
 * as it is. It posts an element message named `npc-store`:
 *
 * - `store`: #gchararray, its path
 * - `state`: #gchararray, `failing`: it cannot be written; `writing`: it can again; `replaced`: a
 *   damaged file was set aside; `losing`: memory is full too, and the oldest records are given up,
 *   or nobody has used what waited in `/dev/shm` for another store, which is gone, for a week;
 *   `clock-jumped`: the system's clock, by which records get old, moved by a minute or more;
 *   `unguarded`: `/dev/shm` cannot be used, so a kill takes what is not stored yet
 * - `reason`: #gchararray, a sentence, or empty
 * - `unstored`: #guint64, records in memory only
 * - `lost`: #guint64, records that were given up before they were stored
 *
 * A source such as npcsrc that asks by the query `npc-store` learns what is stored, so that its
 * senders may forget it: for each range of records, an event `npc-stored` goes upstream when they
 * are committed, or, while the file cannot be written, when they are in `/dev/shm`. Without a file
 * it goes upstream when they are in the store in memory.
 *
 * ## Faults of the network
 *
 * A broker that is absent, a full disk or a wrong password is never an error of the pipeline: the
 * updater tries again for ever, after pauses that grow from about one second to one minute, or
 * longer if the remote asks for it. News of an updater is an element message named `npc-updater`:
 *
 * - `updater`: #gchararray, its URI
 * - `state`: #gchararray, `connected`, after a delivery that failed only when one has worked;
 *   `disconnected`, also for each new reason; `backlog`: 1000 records wait, or one for a minute,
 *   and again each time it doubles; `caught-up`: a backlog is delivered; `refused`: the remote
 *   never takes a record, which was set aside in the store, once for each reason; `dropped`:
 *   records were given up undelivered, and again each time it doubles; `not-answered`: somebody
 *   asks for records in a way that cannot be answered, once for each reason; `notice`: nothing is
 *   wrong, but there is something to know, said once
 * - `reason`: #gchararray, why, a sentence; or empty
 * - `pending`: #guint64, records that wait
 * - `oldest`: #guint64, the age in ms of the oldest of them, by the system's clock
 * - `dropped`: #guint64, records that were given up because the store was full
 * - `refused`: #guint64, records that the remote never takes
 *
 * At EOS, and when it leaves PAUSED, the sink waits up to #GstNpcSink:drain-timeout for the
 * updaters to deliver what waits. The rest stays in the store. An application that gets SIGTERM
 * sends EOS, as `gst-launch-1.0 -e` does at SIGINT; one that only goes to NULL loses nothing of
 * what the sink has received.
 *
 * ## Limits
 *
 * The last will of an MQTT connection is named after the camera of its first record. Further ones
 * of that sink are `offline` at a clean stop, after EOS, and when they are silent, but have no last
 * will: give each a sink of its own if that matters. From the 257th on they have no `status`.
 *
 * `async` is the element's own: it reads FALSE once the sink has been in PAUSED, and is TRUE again
 * at the next start. A flushing seek in a pipeline with no other sink has no ASYNC_DONE.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount camera=door ! \
 *     npcsink store=counts.db updaters="mqtt://127.0.0.1:1883 file:/dev/stdout"
 * ]| Counts people, for a broker and the terminal. What the broker does not get it gets next time.
 *
 * Since: 1.0
 */

#include "npcsink/gstnpcsink.h"

#include <gst/npc/npc.h>

#include <algorithm>
#include <optional>
#include <string>

#include "gstbase/confirmation.h"
#include "gstbase/objectlocker.h"
#include "npcsink/instance.h"
#include "npcsink/properties.h"

GST_DEBUG_CATEGORY(npcsink_debug);
#define GST_CAT_DEFAULT npcsink_debug

namespace {

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS(GST_NPC_COUNTS_CAPS));

}  // namespace

G_DEFINE_TYPE(GstNpcSink, gst_npc_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(npcsink, "npcsink", GST_RANK_NONE, GST_TYPE_NPC_SINK)

namespace {

bool open(GstNpcSink *self) {
  {
    npc::ObjectLocker lock(self);
    self->state->received = 0;
    self->state->refused = 0;
  }
  return self->state->engine.open(npc::sink::settings_of(self).engine);
}

bool start(GstNpcSink *self) {
  npc::sink::SinkState &state = *self->state;
  state.gave_up_draining = false;
  state.refusals.reset();
  return state.engine.start(npc::sink::settings_of(self).engine);
}

npc::sink::Drained drain(GstNpcSink *self, GstClockTime timeout) {
  const npc::sink::Drained drained = self->state->engine.drain(timeout);
  self->state->gave_up_draining = drained == npc::sink::Drained::kTimeout;
  return drained;
}

void stop(GstNpcSink *self) {
  // After an EOS that has waited in vain nothing came.
  const npc::sink::SinkState &state = *self->state;
  self->state->engine.stop(state.gave_up_draining ? 0 : npc::sink::settings_of(self).drain_timeout);
}

void refuse(GstNpcSink *self, const char *error) {
  npc::sink::SinkState &state = *self->state;
  guint64 refused;
  {
    npc::ObjectLocker lock(self);
    refused = ++state.refused;
  }
  GST_DEBUG_OBJECT(self, "refused a record: %s", error);
  if (state.refusals.ask())
    GST_ELEMENT_WARNING(self, STREAM, DECODE, ("A record was refused and not sent: %s", error),
                        ("%" G_GUINT64_FORMAT " records were refused until now", refused));
}

std::optional<npc::sink::Record> read_record(GstNpcSink *self, GstBuffer *buffer) {
  GstMapInfo map;
  if (gst_buffer_get_size(buffer) == 0 || !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    refuse(self, "The buffer holds no data.");
    return {};
  }
  std::string error;
  auto record =
      npc::sink::read_record({reinterpret_cast<const char *>(map.data), map.size}, &error);
  gst_buffer_unmap(buffer, &map);
  if (!record)
    refuse(self, error.c_str());
  return record;
}

}  // namespace

static GstFlowReturn gst_npc_sink_render(GstBaseSink *base, GstBuffer *buffer) {
  GstNpcSink *self = GST_NPC_SINK(base);
  npc::sink::SinkState &state = *self->state;
  {
    npc::ObjectLocker lock(self);
    state.received++;
  }
  state.gave_up_draining = false;
  if (auto record = read_record(self, buffer))
    state.engine.push(std::move(*record));
  return GST_FLOW_OK;
}

static gboolean gst_npc_sink_event(GstBaseSink *base, GstEvent *event) {
  GstNpcSink *self = GST_NPC_SINK(base);
  // An EOS that comes in PAUSED waits for PLAYING before it holds the preroll lock for long.
  if ((GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT &&
       !self->state->preroll.take_segment(base, event)) ||
      (GST_EVENT_TYPE(event) == GST_EVENT_EOS &&
       gst_base_sink_do_preroll(base, GST_MINI_OBJECT(event)) != GST_FLOW_OK)) {
    gst_event_unref(event);
    return FALSE;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    const gint64 begin = g_get_monotonic_time();
    const GstClockTime timeout = npc::sink::settings_of(self).drain_timeout;
    GstClockTime left = timeout;
    while (drain(self, left) == npc::sink::Drained::kInterrupted) {
      // A pause waits here, and a flush or the way to READY ends it.
      if (gst_base_sink_wait_preroll(base) != GST_FLOW_OK) {
        gst_event_unref(event);
        return FALSE;
      }
      const auto passed = static_cast<GstClockTime>(g_get_monotonic_time() - begin) * GST_USECOND;
      left = timeout - std::min(timeout, passed);
    }
    self->state->engine.end_stream();
  }
  return GST_BASE_SINK_CLASS(gst_npc_sink_parent_class)->event(base, event);
}

static gboolean gst_npc_sink_query(GstBaseSink *base, GstQuery *query) {
  if (!npc::is_store_query(query))
    return GST_BASE_SINK_CLASS(gst_npc_sink_parent_class)->query(base, query);
  GST_NPC_SINK(base)->state->engine.confirm();
  return TRUE;
}

static gboolean gst_npc_sink_unlock(GstBaseSink *base) {
  GST_NPC_SINK(base)->state->engine.interrupt(true);
  return TRUE;
}

static gboolean gst_npc_sink_unlock_stop(GstBaseSink *base) {
  GST_NPC_SINK(base)->state->engine.interrupt(false);
  return TRUE;
}

static GstStateChangeReturn gst_npc_sink_change_state(GstElement *element,
                                                      GstStateChange transition) {
  GstNpcSink *self = GST_NPC_SINK(element);
  // Not in GstBaseSink's start(), which adds an error of its own to ours.
  if ((transition == GST_STATE_CHANGE_NULL_TO_READY && !open(self)) ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self)))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    self->state->preroll.start(GST_BASE_SINK(element));
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_npc_sink_parent_class)->change_state(element, transition);
  const bool failed = result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && failed))
    stop(self);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
      (transition == GST_STATE_CHANGE_NULL_TO_READY && failed))
    self->state->engine.close();
  return result;
}

static gboolean gst_npc_sink_post_message(GstElement *element, GstMessage *message) {
  GST_NPC_SINK(element)->state->preroll.on_message(GST_BASE_SINK(element));
  return GST_ELEMENT_CLASS(gst_npc_sink_parent_class)->post_message(element, message);
}

static void gst_npc_sink_finalize(GObject *object) {
  delete GST_NPC_SINK(object)->state;
  G_OBJECT_CLASS(gst_npc_sink_parent_class)->finalize(object);
}

static void gst_npc_sink_class_init(GstNpcSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npcsink_debug, "npcsink", 0, "sends counts to updaters");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->finalize = gst_npc_sink_finalize;
  gst_npc_sink_install_properties(object_class);

  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_npc_sink_change_state);
  element_class->post_message = GST_DEBUG_FUNCPTR(gst_npc_sink_post_message);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Counts sink", "Sink/Network",
      "Sends counts to MQTT brokers, InfluxDB, sockets, files and GPIO lines, and loses none to an "
      "outage",
      "The No-picture Camera project");

  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS(klass);
  base_class->unlock = GST_DEBUG_FUNCPTR(gst_npc_sink_unlock);
  base_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_npc_sink_unlock_stop);
  base_class->event = GST_DEBUG_FUNCPTR(gst_npc_sink_event);
  base_class->query = GST_DEBUG_FUNCPTR(gst_npc_sink_query);
  base_class->render = GST_DEBUG_FUNCPTR(gst_npc_sink_render);
}

static void gst_npc_sink_init(GstNpcSink *self) {
  self->state = new npc::sink::SinkState(GST_ELEMENT(self));
  // Records are late by nature: the clock must not hold them.
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}
