// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kinds of receivers there are.
#include "npcsrc/receivers/registry.h"

#include <array>
#include <string>

#include "base/uri.h"
#include "npcsrc/receivers/file.h"
#include "npcsrc/receivers/lora/lora.h"
#include "npcsrc/receivers/mqtt.h"
#include "npcsrc/receivers/unix.h"

namespace npc::source {
namespace {

struct Kind {
  const char *scheme;
  std::unique_ptr<Receiver> (*make)(const Uri &uri);
};
constexpr std::array kKinds = {Kind{"file", make_file_receiver}, Kind{"lora", make_lora_receiver},
                               Kind{"mqtt", make_mqtt_receiver}, Kind{"mqtts", make_mqtt_receiver},
                               Kind{"unix", make_unix_receiver}};

std::unique_ptr<Receiver> make(std::string_view text) {
  const std::string scheme = scheme_of(text);
  std::string known;
  for (const Kind &kind : kKinds) {
    if (scheme == kind.scheme)
      return kind.make(parse_uri(text));
    known.append(known.empty() ? "" : ", ").append(kind.scheme).append(":");
  }
  throw UriError(text, scheme.empty()
                           ? "it must begin with one of " + known
                           : "there is no receiver " + scheme + ":, it must be one of " + known);
}

}  // namespace

const char *const *receiver_schemes() {
  static const auto schemes = [] {
    std::array<const char *, kKinds.size() + 1> made = {};
    for (std::size_t i = 0; i < kKinds.size(); i++)
      made[i] = kKinds[i].scheme;
    return made;
  }();
  return schemes.data();
}

std::unique_ptr<Receiver> make_receiver(std::string_view uri) {
  try {
    return make(uri);
  } catch (const UriError &error) {
    throw error.as("receiver");
  }
}

}  // namespace npc::source
