// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines, zones and thresholds as users write them in a property.
#include "npccount/ruleparser.h"

#include <gst/npc/npc.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "gstbase/shapes.h"

namespace npc::count {
namespace {

constexpr const char *kLineExample = "name,x1=0.5,y1=0,x2=0.5,y2=1; name,x1=...";
constexpr const char *kZoneExample = "name,points=<x,y,x,y,x,y>; name,points=<...>";
constexpr const char *kThresholdExample = "name,above=10,below=8,for=3000; name,zone=...";
constexpr double kWidestBand = 0.5;
constexpr double kLongestSettle = 60000;  // ms
constexpr double kLongestHold = 3600000;  // ms

std::string text_of(const GstStructure *shape, const char *field) {
  const gchar *text = gst_structure_get_string(shape, field);
  return text != nullptr ? text : "";
}

count::Time from_milliseconds(double number) {
  return std::chrono::duration_cast<count::Time>(std::chrono::duration<double, std::milli>(number));
}

// The option class of `what`, which is "The line door" or the like.
bool read_class(const GstStructure *shape, const std::string &what, std::string &label,
                std::string &error) {
  if (!gst_structure_has_field(shape, "class"))
    return true;
  label = text_of(shape, "class");
  if (gst_npc_name_is_valid(label.c_str()))
    return true;
  error = what + " has a class that is none: it has 1 to 64 letters, digits, _ or -.";
  return false;
}

// Options that lines and zones share.
template <typename Definition>
bool read_options(const GstStructure *shape, const std::string &what, Definition &definition,
                  std::string &error) {
  if (!read_class(shape, what, definition.label, error))
    return false;
  double number = 0;
  if (const GValue *band = gst_structure_get_value(shape, "band")) {
    if (!read_number(band, number) || !(number >= 0 && number <= kWidestBand)) {
      error = what + " has a band that is no number from 0 to 0.5, a share of the frame's height.";
      return false;
    }
    definition.band = number;
  }
  if (const GValue *settle = gst_structure_get_value(shape, "settle")) {
    if (!read_number(settle, number) || !(number >= 0 && number <= kLongestSettle)) {
      error = what + " has a settle that is no number of milliseconds from 0 to 60000.";
      return false;
    }
    definition.settle = from_milliseconds(number);
  }
  return true;
}

bool knows_fields(const GstStructure *shape, const std::string &what,
                  const std::vector<std::string> &known, std::string &error) {
  for (gint i = 0; i < gst_structure_n_fields(shape); i++) {
    const std::string name = gst_structure_nth_field_name(shape, static_cast<guint>(i));
    if (std::find(known.begin(), known.end(), name) != known.end())
      continue;
    error = what + " has an unknown option " + name + "; known are";
    for (const std::string &each : known)
      error += (each == known.front() ? " " : each == known.back() ? " and " : ", ") + each;
    error += ".";
    return false;
  }
  return true;
}

// Takes in a definition unless it cannot work, or another has its name.
template <typename Definition>
bool add(std::vector<Definition> &definitions, const Definition &definition,
         const std::string &what, std::string &error) {
  error = error_in(definition);
  if (!error.empty())
    return false;
  for (const Definition &other : definitions)
    if (other.name == definition.name) {
      error = what + " is defined twice: give each a name of its own.";
      return false;
    }
  definitions.push_back(definition);
  return true;
}

// What a threshold watches.
bool read_watched(const GstStructure *shape, const std::string &what,
                  count::ThresholdDefinition &threshold, std::string &error) {
  if (const GValue *zone = gst_structure_get_value(shape, "zone")) {
    // A zone may be named 1.
    g_autofree gchar *number = G_VALUE_HOLDS_STRING(zone) ? nullptr : gst_value_serialize(zone);
    threshold.zone = number != nullptr ? number : text_of(shape, "zone");
    if (!gst_npc_name_is_valid(threshold.zone.c_str())) {
      error = what + " has a zone that is none: write the name of one of the property zones.";
      return false;
    }
    if (gst_structure_has_field(shape, "class")) {
      error = what + " has a zone and a class: give the class to the zone instead.";
      return false;
    }
  }
  return read_class(shape, what, threshold.label, error);
}

bool read_people(const GstStructure *shape, const char *field, unsigned &people) {
  double number = 0;
  if (!read_number(gst_structure_get_value(shape, field), number) || !(number >= 0) ||
      number > count::Tracker::kMost || number != std::floor(number))
    return false;
  people = static_cast<unsigned>(number);
  return true;
}

bool read_bounds(const GstStructure *shape, const std::string &what,
                 count::ThresholdDefinition &threshold, std::string &error) {
  const std::string most = std::to_string(count::Tracker::kMost);
  if (!read_people(shape, "above", threshold.above)) {
    error = what + " needs an above, a whole number from 1 to " + most + ": " + threshold.name +
            ",above=10,below=8,for=3000.";
    return false;
  }
  threshold.below = std::max(threshold.above, 1u) - 1;
  if (gst_structure_has_field(shape, "below") && !read_people(shape, "below", threshold.below)) {
    error = what + " has a below that is no whole number from 0 to " + most + ".";
    return false;
  }
  double number = 0;
  if (const GValue *hold = gst_structure_get_value(shape, "for")) {
    if (!read_number(hold, number) || !(number >= 0 && number <= kLongestHold)) {
      error = what + " has a for that is no number of milliseconds from 0 to 3600000.";
      return false;
    }
    threshold.hold = from_milliseconds(number);
  }
  return true;
}

}  // namespace

bool read_lines(const char *text, std::vector<count::LineDefinition> &lines, std::string &error) {
  lines.clear();
  return read_places(
      text, kLineExample,
      [&](const std::string &name, const GstStructure *shape, std::string &error) {
        count::LineDefinition line;
        line.name = name;
        const std::string what = "The line " + line.name;
        for (const auto &[field, number] :
             {std::pair{"x1", &line.x1}, {"y1", &line.y1}, {"x2", &line.x2}, {"y2", &line.y2}}) {
          if (read_number(gst_structure_get_value(shape, field), *number))
            continue;
          error = what + " needs x1, y1, x2 and y2, numbers from 0 to 1: " + line.name +
                  ",x1=0.5,y1=0,x2=0.5,y2=1.";
          return false;
        }
        return knows_fields(shape, what, {"x1", "y1", "x2", "y2", "class", "band", "settle"},
                            error) &&
               read_options(shape, what, line, error) && add(lines, line, what, error);
      },
      error);
}

bool read_zones(const char *text, std::vector<count::ZoneDefinition> &zones, std::string &error) {
  zones.clear();
  return read_places(
      text, kZoneExample,
      [&](const std::string &name, const GstStructure *shape, std::string &error) {
        count::ZoneDefinition zone;
        zone.name = name;
        const std::string what = "The zone " + zone.name;
        Corners corners;
        if (!read_corners(name, shape, corners, error)) {
          error = "The zone " + error;
          return false;
        }
        for (const Corner &corner : corners)
          zone.points.push_back({corner.x, corner.y});
        return knows_fields(shape, what, {"points", "class", "band", "settle"}, error) &&
               read_options(shape, what, zone, error) && add(zones, zone, what, error);
      },
      error);
}

bool read_thresholds(const char *text, std::vector<count::ThresholdDefinition> &thresholds,
                     std::string &error) {
  thresholds.clear();
  return read_places(
      text, kThresholdExample,
      [&](const std::string &name, const GstStructure *shape, std::string &error) {
        count::ThresholdDefinition threshold;
        threshold.name = name;
        const std::string what = "The threshold " + name;
        return knows_fields(shape, what, {"zone", "class", "above", "below", "for"}, error) &&
               read_watched(shape, what, threshold, error) &&
               read_bounds(shape, what, threshold, error) &&
               add(thresholds, threshold, what, error);
      },
      error);
}

}  // namespace npc::count
