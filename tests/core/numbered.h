// SPDX-License-Identifier: LGPL-2.1-or-later
// Records for tests of npcsink's core.
#pragma once

#include <cstdio>
#include <string>

#include "npcsink/record.h"

namespace npc::test {

/// A record whose text has this number; the texts sort as the numbers do.
inline Record numbered(int number, const std::string &camera = "door") {
  char text[32];
  std::snprintf(text, sizeof(text), "{\"seq\":%08d}", number);
  return {"home",
          camera,
          text,
          "npc,camera=" + camera + " seq=" + std::to_string(number) + "i",
          "5f0c",
          number,
          1767225600000 + number};
}

}  // namespace npc::test
