// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: the GObject.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_NPC_DETECT (gst_npc_detect_get_type())
G_DECLARE_FINAL_TYPE(GstNpcDetect, gst_npc_detect, GST, NPC_DETECT, GstElement)
GST_ELEMENT_REGISTER_DECLARE(npcdetect)

G_END_DECLS
