// SPDX-License-Identifier: LGPL-2.1-or-later
// Records that are on their way to the store.
#include "npcsrc/core/inflight.h"

namespace npc::source {

void InFlight::expire(Time now) {
  while (!order_.empty()) {
    const auto &[id, since] = order_.front();
    const auto series = series_.find(id.series);
    const bool flies = series != series_.end() && series->second.contains(id.seq) &&
                       series->second.at(id.seq).since == since;
    if (flies && order_.size() <= kMost && now - since < kPatience)
      return;
    if (flies) {
      series->second.erase(id.seq);
      if (series->second.empty())
        series_.erase(series);
    }
    order_.pop_front();
  }
}

void InFlight::add(const RecordId &id, Ticket ticket, Time now, std::uint64_t windows) {
  series_[id.series][id.seq] = {now, windows, {ticket}};
  order_.emplace_back(id, now);
  expire(now);
}

bool InFlight::join(const RecordId &id, Ticket ticket, Time now) {
  expire(now);
  const auto series = series_.find(id.series);
  if (series == series_.end())
    return false;
  const auto entry = series->second.find(id.seq);
  if (entry == series->second.end())
    return false;
  // A sender that has closed its connection and sends again has no use for its old one.
  constexpr std::size_t kMostTickets = 16;
  auto &tickets = entry->second.tickets;
  if (tickets.size() >= kMostTickets)
    tickets.erase(tickets.begin());
  tickets.push_back(ticket);
  return true;
}

std::vector<InFlight::Stored> InFlight::take(const Series &of, Range range) {
  std::vector<Stored> taken;
  const auto series = series_.find(of);
  if (series == series_.end())
    return taken;
  Numbers &numbers = series->second;
  auto entry = numbers.lower_bound(range.from);
  while (entry != numbers.end() && entry->first <= range.to) {
    for (const Ticket ticket : entry->second.tickets)
      taken.push_back({{of, entry->first}, ticket, entry->second.windows});
    entry = numbers.erase(entry);
  }
  if (numbers.empty())
    series_.erase(series);
  return taken;
}

}  // namespace npc::source
