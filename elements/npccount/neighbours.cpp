// SPDX-License-Identifier: LGPL-2.1-or-later
// What the elements before and after npccount say.
#include "npccount/neighbours.h"

namespace npc::count {

std::optional<bool> is_live(GstPad *sinkpad) {
  GstQuery *query = gst_query_new_latency();
  std::optional<bool> live;
  if (gst_pad_peer_query(sinkpad, query)) {
    gboolean answer;
    gst_query_parse_latency(query, &answer, nullptr, nullptr);
    live = answer != FALSE;
  }
  gst_query_unref(query);
  return live;
}

bool was_refused(GstPad *srcpad, GstFlowReturn flow) {
  if (flow != GST_FLOW_FLUSHING && flow != GST_FLOW_EOS)
    return flow == GST_FLOW_NOT_LINKED;
  const auto is_closed = [](GstPad *pad) {
    return GST_PAD_IS_FLUSHING(pad) || GST_PAD_IS_EOS(pad);
  };
  if (is_closed(srcpad))
    return true;
  g_autoptr(GstPad) peer = gst_pad_get_peer(srcpad);
  // Where a bin ends, it is the pad on its other side.
  while (peer != nullptr && GST_IS_PROXY_PAD(peer)) {
    g_autoptr(GstProxyPad) other = gst_proxy_pad_get_internal(GST_PROXY_PAD(peer));
    GstPad *next = other != nullptr ? gst_pad_get_peer(GST_PAD(other)) : nullptr;
    gst_object_unref(peer);
    peer = next;
  }
  return peer == nullptr || is_closed(peer);
}

}  // namespace npc::count
