// SPDX-License-Identifier: LGPL-2.1-or-later
// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

namespace npc {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0)
      ::close(number_);
  }
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  /// Gives it to somebody else to close.
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// What the system says of an errno.
inline std::string message_of(int error) {
  return std::generic_category().message(error);
}

}  // namespace npc
