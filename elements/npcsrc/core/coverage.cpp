// SPDX-License-Identifier: LGPL-2.1-or-later
// Which records the store downstream has, and which are missing.
#include "npcsrc/core/coverage.h"

#include <algorithm>
#include <iterator>

namespace npc::source {
namespace {

// Calls `found` with each range of numbers that is neither stored nor given up, the highest first,
// until that returns false.
template <typename Found>
bool find_gaps(const Coverage::Entry &entry, Found found) {
  Ranges known = entry.stored;
  for (const Range &range : entry.given_up.list())
    known.add(range);
  const std::vector<Range> holes = known.holes();
  for (auto hole = holes.rbegin(); hole != holes.rend(); ++hole)
    if (!found(*hole))
      return false;
  return true;
}

}  // namespace

void Coverage::remove(Position entry) {
  const auto sender = boots_.find({entry->series.site, entry->series.camera});
  if (--sender->second == 0)
    boots_.erase(sender);
  positions_.erase(entry->series);
  entries_.erase(entry);
}

// The entry of a series, moved to the front.
Coverage::Entry &Coverage::newest(const Series &series) {
  if (const auto found = positions_.find(series); found != positions_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return *found->second;
  }
  const Sender sender(series.site, series.camera);
  if (const auto found = boots_.find(sender);
      found != boots_.end() && found->second >= limits_.boots) {
    const auto oldest = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry &entry) {
      return entry.series.site == series.site && entry.series.camera == series.camera;
    });
    remove(std::prev(oldest.base()));
  }
  // The oldest series go, until a camera has none any more.
  while (!boots_.contains(sender) && boots_.size() >= limits_.senders)
    remove(std::prev(entries_.end()));
  entries_.push_front({series, {}, {}});
  positions_.emplace(series, entries_.begin());
  boots_[sender]++;
  return entries_.front();
}

void Coverage::bound(Entry &entry) const {
  while (entry.stored.list().size() > limits_.ranges)
    entry.stored.drop_lowest();
  // What is not between stored records is no gap anyway.
  const std::uint64_t lowest = entry.stored.empty() ? 0 : entry.stored.first();
  if (lowest > 0)
    entry.given_up.remove({0, lowest - 1});
  while (entry.given_up.list().size() > limits_.ranges)
    entry.given_up.drop_lowest();
}

std::uint64_t Coverage::add(const Series &series, Range range) {
  Entry &entry = newest(series);
  const std::uint64_t fresh = entry.stored.add(range);
  entry.given_up.remove(range);
  bound(entry);
  return fresh;
}

bool Coverage::contains(const RecordId &id) const {
  const auto found = positions_.find(id.series);
  return found != positions_.end() && found->second->stored.contains(id.seq);
}

void Coverage::give_up(const Gap &gap) {
  const auto found = positions_.find(gap.series);
  if (found == positions_.end())
    return;
  Entry &entry = *found->second;
  entry.given_up.add(gap.range);
  for (const Range &range : entry.stored.list())
    entry.given_up.remove(range);
  bound(entry);
}

bool Coverage::is_given_up(const Gap &gap) const {
  const auto found = positions_.find(gap.series);
  return found != positions_.end() && found->second->given_up.covers(gap.range);
}

std::vector<Gap> Coverage::gaps(std::size_t most) const {
  std::vector<Gap> gaps;
  for (const Entry &entry : entries_) {
    const bool more = find_gaps(entry, [&](const Range &range) {
      if (gaps.size() < most)
        gaps.push_back({entry.series, range});
      return gaps.size() < most;
    });
    if (!more)
      break;
  }
  return gaps;
}

std::vector<Gap> Coverage::missing_of(const Gap &gap) const {
  std::vector<Gap> missing;
  const auto found = positions_.find(gap.series);
  if (found == positions_.end())
    return missing;
  find_gaps(*found->second, [&](const Range &hole) {
    const Range both{std::max(hole.from, gap.range.from), std::min(hole.to, gap.range.to)};
    if (both.from <= both.to)
      missing.push_back({gap.series, both});
    return true;
  });
  std::ranges::reverse(missing);
  return missing;
}

Coverage::Missing Coverage::missing() const {
  Missing missing;
  for (const Entry &entry : entries_)
    find_gaps(entry, [&](const Range &range) {
      missing.gaps++;
      missing.records += range.size();
      return true;
    });
  return missing;
}

void Coverage::add_series(const Entry &other) {
  Entry &entry = newest(other.series);
  for (const Range &range : other.stored.list())
    entry.stored.add(range);
  for (const Range &range : other.given_up.list())
    entry.given_up.add(range);
  for (const Range &range : entry.stored.list())
    entry.given_up.remove(range);
  bound(entry);
}

}  // namespace npc::source
