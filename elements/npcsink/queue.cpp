// SPDX-License-Identifier: LGPL-2.1-or-later
// The queue in front of an updater.
#include "queue.h"

#include <algorithm>

namespace npc {

void Queue::push(std::shared_ptr<const Record> record) {
  {
    std::lock_guard lock(mutex_);
    if (records_.size() >= capacity_) {
      records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(taken_));
      dropped_++;
    }
    records_.push_back(std::move(record));
  }
  filled_.notify_one();
}

std::vector<Record> Queue::take(std::size_t most, std::chrono::milliseconds wait,
                                std::stop_token stop) {
  std::unique_lock lock(mutex_);
  filled_.wait_for(lock, stop, wait, [this] { return !records_.empty(); });
  // Half of the queue at most, so that there is always one to drop.
  taken_ = std::min({most, records_.size(), capacity_ / 2});
  std::vector<Record> taken;
  taken.reserve(taken_);
  for (std::size_t i = 0; i < taken_; i++)
    taken.push_back(*records_[i]);
  return taken;
}

void Queue::settle(std::size_t delivered) {
  std::lock_guard lock(mutex_);
  records_.erase(records_.begin(),
                 records_.begin() + static_cast<std::ptrdiff_t>(std::min(delivered, taken_)));
  taken_ = 0;
}

std::size_t Queue::pending() const {
  std::lock_guard lock(mutex_);
  return records_.size();
}

std::uint64_t Queue::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace npc
