// SPDX-License-Identifier: LGPL-2.1-or-later
// Polygons as users write them in a property.
#include "regions.h"

#include <gst/npc/npc.h>

#include <memory>

namespace npc {
namespace {

using Structure = std::unique_ptr<GstStructure, decltype(&gst_structure_free)>;

/// Users write 0 and 1 as well as 0.0 and 1.0.
bool number_of(const GValue *value, double &number) {
  if (G_VALUE_HOLDS_DOUBLE(value))
    number = g_value_get_double(value);
  else if (G_VALUE_HOLDS_INT(value))
    number = g_value_get_int(value);
  else
    return false;
  return true;
}

bool parse_polygon(const GstStructure *structure, Polygon &polygon, std::string &error) {
  const std::string name = gst_structure_get_name(structure);
  if (!gst_npc_name_is_valid(name.c_str())) {
    error = "The name " + name + " may hold letters, digits, _ and - only, 64 at most.";
    return false;
  }
  const GValue *points = gst_structure_get_value(structure, "points");
  const guint size =
      points != nullptr && GST_VALUE_HOLDS_ARRAY(points) ? gst_value_array_get_size(points) : 0;
  if (size < 6 || size % 2 != 0) {
    error = name + " needs at least three corners: " + name + ",points=<x,y,x,y,x,y>.";
    return false;
  }
  for (guint i = 0; i < size; i += 2) {
    double x = 0, y = 0;
    // Written so that not-a-number is refused too.
    if (!number_of(gst_value_array_get_value(points, i), x) ||
        !number_of(gst_value_array_get_value(points, i + 1), y) || !(x >= 0 && x <= 1) ||
        !(y >= 0 && y <= 1)) {
      error = name + " has a corner that is not two numbers from 0 to 1, fractions of the frame.";
      return false;
    }
    polygon.emplace_back(static_cast<float>(x), static_cast<float>(y));
  }
  return true;
}

}  // namespace

bool parse_polygons(const char *text, std::vector<Polygon> &polygons, std::string &error) {
  polygons.clear();
  std::string rest = text != nullptr ? text : "";
  while (rest.find_first_not_of(" \t\r\n;") != std::string::npos) {
    rest.erase(0, rest.find_first_not_of(" \t\r\n;"));
    gchar *end = nullptr;
    const Structure structure(gst_structure_from_string(rest.c_str(), &end), gst_structure_free);
    if (!structure) {
      error = "Cannot read \"" + rest + "\": write name,points=<x,y,x,y,x,y>; name,points=<...>.";
      return false;
    }
    Polygon polygon;
    if (!parse_polygon(structure.get(), polygon, error))
      return false;
    polygons.push_back(std::move(polygon));
    rest.erase(0, end - rest.c_str());
  }
  return true;
}

}  // namespace npc
