// SPDX-License-Identifier: LGPL-2.1-or-later
// State changes of a sink whose data is sparse.
#pragma once

#include <gst/base/gstbasesink.h>

#include <atomic>

namespace npc::sink {

/// Lets the segment that precedes sparse data complete a sink's first change to PAUSED or PLAYING,
/// as the first buffer does in other sinks, so that a pipeline does not wait for data to play. No
/// later change is asynchronous.
///
/// Unlike that buffer, the segment does not wait for PLAYING: GstBaseSrc pushes it with its live
/// lock held, and without that lock a live source cannot get to PAUSED.
///
/// With `async=false`, the usual way of such sinks, a bin may lose its EOS: if the application sets
/// it to PLAYING as soon as it says that it is PAUSED, it may be there before the thread of
/// decodebin that made it PAUSED has noted so, and then takes itself for paused. The preroll lock,
/// which is held while the state change is completed, keeps PLAYING back until that is done.
class Preroll {
 public:
  /// Call before the base class goes from READY to PAUSED.
  void start(GstBaseSink *sink);
  /// Call with each segment, before the base class takes it. The caller holds the preroll lock.
  /// Returns false if the sink is flushing.
  bool take_segment(GstBaseSink *sink, GstEvent *segment);
  /// Call for each message that the sink posts.
  void on_message(GstBaseSink *sink);

 private:
  std::atomic<GThread *> completing_ = nullptr;  // the thread that is in take_segment()
  std::atomic<bool> completed_ = false;          // so async is off
};

}  // namespace npc::sink
