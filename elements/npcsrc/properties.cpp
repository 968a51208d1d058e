// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc: its properties, and its URI for those who know no property.
#include "npcsrc/properties.h"

#include "base/uri.h"
#include "npcsrc/instance.h"
#include "npcsrc/messages.h"
#include "npcsrc/receivers/registry.h"

GST_DEBUG_CATEGORY_EXTERN(npcsrc_debug);
#define GST_CAT_DEFAULT npcsrc_debug

namespace {

constexpr guint64 kMaxGapTimeout = guint64{365} * 24 * 3600 * GST_SECOND;

enum { PROP_0, PROP_URI, PROP_STATE_FILE, PROP_GAP_TIMEOUT, PROP_STATS };

}  // namespace

static void gst_npc_src_set_property(GObject *object, guint id, const GValue *value,
                                     GParamSpec *pspec) {
  GstNpcSrc *self = GST_NPC_SRC(object);
  npc::ObjectLocker lock(self);
  npc::source::Settings &settings = self->state->settings;
  const gchar *text = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
  if (GST_STATE(self) > GST_STATE_READY)
    GST_WARNING_OBJECT(self, "%s changes when the source is next in READY", pspec->name);
  switch (id) {
    case PROP_URI:
      settings.uri = text != nullptr ? text : "";
      break;
    case PROP_STATE_FILE:
      settings.state_file = text != nullptr ? text : "";
      break;
    case PROP_GAP_TIMEOUT:
      settings.gap_timeout = g_value_get_uint64(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_npc_src_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  GstNpcSrc *self = GST_NPC_SRC(object);
  switch (id) {
    case PROP_URI:
      g_value_set_string(value, npc::redact(npc::source::settings_of(self).uri).c_str());
      break;
    case PROP_STATE_FILE:
      g_value_set_string(value, npc::source::settings_of(self).state_file.c_str());
      break;
    case PROP_GAP_TIMEOUT:
      g_value_set_uint64(value, npc::source::settings_of(self).gap_timeout);
      break;
    case PROP_STATS:
      g_value_take_boxed(value, npc::source::structure_of_stats(self->state->engine.stats()));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

void gst_npc_src_install_properties(GObjectClass *klass) {
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  klass->set_property = gst_npc_src_set_property;
  klass->get_property = gst_npc_src_get_property;
  g_object_class_install_property(
      klass, PROP_URI,
      g_param_spec_string(
          "uri", "URI",
          "Where records come from: a URI of unix, mqtt, mqtts, lora or file, as in "
          "unix:/run/npc/counts.sock, mqtt://broker.example/ or "
          "file:/var/log/npc/counts.jsonl?speed=0",
          "", kFlags));
  g_object_class_install_property(
      klass, PROP_STATE_FILE,
      g_param_spec_string("state-file", "State file",
                          "The file that keeps which records are stored, as in "
                          "/var/lib/npc/received, so that what comes twice is known after a "
                          "restart too. Empty: not kept",
                          "", kFlags));
  g_object_class_install_property(
      klass, PROP_GAP_TIMEOUT,
      g_param_spec_uint64("gap-timeout", "Gap timeout",
                          "How long missing records may still come before they are given up, in "
                          "ns, at most a year",
                          0, kMaxGapTimeout, npc::source::Settings().gap_timeout, kFlags));
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since READY: received (guint64, records that came, those that came twice among them), "
          "refused (guint64, texts that are no records), duplicates (guint64, records that came "
          "twice and were not passed on), senders (guint64, cameras that are not silent), gaps and "
          "missing (guint64, holes in the numbers of records, and how many records are missing in "
          "them), lost (guint64, missing records that were given up), confirming (whether the sink "
          "says what is stored)",
          GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static GstURIType gst_npc_src_uri_type(GType) {
  return GST_URI_SRC;
}

static const gchar *const *gst_npc_src_uri_protocols(GType) {
  return npc::source::receiver_schemes();
}

static gchar *gst_npc_src_get_uri(GstURIHandler *handler) {
  const std::string uri = npc::redact(npc::source::settings_of(GST_NPC_SRC(handler)).uri);
  return uri.empty() ? nullptr : g_strdup(uri.c_str());
}

static gboolean gst_npc_src_set_uri(GstURIHandler *handler, const gchar *uri, GError **error) {
  GstNpcSrc *self = GST_NPC_SRC(handler);
  try {
    npc::source::make_receiver(uri);
  } catch (const npc::UriError &refused) {
    g_set_error_literal(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, refused.what());
    return FALSE;
  }
  npc::ObjectLocker lock(self);
  if (GST_STATE(self) > GST_STATE_READY) {
    g_set_error_literal(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                        "The uri of npcsrc can be changed in READY and NULL only.");
    return FALSE;
  }
  self->state->settings.uri = uri;
  return TRUE;
}

void gst_npc_src_init_uri_handler(gpointer iface, gpointer) {
  auto *handler = static_cast<GstURIHandlerInterface *>(iface);
  handler->get_type = gst_npc_src_uri_type;
  handler->get_protocols = gst_npc_src_uri_protocols;
  handler->get_uri = gst_npc_src_get_uri;
  handler->set_uri = gst_npc_src_set_uri;
}
