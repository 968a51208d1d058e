// SPDX-License-Identifier: LGPL-2.1-or-later
// All lines and zones of a camera, and the totals of its lines.
#include "rules.h"

#include <algorithm>
#include <utility>

namespace npc::count {

void Rules::define(const Definitions &definitions) {
  std::vector<Gate> gates;
  for (const LineDefinition &wanted : definitions.lines) {
    const auto old = std::find_if(gates_.begin(), gates_.end(), [&](const Gate &gate) {
      return gate.line.definition().name == wanted.name;
    });
    if (old == gates_.end())
      gates.push_back({Line(wanted)});
    else if (old->line.definition() == wanted)
      gates.push_back(std::move(*old));
    else
      gates.push_back({Line(wanted), old->in, old->out});
  }
  gates_ = std::move(gates);

  std::vector<Zone> zones;
  for (const ZoneDefinition &wanted : definitions.zones) {
    const auto old = std::find_if(zones_.begin(), zones_.end(),
                                  [&](const Zone &zone) { return zone.definition() == wanted; });
    zones.push_back(old == zones_.end() ? Zone(wanted) : std::move(*old));
  }
  zones_ = std::move(zones);
  list_totals();
}

std::vector<Crossing> Rules::update(Time now, std::span<const Track> tracks,
                                    const FrameSize &frame) {
  std::vector<Crossing> crossings;
  for (Gate &gate : gates_) {
    const Line::Crossings crossed = gate.line.update(now, tracks, frame);
    if (crossed.in + crossed.out == 0)
      continue;
    const LineDefinition &definition = gate.line.definition();
    LineTotals &totals = totals_[definition.name];
    for (unsigned i = 0; i < crossed.in + crossed.out; i++) {
      const bool in = i < crossed.in;
      (in ? gate.in : gate.out)++;
      (in ? totals.in : totals.out)++;
      crossings.push_back({definition.name, definition.label, in, totals});
    }
  }
  for (Zone &zone : zones_)
    zone.update(now, tracks, frame);
  return crossings;
}

RuleCounts Rules::close() {
  RuleCounts counts;
  for (Gate &gate : gates_) {
    const std::string &name = gate.line.definition().name;
    counts.lines.push_back(
        {name, std::exchange(gate.in, 0), std::exchange(gate.out, 0), totals_[name]});
  }
  for (Zone &zone : zones_)
    counts.zones.push_back({zone.definition().name, zone.close()});
  return counts;
}

void Rules::forget_tracks() {
  for (Gate &gate : gates_)
    gate.line.forget();
  for (Zone &zone : zones_)
    zone.forget();
}

void Rules::forget() {
  forget_tracks();
  close();
}

void Rules::set_totals(Totals totals) {
  totals_ = std::move(totals);
  list_totals();
}

void Rules::reset_totals(const std::string &name) {
  if (name.empty())
    totals_.clear();
  else
    totals_.erase(name);
  list_totals();
}

// Every line has its totals; of the names that are gone, some must give way if there are too many.
void Rules::list_totals() {
  for (const Gate &gate : gates_)
    totals_.try_emplace(gate.line.definition().name);
  std::erase_if(totals_, [this](const auto &entry) {
    return totals_.size() > kMostTotals &&
           std::none_of(gates_.begin(), gates_.end(), [&](const Gate &gate) {
             return gate.line.definition().name == entry.first;
           });
  });
}

}  // namespace npc::count
