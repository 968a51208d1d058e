// SPDX-License-Identifier: LGPL-2.1-or-later
// What may pass an element that takes pictures, besides what it makes of them: a short list, so
// that none rides along.
#pragma once

#include <gst/gst.h>

namespace npc {

/// An event that says what `event` says and holds nothing else; null if its kind may not pass (tags
/// hold cover pictures, custom events hold anything). CAPS are not for this function. Takes
/// `event`.
GstEvent *event_that_may_pass(GstEvent *event);

/// Whether a query from downstream may be answered by what is upstream.
bool query_may_pass(GstQuery *query);

}  // namespace npc
