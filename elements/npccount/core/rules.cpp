// SPDX-License-Identifier: LGPL-2.1-or-later
// All lines, zones and thresholds of a camera, and the totals of its lines.
#include "npccount/core/rules.h"

#include <algorithm>
#include <utility>

namespace npc::count {

std::string error_in(const Definitions &definitions) {
  for (const ThresholdDefinition &threshold : definitions.thresholds)
    if (!threshold.zone.empty() &&
        std::none_of(definitions.zones.begin(), definitions.zones.end(),
                     [&](const ZoneDefinition &zone) { return zone.name == threshold.zone; }))
      return "The threshold " + threshold.name + " watches the zone " + threshold.zone +
             ", which the property zones does not have: define it there, or change thresholds.";
  return {};
}

void Rules::define(const Definitions &definitions) {
  std::vector<LineCounter> gates;
  for (const LineDefinition &wanted : definitions.lines) {
    const auto old = std::find_if(
        line_counters_.begin(), line_counters_.end(),
        [&](const LineCounter &counter) { return counter.line.definition().name == wanted.name; });
    if (old == line_counters_.end())
      gates.push_back({Line(wanted)});
    else if (old->line.definition() == wanted)
      gates.push_back(std::move(*old));
    else
      gates.push_back({Line(wanted), old->in, old->out});
  }
  line_counters_ = std::move(gates);

  std::vector<Zone> zones;
  for (const ZoneDefinition &wanted : definitions.zones) {
    const auto old = std::find_if(zones_.begin(), zones_.end(),
                                  [&](const Zone &zone) { return zone.definition() == wanted; });
    zones.push_back(old == zones_.end() ? Zone(wanted) : std::move(*old));
  }
  zones_ = std::move(zones);

  std::vector<Threshold> thresholds;
  for (const ThresholdDefinition &wanted : definitions.thresholds) {
    const auto old = std::find_if(
        thresholds_.begin(), thresholds_.end(),
        [&](const Threshold &threshold) { return threshold.definition().name == wanted.name; });
    thresholds.push_back(old == thresholds_.end() ? Threshold(wanted) : std::move(*old));
    thresholds.back().redefine(wanted);
  }
  thresholds_ = std::move(thresholds);
  list_totals();
}

Events Rules::update(Time now, std::span<const Track> tracks, const FrameSize &frame) {
  Events events;
  for (LineCounter &counter : line_counters_) {
    const Line::Crossings crossed = counter.line.update(now, tracks, frame);
    if (crossed.in + crossed.out == 0)
      continue;
    const LineDefinition &definition = counter.line.definition();
    LineTotals &totals = totals_[definition.name];
    for (unsigned i = 0; i < crossed.in + crossed.out; i++) {
      const bool in = i < crossed.in;
      (in ? counter.in : counter.out)++;
      (in ? totals.in : totals.out)++;
      events.crossings.push_back({definition.name, definition.label, in, totals});
    }
  }
  for (Zone &zone : zones_)
    zone.update(now, tracks, frame);
  events.alarms = watch(now, tracks);
  return events;
}

std::vector<Alarm> Rules::watch(Time now, std::span<const Track> tracks) {
  std::vector<Alarm> alarms;
  for (Threshold &threshold : thresholds_) {
    const ThresholdDefinition &wanted = threshold.definition();
    std::string label = wanted.label;
    unsigned people = 0;
    if (wanted.zone.empty()) {
      people = static_cast<unsigned>(
          std::count_if(tracks.begin(), tracks.end(),
                        [&](const Track &track) { return track.present && track.label == label; }));
    } else {
      const auto zone = std::find_if(zones_.begin(), zones_.end(), [&](const Zone &each) {
        return each.definition().name == wanted.zone;
      });
      if (zone == zones_.end())
        continue;
      label = zone->definition().label;
      people = zone->people();
    }
    if (const auto change = threshold.update(now, people))
      alarms.push_back({wanted.name, wanted.zone, label, people, change->above, change->held});
  }
  return alarms;
}

RuleCounts Rules::close() {
  RuleCounts counts;
  for (LineCounter &counter : line_counters_) {
    const std::string &name = counter.line.definition().name;
    counts.lines.push_back(
        {name, std::exchange(counter.in, 0), std::exchange(counter.out, 0), totals_[name]});
  }
  for (Zone &zone : zones_)
    counts.zones.push_back({zone.definition().name, zone.close()});
  return counts;
}

void Rules::forget_tracks() {
  for (LineCounter &counter : line_counters_)
    counter.line.forget();
  for (Zone &zone : zones_)
    zone.forget();
}

void Rules::forget() {
  forget_tracks();
  for (Threshold &threshold : thresholds_)
    threshold.forget();
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
  for (const LineCounter &counter : line_counters_)
    totals_.try_emplace(counter.line.definition().name);
  std::erase_if(totals_, [this](const auto &entry) {
    return totals_.size() > kMostTotals &&
           std::none_of(line_counters_.begin(), line_counters_.end(),
                        [&](const LineCounter &counter) {
                          return counter.line.definition().name == entry.first;
                        });
  });
}

}  // namespace npc::count
