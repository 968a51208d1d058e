// SPDX-License-Identifier: LGPL-2.1-or-later
// Named places in the picture as users write them in a property.
#include "gstbase/shapes.h"

#include <gst/npc/npc.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace npc {
namespace {

using Structure = std::unique_ptr<GstStructure, decltype(&gst_structure_free)>;

constexpr const char *kBetween = " \t\r\n;";

// Texts come from users, and from programs that make them.
constexpr std::size_t kLongestText = 65536;
constexpr std::size_t kMostShown = 100;
constexpr guint kMostCorners = 1000;

// GStreamer's parser calls itself for each bracket in a bracket, until the stack ends. Places need
// none: in brackets there are numbers, and no quotes that would hide a bracket. And where a bracket
// is not closed, it loses memory.
const char *bracket_error(std::string_view text) {
  constexpr std::string_view kOpening = "<{[", kClosing = ">}]";
  char awaited = '\0';
  for (char c : text) {
    if (c == awaited)
      awaited = '\0';
    else if (awaited != '\0' && std::string_view("<{[>}]\"\\").find(c) != std::string_view::npos)
      return "There are brackets or quotes in brackets";
    else if (const auto found = kOpening.find(c); found != std::string_view::npos)
      awaited = kClosing[found];
  }
  return awaited != '\0' ? "A bracket is not closed" : nullptr;
}

}  // namespace

bool read_places(const char *text, const char *example, const PlaceReader &read,
                 std::string &error) {
  std::string rest = text != nullptr ? text : "";
  if (rest.size() > kLongestText) {
    error = "The text has more than " + std::to_string(kLongestText) + " bytes: leave some out.";
    return false;
  }
  if (const char *wrong = bracket_error(rest)) {
    error = std::string(wrong) + ": write " + example + ".";
    return false;
  }
  while (rest.find_first_not_of(kBetween) != std::string::npos) {
    rest.erase(0, rest.find_first_not_of(kBetween));
    gchar *end = nullptr;
    // GStreamer's names begin with a letter, those of places need not.
    const std::string lettered = 'n' + rest;
    const Structure shape(gst_structure_from_string(lettered.c_str(), &end), gst_structure_free);
    const std::string name = shape ? gst_structure_get_name(shape.get()) + 1 : "";
    if (name.empty()) {
      g_autofree gchar *shown =
          g_utf8_make_valid(rest.c_str(), static_cast<gssize>(std::min(rest.size(), kMostShown)));
      error = "Cannot read \"" + std::string(shown) + "\": write " + example + ".";
      return false;
    }
    if (!gst_npc_name_is_valid(name.c_str())) {
      error = "The name " + name + " may hold letters, digits, _ and - only, 64 at most.";
      return false;
    }
    if (!read(name, shape.get(), error))
      return false;
    rest.erase(0, end - lettered.c_str() - 1);
  }
  return true;
}

bool read_number(const GValue *value, double &number) {
  if (value == nullptr)
    return false;
  if (G_VALUE_HOLDS_DOUBLE(value))
    number = g_value_get_double(value);
  else if (G_VALUE_HOLDS_INT(value))
    number = g_value_get_int(value);
  else
    return false;
  return true;
}

bool read_corners(const std::string &name, const GstStructure *shape, Corners &corners,
                  std::string &error) {
  const GValue *points = gst_structure_get_value(shape, "points");
  const guint size =
      points != nullptr && GST_VALUE_HOLDS_ARRAY(points) ? gst_value_array_get_size(points) : 0;
  if (size < 6 || size % 2 != 0) {
    error = name + " needs at least three corners: " + name + ",points=<x,y,x,y,x,y>.";
    return false;
  }
  if (size / 2 > kMostCorners) {
    error = name + " has more than " + std::to_string(kMostCorners) + " corners: leave some out.";
    return false;
  }
  corners.clear();
  for (guint i = 0; i < size; i += 2) {
    Corner corner;
    // Written so that not-a-number is refused too.
    if (!read_number(gst_value_array_get_value(points, i), corner.x) ||
        !read_number(gst_value_array_get_value(points, i + 1), corner.y) ||
        !(corner.x >= 0 && corner.x <= 1) || !(corner.y >= 0 && corner.y <= 1)) {
      error = name + " has a corner that is not two numbers from 0 to 1, fractions of the frame.";
      return false;
    }
    corners.push_back(corner);
  }
  return true;
}

bool read_polygons(const char *text, std::vector<Corners> &polygons, std::string &error) {
  polygons.clear();
  return read_places(
      text, "name,points=<x,y,x,y,x,y>; name,points=<...>",
      [&](const std::string &name, const GstStructure *shape, std::string &error) {
        Corners &corners = polygons.emplace_back();
        if (!read_corners(name, shape, corners, error))
          return false;
        if (crosses_itself(corners))
          error = name + " crosses or touches itself: list its corners in order, each once.";
        return error.empty();
      },
      error);
}

}  // namespace npc
