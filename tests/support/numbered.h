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

/// What a store has made of a record of which it has the text only. Others are refused.
inline bool complete(Record &record) {
  int number;
  const bool good = std::sscanf(record.json.c_str(), "{\"seq\":%d}", &number) == 1;
  if (good)
    record = numbered(number);
  return good;
}

}  // namespace npc::test
