// SPDX-License-Identifier: LGPL-2.1-or-later
// Records, as a LoRa sender takes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "npcsink/record.h"
#include "transport/lora/sender/sender.h"

namespace npc::sink {

/// Makes windows of the records of one camera, and notes what of them is left behind.
class LoraWindows {
 public:
  explicit LoraWindows(std::vector<std::string> lines)
      : lines_(std::move(lines)), totals_(lines_.size()) {}

  /// The window of a record that ended at `end`. Fails if LoRa can never carry it.
  Status make(const Record &record, lora::Time end, lora::Record *window);

  /// What users should know of the records until now, and were not told, as sentences.
  std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

 private:
  void read_lines(const GstNpcCounts &counts, lora::Block *window);
  void note(bool *said, bool holds, const std::string &notice);

  const std::vector<std::string> lines_;
  std::vector<lora::LineCounts> totals_;  // of the last record that had the line
  std::string site_, camera_;             // of the first record
  bool said_places_ = false, said_lines_ = false;
  std::vector<std::string> notices_;
};

}  // namespace npc::sink
