// SPDX-License-Identifier: LGPL-2.1-or-later
// What may pass an element that takes pictures, besides what it makes of them: a short list, so
// that none rides along.
#pragma once

#include <gst/gst.h>

#include <string>

namespace npc {

// Nothing that came here is handed on: each event and each query is made anew, from the fields that
// its kind is known to have and that are numbers. Fields that somebody added stay behind, kinds
// that are not listed in passage.cpp are refused, and so is each kind that GStreamer gets later.

/// Whether `event` has what those that read its kind expect. Any application can make one of any
/// kind that has not, and gdpdepay makes what it is sent.
bool is_well_formed(GstEvent *event);

/// For the event function of a sink pad: hands on what `event` says downstream. A kind that may
/// not pass (tags hold cover pictures, custom events hold anything) ends here, which is no failure.
/// CAPS are not for this function. Takes `event`.
gboolean pass_downstream(GstPad *pad, GstObject *parent, GstEvent *event);

/// The event function of a source pad: hands on what `event` says upstream, and returns FALSE for
/// kinds that may not pass. Takes `event`.
gboolean pass_upstream(GstPad *pad, GstObject *parent, GstEvent *event);

/// The query function of both pads, for questions from either side. ALLOCATION, CAPS, ACCEPT_CAPS
/// and DRAIN are answered here; POSITION, DURATION, LATENCY, SEEKING, SEGMENT and CONVERT are asked
/// anew on the other side, and the numbers of the answer are copied; all others are refused.
gboolean answer_query(GstPad *pad, GstObject *parent, GstQuery *query);

/// Format, size and frame rate of video, for logs: caps may hold a picture too, as `streamheader`.
std::string describe(const GstCaps *caps);

}  // namespace npc
