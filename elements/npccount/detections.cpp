// SPDX-License-Identifier: LGPL-2.1-or-later
// What detectors, ours and others', say of a frame.
#include "npccount/detections.h"

#include <gst/npc/npc.h>

#include <algorithm>

#include "npccount/analytics.h"
#include "npccount/core/window.h"

namespace npc::count {
namespace {

// Others' detectors have classes like `traffic light`; in a record they must be names.
std::string name_of(std::string name) {
  name.resize(std::min<std::size_t>(name.size(), GST_NPC_NAME_MAX));
  for (char &c : name)
    if (!g_ascii_isalnum(c) && c != '_' && c != '-')
      c = '_';
  return name;
}

// False if nothing of it is in the frame.
bool clip(count::Box &box, const count::FrameSize &frame) {
  const double right = std::min(box.right(), frame.width);
  const double bottom = std::min(box.bottom(), frame.height);
  box.x = std::max(box.x, 0.0);
  box.y = std::max(box.y, 0.0);
  box.width = right - box.x;
  box.height = bottom - box.y;
  return box.width > 0 && box.height > 0;
}

}  // namespace

PeopleClasses::PeopleClasses(const char *text) {
  auto list = std::make_shared<List>();
  list->text = text != nullptr ? text : "";
  gchar **names = g_strsplit(list->text.c_str(), ",", -1);
  for (gchar **name = names; *name != nullptr; name++)
    if (*g_strstrip(*name) != '\0')
      list->names.insert(name_of(*name));
  g_strfreev(names);
  list_ = std::move(list);
}

void read_detections(GstBuffer *buffer, const count::FrameSize &frame, double pixel_width,
                     const PeopleClasses &people, std::vector<count::Detection> &detections) {
  detections.clear();
  gpointer walk = nullptr;
  GstNpcDetection found;
  while (gst_npc_buffer_iterate_detections(buffer, &walk, &found))
    detections.push_back({found.label,
                          {found.x, found.y, found.width, found.height},
                          found.confidence,
                          found.weak != FALSE});
  read_analytics(buffer, detections);
  std::erase_if(detections, [&](count::Detection &detection) {
    detection.label = name_of(std::move(detection.label));
    if (people.contains(detection.label))
      detection.label = count::kPersonLabel;
    detection.box.x *= pixel_width;
    detection.box.width *= pixel_width;
    return !clip(detection.box, frame);
  });
}

}  // namespace npc::count
