// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines, zones and thresholds as users write them in a property.
#pragma once

#include <string>
#include <vector>

#include "npccount/core/rules.h"

namespace npc::count {

/// Reads `door,x1=0.5,y1=0,x2=0.5,y2=1; exit,...`, with the options class, band and settle. An
/// empty or null text has none. Returns false with `error` set to a sentence for the user.
bool read_lines(const char *text, std::vector<count::LineDefinition> &lines, std::string &error);

/// Reads `queue,points=<0.1,0.1,0.4,0.1,0.4,0.6>; ...`, with the options of a line.
bool read_zones(const char *text, std::vector<count::ZoneDefinition> &zones, std::string &error);

/// Reads `crowd,above=10,below=8,for=3000; queue-long,zone=queue,above=4`, with the option class.
/// Whether there are such zones is for error_in().
bool read_thresholds(const char *text, std::vector<count::ThresholdDefinition> &thresholds,
                     std::string &error);

}  // namespace npc::count
