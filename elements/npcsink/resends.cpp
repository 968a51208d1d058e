// SPDX-License-Identifier: LGPL-2.1-or-later
// Records that others have asked for once more, and how fast they get them.
#include "npcsink/resends.h"

#include <algorithm>
#include <utility>

namespace npc::sink {
namespace {

// One read of the store's file, which its writer waits for.
constexpr std::size_t kMostAtOnce = 100;
constexpr std::size_t kMostComplaints = 16;

bool is_same_series(const RecordRange &one, const RecordRange &other) {
  return one.site == other.site && one.camera == other.camera && one.boot == other.boot;
}

}  // namespace

Resends::Resends(std::shared_ptr<Store> store) : store_(std::move(store)) {}

void Resends::ask(const RecordRange &request) {
  auto found = std::ranges::find_if(
      open_, [&](const Open &open) { return is_same_series(open.series, request); });
  const bool has_room = found == open_.end() ? open_.size() < kMostSeries
                                             : found->ranges.list().size() < kMostRanges ||
                                                   found->ranges.covers(request.range);
  if (!has_room) {
    refuse(
        "Records are asked for faster than they are sent again: the rest must be asked for later.");
    return;
  }
  if (found == open_.end())
    found = open_.insert(found, {request, {}});
  found->ranges.add(request.range);
}

void Resends::refuse(const std::string &reason) {
  if (complained_.size() < kMostComplaints && complained_.insert(reason).second)
    complaints_.push_back(reason);
  Lock lock(mutex_);
  stats_.refused++;
}

std::optional<std::string> Resends::take_complaint() {
  if (complaints_.empty())
    return std::nullopt;
  std::string complaint = std::move(complaints_.back());
  complaints_.pop_back();
  return complaint;
}

Resends::Answer Resends::take(Time now) {
  Answer answer;
  if (open_.empty())
    return answer;
  if (!rate_)
    rate_.emplace(kRate, now);
  unsigned left = rate_->available(now);
  while (left > 0 && !open_.empty()) {
    const std::size_t before = answer.records.size() + answer.gone.size();
    if (!answer_front(std::min<std::size_t>(left, kMostAtOnce), answer))
      break;
    // What is asked for and is nowhere costs a read, too.
    const std::size_t answers = answer.records.size() + answer.gone.size() - before;
    const unsigned cost = std::min(left, static_cast<unsigned>(std::max<std::size_t>(answers, 1)));
    rate_->take(cost);
    left -= cost;
  }
  return answer;
}

// Answers to the highest numbers of the series whose turn it is. Returns false if the store cannot
// be read now.
bool Resends::answer_front(std::size_t most, Answer &answer) {
  Open &front = open_.front();
  RecordRange request = front.series;
  request.range = front.ranges.list().back();
  auto found = store_->find(request, most);
  if (!found)
    return false;
  // Below the last one that was read, if there may be more.
  Range answered = request.range;
  if (found->lowest_read)
    answered.from = *found->lowest_read;
  front.ranges.remove(answered);
  // Records leave the store from the lowest number on. What is missing above may still come, to a
  // gateway that misses it itself.
  if (found->first)
    answered.to = std::min(answered.to, *found->first - 1);
  if (answered.from <= answered.to && found->first != 0u) {
    request.range = answered;
    answer.gone.push_back(request);
  }
  std::ranges::move(found->records, std::back_inserter(answer.records));
  if (front.ranges.empty())
    open_.pop_front();
  else
    open_.splice(open_.end(), open_, open_.begin());
  return true;
}

void Resends::note_sent(const Answer &answer) {
  Lock lock(mutex_);
  stats_.records += answer.records.size();
}

Resends::Stats Resends::stats() const {
  Lock lock(mutex_);
  return stats_;
}

}  // namespace npc::sink
