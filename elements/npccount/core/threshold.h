// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells when there are too many, and when there no longer are.
#pragma once

#include <optional>
#include <string>

#include "npccount/core/box.h"

namespace npc::count {

/// A threshold as a user defines it.
struct ThresholdDefinition {
  std::string name;
  /// The zone that is watched; empty: the frame.
  std::string zone;
  /// The class that is counted in the frame. A zone has its own.
  std::string label = "person";
  /// So many or more are above it, at least 1.
  unsigned above = 1;
  /// So many or fewer are below it; less than `above`. In between nothing changes.
  unsigned below = 0;
  /// How long there must be so many without a break.
  Time hold = std::chrono::seconds(1);

  bool operator==(const ThresholdDefinition &) const = default;
};

/// Why a threshold cannot work, as a sentence for the user; empty if it can.
std::string error_in(const ThresholdDefinition &threshold);

/// Watches one number. Numbers hold from one frame to the next. It begins below, so what it reports
/// of is above and below in turn, the first time above: never the same twice.
class Threshold {
 public:
  /// A change of state.
  struct Change {
    bool above = false;
    /// For so long the number has been there by now, `hold` or longer.
    Time held{};
  };

  explicit Threshold(ThresholdDefinition definition) : definition_(std::move(definition)) {}

  const ThresholdDefinition &definition() const { return definition_; }

  /// Takes in the number of one frame. @param now its time, not before the last one's
  std::optional<Change> update(Time now, unsigned number);

  /// Time begins anew. Above stays above, and below stays below.
  void forget() { since_.reset(); }

  /// Watches by another definition from the next frame on, and goes on from where it is.
  void redefine(const ThresholdDefinition &definition);

 private:
  ThresholdDefinition definition_;
  bool above_ = false;
  std::optional<Time> since_;  // when the number went to the other side
};

}  // namespace npc::count
