// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: the GObject.
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_NPC_SINK (gst_npc_sink_get_type())
G_DECLARE_FINAL_TYPE(GstNpcSink, gst_npc_sink, GST, NPC_SINK, GstBaseSink)
GST_ELEMENT_REGISTER_DECLARE(npcsink)

G_END_DECLS
