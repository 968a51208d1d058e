// SPDX-License-Identifier: LGPL-2.1-or-later
// Polygons as users write them in a property.
#pragma once

#include <string>
#include <vector>

#include "picture.h"

namespace npc {

/// Reads polygons in GstStructure syntax: `name,points=<x,y,x,y,x,y>`, several separated by
/// semicolons, corners in fractions of the frame (0 to 1, origin at the upper left). An empty or
/// null text has none. Returns false with `error` set to a sentence for the user.
bool parse_polygons(const char *text, std::vector<Polygon> &polygons, std::string &error);

}  // namespace npc
