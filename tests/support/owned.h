// SPDX-License-Identifier: LGPL-2.1-or-later
// GStreamer's objects, given back at the end of a scope.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/npc/npc.h>

#include <memory>

namespace npc::test {

struct GiveBack {
  void operator()(GstHarness *harness) const { gst_harness_teardown(harness); }
  void operator()(GstCaps *caps) const { gst_caps_unref(caps); }
  void operator()(GstBuffer *buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstSample *sample) const { gst_sample_unref(sample); }
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
  void operator()(GstMessage *message) const { gst_message_unref(message); }
  void operator()(GstEvent *event) const { gst_event_unref(event); }
  void operator()(GstQuery *query) const { gst_query_unref(query); }
  void operator()(GstObject *object) const { gst_object_unref(object); }
  void operator()(GstElement *element) const { gst_object_unref(element); }
  void operator()(GstBus *bus) const { gst_object_unref(bus); }
  void operator()(GstPad *pad) const { gst_object_unref(pad); }
  void operator()(GstClock *clock) const { gst_object_unref(clock); }
  void operator()(GstNpcCounts *counts) const { gst_npc_counts_free(counts); }
};
template <typename T>
using Owned = std::unique_ptr<T, GiveBack>;

}  // namespace npc::test
