// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: the GObject.
#pragma once

#include <gst/gst.h>

#include "npcdetect/engine.h"

G_BEGIN_DECLS

#define GST_TYPE_NPC_DETECT (gst_npc_detect_get_type())
G_DECLARE_FINAL_TYPE(GstNpcDetect, gst_npc_detect, GST, NPC_DETECT, GstElement)

G_END_DECLS

struct _GstNpcDetect {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  npc::detect::DetectEngine *engine;  // has a destructor
};
