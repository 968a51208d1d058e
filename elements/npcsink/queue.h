// SPDX-License-Identifier: LGPL-2.1-or-later
// The records that wait for one updater.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "record.h"

namespace npc {

/// A bounded queue with one writer and one reader. What the reader has taken stays at the front
/// until it is settled.
class Queue {
 public:
  /// `capacity` is in records, at least 2.
  explicit Queue(std::size_t capacity) : capacity_(capacity) {}

  /// Appends a record; never waits. A full queue drops its oldest record that is not on its way.
  void push(std::shared_ptr<const Record> record);

  /// Waits up to `wait` for records and copies up to `most` of the front. Until settle() they are
  /// on their way.
  std::vector<Record> take(std::size_t most, std::chrono::milliseconds wait, std::stop_token stop);

  /// Ends the way of what was taken: `delivered` records of the front are gone, the rest waits
  /// again.
  void settle(std::size_t delivered);

  std::size_t pending() const;
  /// Records that were given up because the queue was full.
  std::uint64_t dropped() const;

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<std::shared_ptr<const Record>> records_;
  std::size_t taken_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace npc
