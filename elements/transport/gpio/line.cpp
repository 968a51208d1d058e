// SPDX-License-Identifier: LGPL-2.1-or-later
// What is said about GPIO lines that cannot be had.
#include "transport/gpio/line.h"

#include <cerrno>

#include "base/descriptor.h"

namespace npc::gpio {
namespace {

std::string named(const LineId &place) {
  return "ine " + std::to_string(place.line) + " of the GPIO chip \"" + place.chip + "\"";
}

}  // namespace

std::string cannot_open_chip(const LineId &place, int error) {
  const std::string chip = "GPIO chip \"" + place.chip + "\"";
  if (error == ENOENT || error == ENOTTY || error == ENODEV)
    return "There is no " + chip + ": gpiodetect lists the chips, each with name and label.";
  if (error == EACCES || error == EPERM)
    return "The " + chip + " may not be opened: add the user to the group gpio.";
  return "The " + chip + " cannot be opened: " + message_of(error) + ".";
}

std::string no_such_line(const LineId &place, std::size_t lines) {
  return "There is no l" + named(place) + ": it has " + std::to_string(lines) +
         " lines, from 0 on; gpioinfo lists them.";
}

std::string cannot_take_line(const LineId &place, const std::string &use, int error,
                             const char *consumer) {
  if (error == EBUSY) {
    return "L" + named(place) + " is in use" +
           (consumer != nullptr ? " by \"" + std::string(consumer) + "\"" : std::string()) +
           ": gpioinfo lists who uses what.";
  }
  return "L" + named(place) + " cannot be " + use + ": " + message_of(error) + ".";
}

std::string cannot_set_line(const LineId &place, int error) {
  return "L" + named(place) + " cannot be set: " + message_of(error) + ".";
}

std::string cannot_read_line(const LineId &place, int error) {
  return "L" + named(place) + " cannot be read: " + message_of(error) + ".";
}

}  // namespace npc::gpio
