// SPDX-License-Identifier: LGPL-2.1-or-later
// An HTTP proxy of our own, so that Paho connects to nobody but us.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/descriptor.h"

namespace npc::mqtt {

/// Listens on the loopback interface for one client: the one that shows the secret in url().
/// Whoever else connects gets nothing.
class LoopbackProxy {
 public:
  /// Throws std::system_error.
  LoopbackProxy();

  /// What Paho is given as its proxy.
  const std::string &url() const { return url_; }
  /// Waits for the client. `rest` is what it has sent after it showed the secret. The descriptor is
  /// not open if `bell` can be read first, or after `most`; a negative `most` is no limit.
  Descriptor accept(int bell, std::chrono::milliseconds most, std::string *rest);

 private:
  // One who has connected.
  struct Caller {
    Descriptor file;
    std::string request;  // as far as it came
    std::chrono::steady_clock::time_point until;
  };
  enum class Answer { kClient, kStranger, kUnfinished };

  bool admit(std::vector<Caller> &callers) const;
  Answer read(Caller &caller) const;

  Descriptor listener_;
  std::string credentials_;  // as the client shows them
  std::string url_;
};

/// Sixteen random bytes in hexadecimal. Throws std::runtime_error if there are none.
std::string make_secret();

}  // namespace npc::mqtt
