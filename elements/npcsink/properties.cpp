// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: its properties.
#include "npcsink/properties.h"

#include "base/uri.h"
#include "gstbase/objectlocker.h"
#include "npcsink/instance.h"
#include "npcsink/messages.h"

GST_DEBUG_CATEGORY_EXTERN(npcsink_debug);
#define GST_CAT_DEFAULT npcsink_debug

namespace {

constexpr guint64 kMaxDrainTimeout = 24 * 3600 * GST_SECOND;
constexpr guint64 kMaxRetention = guint64{100} * 365 * 24 * 3600 * GST_SECOND;
constexpr guint64 kMinSize = 8 << 20;
constexpr guint64 kMaxSize = guint64{1} << 40;

enum {
  PROP_0,
  PROP_UPDATERS,
  PROP_STORE,
  PROP_STORE_RETENTION,
  PROP_STORE_SIZE,
  PROP_DRAIN_TIMEOUT,
  PROP_STATS
};

GstStructure *make_stats(GstNpcSink *self) {
  guint64 received, refused;
  {
    npc::ObjectLocker lock(self);
    received = self->state->received;
    refused = self->state->refused;
  }
  const npc::sink::SinkEngine &engine = self->state->engine;
  return npc::sink::structure_of_stats(received, refused, engine.store_stats(),
                                       engine.updater_stats());
}

}  // namespace

static void gst_npc_sink_set_property(GObject *object, guint id, const GValue *value,
                                      GParamSpec *pspec) {
  GstNpcSink *self = GST_NPC_SINK(object);
  npc::ObjectLocker lock(self);
  npc::sink::SinkElementSettings &settings = self->state->settings;
  const gchar *text = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
  if (id != PROP_DRAIN_TIMEOUT && GST_STATE(self) > GST_STATE_READY)
    GST_WARNING_OBJECT(self, "%s changes when the sink is next in READY", pspec->name);
  switch (id) {
    case PROP_UPDATERS:
      settings.engine.updaters = text != nullptr ? text : "";
      break;
    case PROP_STORE:
      settings.engine.store = text != nullptr ? text : "";
      break;
    case PROP_STORE_RETENTION:
      settings.engine.store_retention = g_value_get_uint64(value);
      break;
    case PROP_STORE_SIZE:
      settings.engine.store_size = g_value_get_uint64(value);
      break;
    case PROP_DRAIN_TIMEOUT:
      settings.drain_timeout = g_value_get_uint64(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_npc_sink_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  GstNpcSink *self = GST_NPC_SINK(object);
  switch (id) {
    case PROP_UPDATERS:
      g_value_set_string(value, npc::redact(npc::sink::settings_of(self).engine.updaters).c_str());
      break;
    case PROP_STORE:
      g_value_set_string(value, npc::sink::settings_of(self).engine.store.c_str());
      break;
    case PROP_STORE_RETENTION:
      g_value_set_uint64(value, npc::sink::settings_of(self).engine.store_retention);
      break;
    case PROP_STORE_SIZE:
      g_value_set_uint64(value, npc::sink::settings_of(self).engine.store_size);
      break;
    case PROP_DRAIN_TIMEOUT:
      g_value_set_uint64(value, npc::sink::settings_of(self).drain_timeout);
      break;
    case PROP_STATS:
      g_value_take_boxed(value, make_stats(self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_npc_sink_install_store_properties(GObjectClass *klass) {
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      klass, PROP_STORE,
      g_param_spec_string("store", "Store",
                          "The SQLite file where records wait and stay, as in "
                          "/var/lib/npc/counts.db; it is made if it is not there, in a directory "
                          "that is. Empty: in memory, where at most 16 MiB of records wait",
                          "", kFlags));
  g_object_class_install_property(
      klass, PROP_STORE_RETENTION,
      g_param_spec_uint64(
          "store-retention", "Store retention",
          "How old a delivered record may be before it is deleted, in ns. 0: as old "
          "as store-size allows",
          0, kMaxRetention, npc::sink::SinkSettings().store_retention, kFlags));
  g_object_class_install_property(
      klass, PROP_STORE_SIZE,
      g_param_spec_uint64("store-size", "Store size",
                          "How large the file and its journal may grow, in bytes; then the oldest "
                          "records are deleted, delivered or not. A record takes about 500 bytes",
                          kMinSize, kMaxSize, npc::sink::SinkSettings().store_size, kFlags));
}

void gst_npc_sink_install_properties(GObjectClass *klass) {
  klass->set_property = gst_npc_sink_set_property;
  klass->get_property = gst_npc_sink_get_property;
  gst_npc_sink_install_store_properties(klass);
  g_object_class_install_property(
      klass, PROP_UPDATERS,
      g_param_spec_string(
          "updaters", "Updaters",
          "Where the records go: URIs of mqtt, mqtts, ws, wss, influxdb, influxdbs, unix, file and "
          "gpio, separated by white space, as in "
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
                          0, kMaxDrainTimeout, npc::sink::SinkElementSettings().drain_timeout,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since READY: received and refused (guint64, records), store (structure: path; writing, "
          "whether what comes is stored; records, unstored, lost, repeated, guint64; guarded, "
          "whether what is unstored outlives the process; last-error, a "
          "sentence), updaters (array of structures: updater, its URI; delivered, pending, "
          "dropped, "
          "refused, guint64, records; oldest, guint64, age in ms of the oldest pending one; "
          "failed, "
          "guint64, attempts; resent, guint64, records that were asked for and delivered once "
          "more; "
          "requests-refused, guint64; connected; last-error)",
          GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}
