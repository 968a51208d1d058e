// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcsrc posts to applications, as structures; their fields are documented in gstnpcsrc.cpp.
#pragma once

#include <gst/gst.h>

#include <string>

#include "npcsrc/core/coverage.h"
#include "npcsrc/core/senders.h"

namespace npc::source {

/// The figures of the property `stats`.
struct Stats {
  guint64 received = 0;
  guint64 refused = 0;
  guint64 duplicates = 0;
  guint64 senders = 0;
  guint64 gaps = 0;
  guint64 missing = 0;
  guint64 lost = 0;
  bool confirming = false;
};

/// What became of a sender.
enum class SenderState { kActive, kSilent, kRefused };

/// `npc-sender`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_sender(SenderState state, const Sender &sender,
                                  const std::string &reason);

/// `npc-receiver`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_link(bool connected, const std::string &reason);

/// `npc-gap`: what the element message of that name holds. Transfer full.
GstStructure *structure_of_gap(const Gap &gap, bool final);

/// `npc-src-stats`: the value of the property `stats`. Transfer full.
GstStructure *structure_of_stats(const Stats &stats);

}  // namespace npc::source
