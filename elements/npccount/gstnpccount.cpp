// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: stub.
#include "gstnpccount.h"

struct _GstNpcCount {
  GstElement parent;
};

G_DEFINE_TYPE(GstNpcCount, gst_npc_count, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(npccount, "npccount", GST_RANK_NONE, GST_TYPE_NPC_COUNT)

static void gst_npc_count_class_init(GstNpcCountClass *klass) {
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "stub", "Filter", "stub", "stub");
}

static void gst_npc_count_init(GstNpcCount *) {}
