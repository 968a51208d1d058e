// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells when there are too many, and when there no longer are.
#include "npccount/core/threshold.h"

namespace npc::count {

std::string error_in(const ThresholdDefinition &threshold) {
  const std::string name = "The threshold " + threshold.name;
  if (threshold.above == 0)
    return name + " is always reached: above must be 1 or more.";
  if (threshold.below >= threshold.above)
    return name + " has a below of " + std::to_string(threshold.below) + " and an above of " +
           std::to_string(threshold.above) + ": below must be the smaller one.";
  return {};
}

std::optional<Threshold::Change> Threshold::update(Time now, unsigned number) {
  const bool beyond = above_ ? number <= definition_.below : number >= definition_.above;
  if (!beyond) {
    since_.reset();
    return std::nullopt;
  }
  if (!since_)
    since_ = now;
  const Time held = now - *since_;
  if (held < definition_.hold)
    return std::nullopt;
  above_ = !above_;
  since_.reset();
  return Change{above_, held};
}

void Threshold::redefine(const ThresholdDefinition &definition) {
  if (definition == definition_)
    return;
  definition_ = definition;
  since_.reset();
}

}  // namespace npc::count
