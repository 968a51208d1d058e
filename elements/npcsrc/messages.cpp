// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcsrc tells applications, as structures; their fields are documented in gstnpcsrc.cpp.
#include "npcsrc/messages.h"

namespace npc::source {
namespace {

const char *name_of(SenderState state) {
  switch (state) {
    case SenderState::kActive:
      return "active";
    case SenderState::kSilent:
      return "silent";
    case SenderState::kRefused:
      return "refused";
  }
  return "";
}

}  // namespace

GstStructure *structure_of_sender(SenderState state, const Sender &sender,
                                  const std::string &reason) {
  return gst_structure_new("npc-sender", "site", G_TYPE_STRING, sender.site.c_str(), "camera",
                           G_TYPE_STRING, sender.camera.c_str(), "state", G_TYPE_STRING,
                           name_of(state), "reason", G_TYPE_STRING, reason.c_str(), nullptr);
}

GstStructure *structure_of_link(bool connected, const std::string &reason) {
  return gst_structure_new("npc-receiver", "state", G_TYPE_STRING,
                           connected ? "connected" : "disconnected", "reason", G_TYPE_STRING,
                           reason.c_str(), nullptr);
}

GstStructure *structure_of_gap(const Gap &gap, bool final) {
  return gst_structure_new("npc-gap", "site", G_TYPE_STRING, gap.series.site.c_str(), "camera",
                           G_TYPE_STRING, gap.series.camera.c_str(), "boot", G_TYPE_STRING,
                           gap.series.boot.c_str(), "from", G_TYPE_UINT64, guint64{gap.range.from},
                           "to", G_TYPE_UINT64, guint64{gap.range.to}, "records", G_TYPE_UINT64,
                           guint64{gap.range.size()}, "final", G_TYPE_BOOLEAN,
                           static_cast<gboolean>(final), nullptr);
}

GstStructure *structure_of_stats(const Stats &stats) {
  return gst_structure_new("npc-src-stats", "received", G_TYPE_UINT64, stats.received, "refused",
                           G_TYPE_UINT64, stats.refused, "duplicates", G_TYPE_UINT64,
                           stats.duplicates, "senders", G_TYPE_UINT64, stats.senders, "gaps",
                           G_TYPE_UINT64, stats.gaps, "missing", G_TYPE_UINT64, stats.missing,
                           "lost", G_TYPE_UINT64, stats.lost, "confirming", G_TYPE_BOOLEAN,
                           static_cast<gboolean>(stats.confirming), nullptr);
}

}  // namespace npc::source
