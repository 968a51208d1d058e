// SPDX-License-Identifier: LGPL-2.1-or-later
// What came over LoRa, as records and sentences.
#include "npcsrc/receivers/lora/translation.h"

#include <gst/npc/npccounts.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace npc::source {
namespace {

using Event = lora::Event;

guint count_of(std::uint64_t number) {
  return static_cast<guint>(std::min<std::uint64_t>(number, std::numeric_limits<guint>::max()));
}

void add_lines(const lora::Camera &camera, const lora::ReceivedBlock &block, GstNpcCounts *counts) {
  for (const lora::ReceivedLine &line : block.lines) {
    // The camera has more of them than the file.
    if (line.number >= camera.lines.size())
      continue;
    GstNpcLineCount *added = gst_npc_counts_add_line(counts, camera.lines[line.number].c_str());
    added->in = count_of(line.in);
    added->out = count_of(line.out);
    added->in_total = line.in_total;
    added->out_total = line.out_total;
  }
}

Arrival arrival_of(const lora::Camera &camera, const lora::ReceivedBlock &block,
                   std::uint64_t ticket) {
  const std::string boot = lora::boot_name(block.boot);
  g_autoptr(GstNpcCounts) counts =
      gst_npc_counts_new(camera.site.c_str(), camera.camera.c_str(), boot.c_str());
  counts->seq = block.seq;
  counts->time = static_cast<guint64>(std::max<std::int64_t>(block.time_ms, 0));
  counts->interval = block.interval_ms;
  counts->people = block.people.people;
  counts->people_max = block.people.people_max;
  counts->moving = block.people.moving;
  counts->faces = block.people.faces;
  counts->flags = static_cast<GstNpcCountsFlags>(block.flags);
  add_lines(camera, block, counts);
  g_autofree gchar *json = gst_npc_counts_to_json(counts);
  Arrival arrival;
  arrival.id = {{camera.site, camera.camera, boot}, block.seq};
  arrival.json = json;
  arrival.time = std::chrono::milliseconds(counts->time);
  arrival.interval = std::chrono::milliseconds(block.interval_ms);
  arrival.ticket = ticket;
  arrival.windows = block.windows;
  return arrival;
}

void add_event(const lora::Camera &camera, const Event &event, const std::string &cameras_file,
               Reception &came) {
  const std::string name = camera.site + "/" + camera.camera;
  const Gap gap{{camera.site, camera.camera, lora::boot_name(event.boot)}, event.windows};
  switch (event.kind) {
    case Event::Kind::kGap:
      // Is seen between the records that are stored, or noted by the receiver.
      break;
    case Event::Kind::kLost:
      came.lost.push_back(gap);
      break;
    case Event::Kind::kTotalsReset:
      came.warnings.push_back("The totals of a line of " + name +
                              " were set back: crossings since its last frame are not known.");
      break;
    case Event::Kind::kBootReused:
      came.warnings.push_back("The camera " + name +
                              " uses a boot number again, as it has lost its state file. It is "
                              "told to use higher ones.");
      break;
    case Event::Kind::kStaleBoot:
      came.warnings.push_back("A frame of " + name +
                              " is of a boot long ago: the camera has lost its state file, or "
                              "somebody sends what was sent before.");
      break;
    case Event::Kind::kNewKey:
      came.warnings.push_back("The camera " + name + " uses its new key: in \"" + cameras_file +
                              "\", let next-key take the place of key. The old one is not accepted "
                              "any more.");
      break;
  }
}

}  // namespace

std::size_t translate(const lora::Received &received, const std::string &cameras_file,
                      Reception &came) {
  for (const lora::ReceivedBlock &block : received.reception.blocks)
    came.records.push_back(arrival_of(*received.camera, block, received.ticket));
  for (const Event &event : received.reception.events)
    add_event(*received.camera, event, cameras_file, came);
  return received.reception.blocks.size();
}

}  // namespace npc::source
