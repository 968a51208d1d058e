// SPDX-License-Identifier: LGPL-2.1-or-later
// One output line of a GPIO chip, whichever libgpiod there is.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace npc::sink {

/// Which line, and which of its levels is active.
struct GpioLineId {
  std::string chip;  ///< name, label or path
  unsigned line = 0;
  bool active_low = false;
};

/// A line that is ours.
class GpioLine {
 public:
  /// Gives the line back as it is.
  virtual ~GpioLine() = default;
  virtual Status set(bool active) = 0;
};

/// Takes a line as an output that is not active. gpiod1.cpp or gpiod2.cpp, by the version of
/// libgpiod.
Status open_gpio_line(const GpioLineId &place, std::unique_ptr<GpioLine> *line);

/// Sentences for both of them; `error` is an errno.
std::string cannot_open_chip(const GpioLineId &place, int error);
std::string no_such_line(const GpioLineId &place, std::size_t lines);
/// `consumer` may be null.
std::string cannot_take_line(const GpioLineId &place, int error, const char *consumer);
std::string cannot_set_line(const GpioLineId &place, int error);

}  // namespace npc::sink
