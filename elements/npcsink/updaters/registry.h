// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kinds of updaters there are.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"

namespace npc::sink {

/// The kinds of updaters, by the scheme of their URI.
class Registry {
 public:
  /// Makes an updater from a URI of its scheme. Throws UriError.
  using Factory = std::function<std::unique_ptr<Updater>(const Uri &uri)>;

  /// All that there are.
  static const Registry &standard();

  void add(const std::string &scheme, Factory factory);

  /// Makes the updater that `text` names. Throws UriError.
  std::unique_ptr<Updater> make(std::string_view text) const;

 private:
  std::map<std::string, Factory> factories_;
};

}  // namespace npc::sink
