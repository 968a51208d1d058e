// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: hands the records of a stream to updaters.

/**
 * SECTION:element-npcsink
 * @title: npcsink
 * @short_description: sends counts to brokers and files
 * @see_also: npccount
 *
 * Takes a stream of counts records (`application/x-npc-counts`) and hands each of them to all
 * updaters of the property #GstNpcSink:updaters. Nothing but the known fields of valid records
 * leaves it: what else a buffer holds is refused with a warning, counted in #GstNpcSink:stats, and
 * does not stop the pipeline.
 *
 * ## Updaters
 *
 * - `mqtt://[user@]host[:1883]/[?qos=1&client-id=…&password-file=…]` publishes on the topics of
 *   `npc/<site>/<camera>/` with MQTT 3.1.1: `counts` (JSON), `influx` (InfluxDB's line protocol),
 *   `state` (the last record, retained) and `status` (`online` or `offline`, retained; `offline` is
 *   also the last will). `qos` is that of `counts` and `influx`; with 0 the broker confirms
 * nothing, and what is on its way is lost with the connection. `password-file` holds the password
 * of the user in its first line, and is read for each connection; a password in the URI is refused.
 * The client id is made from site, camera and device if not given, so two sinks for the same camera
 *   on one device and one broker need a `client-id` each.
 * - `file:/path` appends JSON lines to a file, pipe or terminal, `file:/dev/stdout` among them. A
 *   character that means something in URIs is written as in `%20`. A file that is moved away is
 *   written to where it went, until the sink goes through READY.
 *
 * Without an updater the sink only checks the records, and says so in an info message.
 *
 * Each updater works on a thread of its own, with a queue of 10000 records. A record leaves the
 * queue when the far side has confirmed it: it may arrive twice, with the same (`site`, `camera`,
 * `boot`, `seq`), but it is not lost by an outage that the queue outlasts. When the queue is full
 * the oldest record is dropped and counted. The queue is in memory: what waits when the element
 * goes to NULL is lost.
 *
 * ## Faults of the network
 *
 * A broker that is absent, a full disk or a wrong password is never an error of the pipeline: the
 * updater tries again for ever, after pauses that grow from about one second to one minute. An
 * updater that connects or disconnects, or that fails for a new reason, posts an element message
 * named `npc-updater`:
 *
 * - `updater`: #gchararray, its URI
 * - `state`: #gchararray, `connected` or `disconnected`
 * - `reason`: #gchararray, why it is disconnected, a sentence; else empty
 * - `pending`: #guint64, records that wait
 * - `dropped`: #guint64, records that were given up because too many waited
 *
 * At EOS, and when it leaves PAUSED, the sink waits up to #GstNpcSink:drain-timeout for the queues
 * to empty.
 *
 * ## Limits
 *
 * An MQTT connection is made when the first record arrives, because its last will is named after
 * that camera. Cameras that follow through the same sink get their own topics, and `offline` at a
 * clean stop, but no last will: give each camera a sink of its own if that matters. `status` and
 * `state` are kept for the first 256 cameras.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m filesrc location=vtest.avi ! decodebin ! npcdetect ! npccount camera=door ! \
 *     npcsink updaters="mqtt://127.0.0.1:1883 file:/dev/stdout"
 * ]| Counts people and sends the counts to a broker, and to the terminal.
 * |[
 * mosquitto_sub -h 127.0.0.1 -t 'npc/#' -v
 * ]| Shows what arrives.
 *
 * Since: 0.1
 */

#include "gstnpcsink.h"

#include <gst/npc/npc.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "../objectlocker.h"
#include "delivery.h"
#include "report.h"

GST_DEBUG_CATEGORY_STATIC(npcsink_debug);
#define GST_CAT_DEFAULT npcsink_debug

namespace {

constexpr guint64 kDefaultDrainTimeout = 5 * GST_SECOND;
constexpr guint64 kMaxDrainTimeout = 24 * 3600 * GST_SECOND;
// A stream of nothing but refused records must not flood the bus.
constexpr gint64 kWarningPause = 10 * G_USEC_PER_SEC;

enum { PROP_0, PROP_UPDATERS, PROP_DRAIN_TIMEOUT, PROP_STATS };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS(GST_NPC_COUNTS_CAPS));

struct Settings {
  std::string updaters;
  guint64 drain_timeout = kDefaultDrainTimeout;
};

using Gchar = std::unique_ptr<gchar, decltype(&g_free)>;
using Counts = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>;

struct State {
  // Under the object lock.
  Settings settings;
  std::shared_ptr<npc::Delivery> delivery;
  guint64 received = 0;
  guint64 refused = 0;

  // State changes only.
  std::string parsed;  // the updaters that `delivery` was made of

  // Streaming thread, and state changes while it rests.
  bool gave_up_draining = false;
  std::optional<gint64> last_warning;
};

}  // namespace

struct _GstNpcSink {
  GstBaseSink parent;
  State *state;
};

G_DEFINE_TYPE(GstNpcSink, gst_npc_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(npcsink, "npcsink", GST_RANK_NONE, GST_TYPE_NPC_SINK)

namespace {

std::shared_ptr<npc::Delivery> delivery_of(GstNpcSink *self) {
  npc::ObjectLocker lock(self);
  return self->state->delivery;
}

// What waits there is lost.
void discard(GstNpcSink *self, std::shared_ptr<npc::Delivery> delivery) {
  if (!delivery)
    return;
  for (const npc::UpdaterStats &stats : delivery->stats()) {
    if (stats.pending > 0) {
      GST_WARNING_OBJECT(self, "%" G_GUINT64_FORMAT " records for %s are lost", stats.pending,
                         stats.updater.c_str());
    }
  }
}

// Runs on the threads of the updaters.
void post_event(GstNpcSink *self, const npc::UpdaterEvent &event) {
  if (event.stats.connected)
    GST_INFO_OBJECT(self, "%s is connected", event.stats.updater.c_str());
  else
    GST_WARNING_OBJECT(self, "%s: %s", event.stats.updater.c_str(), event.reason.c_str());
  gst_element_post_message(
      GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), npc::structure_of_event(event)));
}

bool make_delivery(GstNpcSink *self) {
  State &state = *self->state;
  std::string updaters;
  {
    npc::ObjectLocker lock(self);
    updaters = state.settings.updaters;
  }
  std::shared_ptr<npc::Delivery> made;
  try {
    made = std::make_shared<npc::Delivery>(
        updaters, npc::Registry::standard(), npc::WorkerOptions(),
        [self](const npc::UpdaterEvent &event) { post_event(self, event); });
  } catch (const std::exception &error) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", error.what()),
                      ("updaters=\"%s\"", updaters.c_str()));
    return false;
  }
  if (made->empty()) {
    GST_ELEMENT_INFO(self, RESOURCE, SETTINGS,
                     ("No updater is set, so the records are only checked and go nowhere."),
                     ("set the property updaters, as in updaters=mqtt://127.0.0.1:1883"));
  }
  state.parsed = updaters;
  {
    npc::ObjectLocker lock(self);
    state.delivery.swap(made);
  }
  discard(self, std::move(made));
  return true;
}

bool open_delivery(GstNpcSink *self) {
  {
    npc::ObjectLocker lock(self);
    self->state->received = 0;
    self->state->refused = 0;
  }
  return make_delivery(self);
}

void close_delivery(GstNpcSink *self) {
  std::shared_ptr<npc::Delivery> ended;
  {
    npc::ObjectLocker lock(self);
    self->state->delivery.swap(ended);
  }
  discard(self, std::move(ended));
}

bool start_delivery(GstNpcSink *self) {
  State &state = *self->state;
  bool changed;
  {
    npc::ObjectLocker lock(self);
    changed = state.settings.updaters != state.parsed;
  }
  if (changed && !make_delivery(self))
    return false;
  state.gave_up_draining = false;
  state.last_warning.reset();
  try {
    const auto delivery = delivery_of(self);
    delivery->interrupt(false);
    delivery->start();
  } catch (const std::exception &error) {
    GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("The updaters cannot start."), ("%s", error.what()));
    return false;
  }
  return true;
}

npc::Drained drain(GstNpcSink *self, GstClockTime timeout) {
  const auto drained = delivery_of(self)->drain(std::chrono::nanoseconds(timeout));
  if (drained == npc::Drained::kTimeout)
    GST_WARNING_OBJECT(self, "records still wait after %" GST_TIME_FORMAT, GST_TIME_ARGS(timeout));
  self->state->gave_up_draining = drained == npc::Drained::kTimeout;
  return drained;
}

GstClockTime drain_timeout(GstNpcSink *self) {
  npc::ObjectLocker lock(self);
  return self->state->settings.drain_timeout;
}

void stop_delivery(GstNpcSink *self) {
  const auto delivery = delivery_of(self);
  delivery->interrupt(false);
  // EOS has waited already: nothing came since then.
  if (!self->state->gave_up_draining)
    drain(self, drain_timeout(self));
  delivery->stop();
}

void refuse(GstNpcSink *self, const char *why) {
  State &state = *self->state;
  guint64 refused;
  {
    npc::ObjectLocker lock(self);
    refused = ++state.refused;
  }
  GST_DEBUG_OBJECT(self, "refused a record: %s", why);
  const gint64 now = g_get_monotonic_time();
  if (state.last_warning && now - *state.last_warning < kWarningPause)
    return;
  state.last_warning = now;
  GST_ELEMENT_WARNING(self, STREAM, DECODE, ("A record was refused and not sent: %s", why),
                      ("%" G_GUINT64_FORMAT " records were refused until now", refused));
}

std::optional<npc::Record> read_record(GstNpcSink *self, GstBuffer *buffer) {
  GstMapInfo map;
  if (gst_buffer_get_size(buffer) == 0 || !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    refuse(self, "The buffer holds no data.");
    return {};
  }
  GError *error = nullptr;
  const Counts counts(gst_npc_counts_from_json(reinterpret_cast<const gchar *>(map.data),
                                               static_cast<gssize>(map.size), &error),
                      gst_npc_counts_free);
  gst_buffer_unmap(buffer, &map);
  if (!counts) {
    refuse(self, error->message);
    g_clear_error(&error);
    return {};
  }
  // Written anew, so that only what we know of goes out.
  const Gchar json(gst_npc_counts_to_json(counts.get()), g_free);
  const Gchar lines(gst_npc_counts_to_line_protocol(counts.get()), g_free);
  return npc::Record{counts->site, counts->camera, json.get(), lines.get()};
}

GstStructure *make_stats(GstNpcSink *self) {
  guint64 received, refused;
  {
    npc::ObjectLocker lock(self);
    received = self->state->received;
    refused = self->state->refused;
  }
  const auto delivery = delivery_of(self);
  return npc::structure_of_stats(received, refused,
                                 delivery ? delivery->stats() : std::vector<npc::UpdaterStats>());
}

}  // namespace

static GstFlowReturn gst_npc_sink_render(GstBaseSink *base, GstBuffer *buffer) {
  GstNpcSink *self = GST_NPC_SINK(base);
  State &state = *self->state;
  std::shared_ptr<npc::Delivery> delivery;
  {
    npc::ObjectLocker lock(self);
    state.received++;
    delivery = state.delivery;
  }
  state.gave_up_draining = false;
  if (auto record = read_record(self, buffer))
    delivery->push(std::move(*record));
  return GST_FLOW_OK;
}

static gboolean gst_npc_sink_event(GstBaseSink *base, GstEvent *event) {
  GstNpcSink *self = GST_NPC_SINK(base);
  // Records are sparse: a pipeline must not wait for the first one before it plays, so the sink
  // prerolls on the segment that precedes it. (With async=false, the usual way out, decodebin and
  // GStreamer 1.22 lose the EOS of the pipeline.) The base class holds the preroll lock.
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT &&
      gst_base_sink_do_preroll(base, GST_MINI_OBJECT(event)) != GST_FLOW_OK) {
    gst_event_unref(event);
    return FALSE;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    const gint64 begin = g_get_monotonic_time();
    const GstClockTime timeout = drain_timeout(self);
    GstClockTime left = timeout;
    while (drain(self, left) == npc::Drained::kInterrupted) {
      // A pause waits here, and a flush or the way to READY ends it.
      if (gst_base_sink_wait_preroll(base) != GST_FLOW_OK) {
        gst_event_unref(event);
        return FALSE;
      }
      const auto passed = static_cast<GstClockTime>(g_get_monotonic_time() - begin) * GST_USECOND;
      left = timeout - std::min(timeout, passed);
    }
  }
  return GST_BASE_SINK_CLASS(gst_npc_sink_parent_class)->event(base, event);
}

static gboolean gst_npc_sink_unlock(GstBaseSink *base) {
  if (const auto delivery = delivery_of(GST_NPC_SINK(base)))
    delivery->interrupt(true);
  return TRUE;
}

static gboolean gst_npc_sink_unlock_stop(GstBaseSink *base) {
  if (const auto delivery = delivery_of(GST_NPC_SINK(base)))
    delivery->interrupt(false);
  return TRUE;
}

static GstStateChangeReturn gst_npc_sink_change_state(GstElement *element,
                                                      GstStateChange transition) {
  GstNpcSink *self = GST_NPC_SINK(element);
  // Not in GstBaseSink's start(), which adds an error of its own to ours.
  if ((transition == GST_STATE_CHANGE_NULL_TO_READY && !open_delivery(self)) ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start_delivery(self)))
    return GST_STATE_CHANGE_FAILURE;
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_npc_sink_parent_class)->change_state(element, transition);
  const bool failed = result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && failed))
    stop_delivery(self);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
      (transition == GST_STATE_CHANGE_NULL_TO_READY && failed))
    close_delivery(self);
  return result;
}

static void gst_npc_sink_set_property(GObject *object, guint id, const GValue *value,
                                      GParamSpec *pspec) {
  GstNpcSink *self = GST_NPC_SINK(object);
  Settings &settings = self->state->settings;
  switch (id) {
    case PROP_UPDATERS: {
      const gchar *text = g_value_get_string(value);
      npc::ObjectLocker lock(self);
      if (GST_STATE(self) > GST_STATE_READY)
        GST_WARNING_OBJECT(self, "updaters change when the sink is next in READY");
      // A password is refused later, but not kept until then.
      settings.updaters = npc::redact(text != nullptr ? text : "");
      break;
    }
    case PROP_DRAIN_TIMEOUT: {
      npc::ObjectLocker lock(self);
      settings.drain_timeout = g_value_get_uint64(value);
      break;
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_npc_sink_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  GstNpcSink *self = GST_NPC_SINK(object);
  const Settings &settings = self->state->settings;
  switch (id) {
    case PROP_UPDATERS: {
      npc::ObjectLocker lock(self);
      g_value_set_string(value, settings.updaters.c_str());
      break;
    }
    case PROP_DRAIN_TIMEOUT: {
      npc::ObjectLocker lock(self);
      g_value_set_uint64(value, settings.drain_timeout);
      break;
    }
    case PROP_STATS:
      g_value_take_boxed(value, make_stats(self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_npc_sink_finalize(GObject *object) {
  delete GST_NPC_SINK(object)->state;
  G_OBJECT_CLASS(gst_npc_sink_parent_class)->finalize(object);
}

static void gst_npc_sink_install_properties(GObjectClass *klass) {
  g_object_class_install_property(
      klass, PROP_UPDATERS,
      g_param_spec_string(
          "updaters", "Updaters",
          "Where the records go: URIs separated by white space, as in "
          "\"mqtt://user@host:1883/?qos=1&password-file=/path file:/var/log/npc/counts.jsonl\". "
          "Empty: the records are checked and go nowhere",
          "",
          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                   GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      klass, PROP_DRAIN_TIMEOUT,
      g_param_spec_uint64("drain-timeout", "Drain timeout",
                          "How long EOS and the way out of PAUSED wait for records that are not "
                          "delivered yet, in ns, at most a day. 0: not at all",
                          0, kMaxDrainTimeout, kDefaultDrainTimeout,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since READY: received and refused (guint64, records), updaters (array of structures: "
          "updater, its URI; delivered, pending, dropped, guint64, records; failed, guint64, "
          "attempts; connected; last-error, a sentence)",
          GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void gst_npc_sink_class_init(GstNpcSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(npcsink_debug, "npcsink", 0, "sends counts to updaters");
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_npc_sink_set_property;
  object_class->get_property = gst_npc_sink_get_property;
  object_class->finalize = gst_npc_sink_finalize;
  gst_npc_sink_install_properties(object_class);

  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_npc_sink_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Counts sink", "Sink/Network",
      "Sends counts of people and things to MQTT brokers and files, and loses none to an outage",
      "The No-picture Camera developers");

  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS(klass);
  base_class->unlock = GST_DEBUG_FUNCPTR(gst_npc_sink_unlock);
  base_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_npc_sink_unlock_stop);
  base_class->event = GST_DEBUG_FUNCPTR(gst_npc_sink_event);
  base_class->render = GST_DEBUG_FUNCPTR(gst_npc_sink_render);
}

static void gst_npc_sink_init(GstNpcSink *self) {
  self->state = new State();
  // Records are late by nature: the clock must not hold them.
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}
