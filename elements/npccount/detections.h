// SPDX-License-Identifier: LGPL-2.1-or-later
// What detectors, ours and others', say of a frame.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "npccount/core/tracker.h"

namespace npc::count {

/// The classes of other detectors that are people; cheap to copy.
class PeopleClasses {
 public:
  PeopleClasses() : PeopleClasses("") {}
  /// @param text class names, separated by commas; null has none
  explicit PeopleClasses(const char *text);

  const std::string &text() const { return list_->text; }
  /// Whether a class, as name_of() writes it, is one of them.
  bool contains(const std::string &name) const { return list_->names.contains(name); }

 private:
  struct List {
    std::string text;
    std::set<std::string> names;
  };
  std::shared_ptr<const List> list_;  // never null
};

/// Reads the detections on a buffer: our own and others' regions of interest, and what
/// read_analytics() finds. Boxes are cut off at the frame's edge, and what is outside is left out;
/// those of others are never weak.
/// @param frame size of the frame in square pixels, those of the boxes
/// @param pixel_width how many heights of it a pixel on the buffer is wide
/// @param detections is cleared first
void read_detections(GstBuffer *buffer, const count::FrameSize &frame, double pixel_width,
                     const PeopleClasses &people, std::vector<count::Detection> &detections);

}  // namespace npc::count
