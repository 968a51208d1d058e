// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: the GObject.
#pragma once

#include <gst/gst.h>

#include "npccount/engine.h"

G_BEGIN_DECLS

#define GST_TYPE_NPC_COUNT (gst_npc_count_get_type())
G_DECLARE_FINAL_TYPE(GstNpcCount, gst_npc_count, GST, NPC_COUNT, GstElement)

G_END_DECLS

struct _GstNpcCount {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  npc::count::CountEngine *engine;  // has a destructor
};
