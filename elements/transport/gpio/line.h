// SPDX-License-Identifier: LGPL-2.1-or-later
// Single lines of GPIO chips, whichever libgpiod there is.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace npc::gpio {

/// Which line, and which of its levels is active.
struct LineId {
  std::string chip;  ///< name, label or path
  unsigned line = 0;
  bool active_low = false;
};

/// An output that is ours.
class Output {
 public:
  /// Gives the line back as it is.
  virtual ~Output() = default;
  virtual Status set(bool active) = 0;
};

/// An input whose changes are noticed.
class Input {
 public:
  virtual ~Input() = default;
  virtual Status read(bool *active) = 0;
  /// Can be read once the line has become active, and until clear().
  virtual int descriptor() const = 0;
  /// Forgets that the line has become active.
  virtual void clear() = 0;
};

/// Takes a line as an output that is not active, or that is. `consumer` is what gpioinfo shows.
/// gpiod1.cpp or gpiod2.cpp, by the version of libgpiod.
Status open_output(const LineId &place, const char *consumer, bool active,
                   std::unique_ptr<Output> *line);
/// Takes a line as an input.
Status open_input(const LineId &place, const char *consumer, std::unique_ptr<Input> *line);

/// Sentences for both of them; `error` is an errno.
std::string cannot_open_chip(const LineId &place, int error);
std::string no_such_line(const LineId &place, std::size_t lines);
/// `use` is what for, as in "an output"; `consumer` may be null.
std::string cannot_take_line(const LineId &place, const std::string &use, int error,
                             const char *consumer);
std::string cannot_set_line(const LineId &place, int error);
std::string cannot_read_line(const LineId &place, int error);

}  // namespace npc::gpio
