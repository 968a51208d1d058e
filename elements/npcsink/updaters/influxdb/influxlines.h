// SPDX-License-Identifier: LGPL-2.1-or-later
// Records into requests, so that a bad line or a large request holds up nothing else.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "npcsink/updaters/influxdb/influxanswer.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// Writes records in requests of at most 5000 lines.
class InfluxLines {
 public:
  /// Sends lines, and judges the answer.
  using Send = std::function<InfluxVerdict(std::string_view lines)>;

  /// Sends records in their order. What the server refuses for ever is searched for by halves, set
  /// aside and counted as confirmed; the records around it are written.
  /// A server that takes its time for each request gets no more of them once `kMostTime` has passed
  /// and something is confirmed: the rest is left for the next call.
  DeliveryResult write(std::span<const Record> records, const Send &send);

  /// These lines took too long: the next requests are half as large, and grow again when they are
  /// taken.
  void slow_down(std::string_view lines);

  static constexpr std::chrono::seconds kMostTime{60};

 private:
  class Writing;
  // Less after the server found a request too large, so that not each of them is sent twice.
  std::size_t most_lines_ = 5000;
  std::size_t pace_ = most_lines_;  // less while the server is slow
};

}  // namespace npc::sink
