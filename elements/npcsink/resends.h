// SPDX-License-Identifier: LGPL-2.1-or-later
// Records that others have asked for once more, and how fast they get them.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/ranges.h"
#include "base/ratelimit.h"
#include "base/recordrange.h"
#include "npcsink/record.h"
#include "npcsink/store/store.h"

namespace npc::sink {

/// The requests that came to an updater for records that it has delivered and that were lost behind
/// the remote, and what the store has of them.
///
/// Who asks may be a stranger: how much is asked for is bounded, and so is how fast it is answered,
/// whatever that is. What is given up here is asked for again by one who misses it. All but stats()
/// is called by one thread.
class Resends {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Answers a second: records, and ranges that are gone.
  static constexpr unsigned kRate = 250;
  /// Runs of cameras with open requests, and ranges of each.
  static constexpr std::size_t kMostSeries = 64, kMostRanges = 64;

  explicit Resends(std::shared_ptr<Store> store);

  /// Somebody asks for these. There may be too many open requests, which is noted as refused.
  void ask(const RecordRange &request) NPC_EXCLUDES(mutex_);
  /// Notes that somebody asked for what cannot be understood or done; `reason` is a sentence of
  /// ours.
  void refuse(const std::string &reason) NPC_EXCLUDES(mutex_);
  /// The reason of a refusal that was not told yet, once for each.
  std::optional<std::string> take_complaint();

  struct Answer {
    std::vector<Record> records;    ///< the highest numbers first
    std::vector<RecordRange> gone;  ///< the store has them no longer
    bool empty() const { return records.empty() && gone.empty(); }
  };
  /// What there is to answer now; it is not open any more. Reads the store's file.
  Answer take(Time now);
  /// These were delivered.
  void note_sent(const Answer &answer) NPC_EXCLUDES(mutex_);

  struct Stats {
    std::uint64_t records = 0;  ///< that were delivered once more
    std::uint64_t refused = 0;  ///< requests
  };
  Stats stats() const NPC_EXCLUDES(mutex_);

 private:
  struct Open {
    RecordRange series;  // its range is of no meaning
    Ranges ranges;
  };

  bool answer_front(std::size_t most, Answer &answer);

  const std::shared_ptr<Store> store_;
  std::list<Open> open_;  // in the order of their turns
  std::optional<RateLimit> rate_;
  std::vector<std::string> complaints_;
  std::set<std::string> complained_;

  mutable Mutex mutex_;
  Stats stats_ NPC_GUARDED_BY(mutex_);
};

}  // namespace npc::sink
