// SPDX-License-Identifier: LGPL-2.1-or-later
// Completes a state change without waiting in it.
#include "npcsink/preroll.h"

namespace npc::sink {

void Preroll::start(GstBaseSink *sink) {
  // Not if it is off because somebody wants it so.
  if (completed_.exchange(false))
    gst_base_sink_set_async_enabled(sink, TRUE);
}

bool Preroll::take_segment(GstBaseSink *sink, GstEvent *segment) {
  if (!gst_base_sink_is_async_enabled(sink))
    return true;
  completing_ = g_thread_self();
  const GstFlowReturn flow = gst_base_sink_do_preroll(sink, GST_MINI_OBJECT(segment));
  completing_ = nullptr;
  if (flow != GST_FLOW_OK)
    return false;
  // While the lock is free nobody must find that data is missing.
  sink->have_preroll = TRUE;
  GST_BASE_SINK_PREROLL_UNLOCK(sink);
  gst_base_sink_set_async_enabled(sink, FALSE);
  completed_ = true;
  GST_BASE_SINK_PREROLL_LOCK(sink);
  // Nobody waits here, and the first buffer has to look which state it is.
  sink->have_preroll = FALSE;
  sink->need_preroll = sink->playing_async = TRUE;
  return true;
}

// gst_base_sink_do_preroll() says on the bus that the state has changed, and then waits for PLAYING
// if there is still need to.
void Preroll::on_message(GstBaseSink *sink) {
  if (completing_ == g_thread_self())
    sink->need_preroll = FALSE;
}

}  // namespace npc::sink
