// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: the GObject.
#pragma once

#include <gst/base/gstbasesink.h>

#include "base/warninglimit.h"
#include "gstbase/objectlocker.h"
#include "npcsink/engine.h"
#include "npcsink/preroll.h"

G_BEGIN_DECLS

#define GST_TYPE_NPC_SINK (gst_npc_sink_get_type())
G_DECLARE_FINAL_TYPE(GstNpcSink, gst_npc_sink, GST, NPC_SINK, GstBaseSink)

G_END_DECLS

namespace npc::sink {

/// What users set.
struct SinkElementSettings {
  SinkSettings engine;
  guint64 drain_timeout = 5 * GST_SECOND;
};

/// What the element has; with destructors.
struct SinkState {
  explicit SinkState(GstElement *element) : engine(element) {}

  SinkEngine engine;
  Preroll preroll;

  // Under the object lock.
  SinkElementSettings settings;
  guint64 received = 0;
  guint64 refused = 0;

  // Streaming thread, and state changes while it rests.
  bool gave_up_draining = false;
  WarningLimit refusals;
};

}  // namespace npc::sink

struct _GstNpcSink {
  GstBaseSink parent;
  npc::sink::SinkState *state;
};

namespace npc::sink {

/// What is set now.
inline SinkElementSettings settings_of(GstNpcSink *self) {
  ObjectLocker lock(self);
  return self->state->settings;
}

}  // namespace npc::sink
