// SPDX-License-Identifier: LGPL-2.1-or-later
// Certificates for servers of our own, and for us.
#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace npc::test {

/// An authority and what it signed, in files of a directory.
class Authority {
 public:
  Authority();
  /// Makes `<name>.crt` and `<name>.key` for a subject such as IP:127.0.0.1, valid for `days`.
  bool sign(const std::string &name, const std::string &subject, int days) const;
  std::string certificate() const { return directory_ / "ca.crt"; }
  std::string operator/(const std::string &name) const { return directory_ / name; }

 private:
  bool openssl(const std::vector<std::string> &arguments) const;
  TemporaryDirectory directory_;
};

}  // namespace npc::test
