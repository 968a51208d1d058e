// SPDX-License-Identifier: LGPL-2.1-or-later
// Named places in the picture as users write them in a property.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <string>
#include <vector>

#include "base/polygon.h"

namespace npc {

/// Reads one place, whose name is not that of the structure: returns false with `error` set to a
/// sentence for the user.
using PlaceReader =
    std::function<bool(const std::string &name, const GstStructure *shape, std::string &error)>;

/// Takes a text in GstStructure syntax apart, places separated by semicolons, and hands each to
/// `read`; invalid names are refused before. An empty or null text has none. `example` is
/// what a user should have written. Returns false with `error` set at the first that cannot be
/// read, and at once if the text is longer than 64 KiB or has brackets in brackets.
bool read_places(const char *text, const char *example, const PlaceReader &read,
                 std::string &error);

/// Reads a number that a user wrote: 0 and 1 as well as 0.0 and 1.0. Returns false if `value` is
/// null or something else.
bool read_number(const GValue *value, double &number);

/// Reads the field `points=<x,y,x,y,x,y>` of a place: 3 to 1000 corners. Returns false with
/// `error` set to a sentence for the user.
bool read_corners(const std::string &name, const GstStructure *shape, Corners &corners,
                  std::string &error);

/// Reads polygons that do not cross themselves: `name,points=<x,y,x,y,x,y>; ...`. Returns false
/// with `error` set to a sentence for the user.
bool read_polygons(const char *text, std::vector<Corners> &polygons, std::string &error);

}  // namespace npc
