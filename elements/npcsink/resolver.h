// SPDX-License-Identifier: LGPL-2.1-or-later
// Host names to addresses, without being held up by a dead name server.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace npc {

/// What a name stands for.
struct Addresses {
  std::vector<std::string> numbers;  ///< of each family the preferred one, IPv6 without brackets
  std::string failure;               ///< why there are none, as a sentence
};

/// Resolves one host name at a time, on a thread of its own.
class Resolver {
 public:
  /// Waits up to `patience`. A look-up that takes longer goes on, and the next call waits for it.
  /// After a stop request there may be neither addresses nor a failure.
  Addresses resolve(const std::string &host, std::chrono::milliseconds patience,
                    std::stop_token stop);

 private:
  struct Lookup;
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace npc
