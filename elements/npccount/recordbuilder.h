// SPDX-License-Identifier: LGPL-2.1-or-later
// The record of a window.
#pragma once

#include <gst/npc/npc.h>

#include <memory>
#include <string>

#include "npccount/core/rules.h"
#include "npccount/core/window.h"

namespace npc::count {

using CountsPtr = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>;

/// Makes the records of one counter, and numbers them. `boot`, which is random, and `seq` name a
/// record: neither begins again.
class RecordBuilder {
 public:
  /// What a record says beside the counts.
  struct Context {
    std::string site, camera;  ///< names by gst_npc_name_is_valid()
    gint64 utc = 0;            ///< at the end of the window, in ns since 1970
    bool clock_unsynced = false;
  };

  RecordBuilder();

  /// The record of `window` and of what `rules` counted in it, with the next number. A record that
  /// would be longer than GST_NPC_RECORD_MAX has fewer of the other classes.
  CountsPtr build(const count::WindowCounts &window, const count::RuleCounts &rules,
                  const Context &context) const;

  /// Somebody has the record that was built last: its number is used.
  void advance() { seq_++; }

 private:
  const std::string boot_;
  guint64 seq_ = 0;
};

/// Whether a record with these names fits into GST_NPC_RECORD_MAX in each of its forms, whatever
/// its numbers are. Other classes than people give way in it, lines and zones do not.
bool does_record_fit(const std::string &site, const std::string &camera,
                     const count::Definitions &definitions);

}  // namespace npc::count
