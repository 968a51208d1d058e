// SPDX-License-Identifier: LGPL-2.1-or-later
// Records, as a LoRa sender takes them.
#include "npcsink/updaters/lora/windows.h"

#include <algorithm>
#include <utility>

namespace npc::sink {
namespace {

std::string list_of(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text.append(text.empty() ? "" : ",").append(name);
  return text;
}

}  // namespace

void LoraWindows::note(bool *said, bool holds, const std::string &notice) {
  if (holds && !std::exchange(*said, true))
    notices_.push_back(notice);
}

void LoraWindows::read_lines(const GstNpcCounts &counts, lora::Block *window) {
  // A line that a record has not was not crossed.
  for (lora::LineCounts &line : totals_)
    line.in = line.out = 0;
  bool has_others = false;
  for (guint i = 0; i < gst_npc_counts_get_n_lines(&counts); i++) {
    const GstNpcLineCount &line = *gst_npc_counts_get_line(&counts, i);
    const auto found = std::find(lines_.begin(), lines_.end(), line.name);
    has_others |= found == lines_.end();
    if (found != lines_.end())
      totals_[static_cast<std::size_t>(found - lines_.begin())] = {line.in, line.out, line.in_total,
                                                                   line.out_total};
  }
  window->lines = totals_;
  note(&said_lines_, has_others,
       "The records have lines that are not sent: lines=" + list_of(lines_) +
           " names those that are, here and in the gateway's cameras file.");
}

Status LoraWindows::make(const Record &record, lora::Time end, lora::Record *window) {
  const GstNpcCounts &counts = *record.counts;
  if (site_.empty()) {
    site_ = record.site;
    camera_ = record.camera;
  }
  if (record.site != site_ || record.camera != camera_)
    return Status::failed("Over LoRa goes one camera, here " + site_ + "/" + camera_ + ": " +
                          record.site + "/" + record.camera +
                          " needs a sink and a radio of its own.");
  if (counts.interval == 0)
    return Status::failed("A record without an interval cannot go over LoRa.");
  note(&said_places_,
       gst_npc_counts_get_n_zones(&counts) > 0 || gst_npc_counts_get_n_objects(&counts) > 0,
       "LoRa carries people, moving, faces and lines: the zones and objects of the records are not "
       "sent.");
  window->boot = record.boot;
  window->seq = static_cast<std::uint64_t>(record.seq);
  window->window = {};
  window->window.interval_ms = counts.interval;
  window->window.end = end;
  window->window.people = {counts.people, counts.people_max, counts.moving, counts.faces};
  window->window.flags = static_cast<std::uint8_t>(counts.flags & 63);
  read_lines(counts, &window->window);
  return {};
}

}  // namespace npc::sink
