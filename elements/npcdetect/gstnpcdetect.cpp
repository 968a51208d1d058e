// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: stub.
#include "gstnpcdetect.h"

struct _GstNpcDetect {
  GstElement parent;
};

G_DEFINE_TYPE(GstNpcDetect, gst_npc_detect, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(npcdetect, "npcdetect", GST_RANK_NONE, GST_TYPE_NPC_DETECT)

static void gst_npc_detect_class_init(GstNpcDetectClass *klass) {
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "stub", "Filter", "stub", "stub");
}

static void gst_npc_detect_init(GstNpcDetect *) {}
