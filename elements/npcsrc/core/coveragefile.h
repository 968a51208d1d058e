// SPDX-License-Identifier: LGPL-2.1-or-later
// The file that keeps a coverage over restarts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "npcsrc/core/coverage.h"

namespace npc::source {

/// A coverage as text, which can be read and compared by eye:
///
///     npc-coverage 1
///     home door 5f0c9d2e41b7a386 0-48212 48214-48300 !48213-48213
///     end 1
///
/// A line for each series, the newest last, with the ranges that are stored and, behind a !, those
/// that were given up; and at the end how many lines there are.
std::string write_coverage(const Coverage &coverage);

/// Reads that again. Nothing if it is damaged.
std::optional<Coverage> read_coverage(std::string_view text);

/// Reads the coverage of a file that save_coverage() wrote; an empty one if there is no file.
///
/// A file that cannot be read or is not of that kind is renamed to `<path>.bad`.
/// @param coverage replaced; empty if it failed, which means that a record that comes twice is
/// handed on twice
Status load_coverage(const std::string &path, Coverage &coverage);

/// Writes the coverage so that after a power cut there is either the old file or the new one.
Status save_coverage(const std::string &path, const Coverage &coverage);

}  // namespace npc::source
