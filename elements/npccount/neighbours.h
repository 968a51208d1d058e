// SPDX-License-Identifier: LGPL-2.1-or-later
// What the elements before and after npccount say.
#pragma once

#include <gst/gst.h>

#include <optional>

namespace npc::count {

/// Whether upstream of `sinkpad` makes frames in real time; none if it does not know yet.
std::optional<bool> is_live(GstPad *sinkpad);

/// Whether nobody has the buffer of a push on `srcpad` that ended with `flow`: it was refused at
/// the door. Else somebody may have it: a tee says that one branch is flushing after it has served
/// another.
bool was_refused(GstPad *srcpad, GstFlowReturn flow);

}  // namespace npc::count
