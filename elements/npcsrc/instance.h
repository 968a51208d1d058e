// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc: the GObject.
#pragma once

#include <gst/base/gstpushsrc.h>

#include "gstbase/objectlocker.h"
#include "npcsrc/engine.h"
#include "npcsrc/settings.h"

G_BEGIN_DECLS

#define GST_TYPE_NPC_SRC (gst_npc_src_get_type())
G_DECLARE_FINAL_TYPE(GstNpcSrc, gst_npc_src, GST, NPC_SRC, GstPushSrc)

G_END_DECLS

namespace npc::source {

/// What the element has; with destructors.
struct State {
  explicit State(GstElement *element) : engine(element) {}

  Engine engine;
  Settings settings;  // under the object lock
};

}  // namespace npc::source

struct _GstNpcSrc {
  GstPushSrc parent;
  npc::source::State *state;
};

namespace npc::source {

/// What is set now.
inline Settings settings_of(GstNpcSrc *self) {
  ObjectLocker lock(self);
  return self->state->settings;
}

}  // namespace npc::source
