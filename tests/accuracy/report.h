// SPDX-License-Identifier: LGPL-2.1-or-later
// The figures as a table for people and as JSON for plots.
#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "accuracy/clip.h"
#include "accuracy/score.h"

namespace npc::accuracy {

// One detector on one clip.
struct Row {
  std::string detector;
  Pass pass;  // its windows compared with the truth
  std::optional<CrossingScore> crossings;
  std::optional<Identities> identities;
  std::optional<double> sweep_f1;  // mean over the lines of the sweep

  Error people() const { return error_of(pass.windows, &Counts::people); }
  Error moving() const { return error_of(pass.windows, &Counts::moving); }
};

struct ClipReport {
  std::string clip;
  double window_seconds = 0;
  bool has_people = false;  // in the truth
  bool has_moving = false;  // nobody marked in all clips who moves
  int entered = 0;          // into the zone, in truth
  std::string line;         // empty: none
  std::vector<TrueCrossing> crossings;
  std::vector<Row> rows;
};

void print_table(std::ostream &out, const ClipReport &report);

// One line for each clip and detector, the worst first.
void print_summary(std::ostream &out, std::span<const ClipReport> reports);

// Throws std::runtime_error if the file cannot be written.
void write_json(const std::filesystem::path &file, std::span<const ClipReport> reports);

}  // namespace npc::accuracy
