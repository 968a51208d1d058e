// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: stub.
#include "gstnpcsink.h"

struct _GstNpcSink {
  GstBaseSink parent;
};

G_DEFINE_TYPE(GstNpcSink, gst_npc_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(npcsink, "npcsink", GST_RANK_NONE, GST_TYPE_NPC_SINK)

static void gst_npc_sink_class_init(GstNpcSinkClass *klass) {
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "stub", "Filter", "stub", "stub");
}

static void gst_npc_sink_init(GstNpcSink *) {}
