// SPDX-License-Identifier: LGPL-2.1-or-later
// Records for tests of npcsink's core.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "npcsink/record.h"

namespace npc::test {

using sink::read_record;
using sink::Record;

/// A record whose text has this number; the texts sort as the numbers do.
inline Record numbered(int number, const std::string &camera = "door") {
  char text[32];
  std::snprintf(text, sizeof(text), "{\"seq\":%08d}", number);
  const std::shared_ptr<GstNpcCounts> counts(gst_npc_counts_new("home", camera.c_str(), "5f0c"),
                                             gst_npc_counts_free);
  counts->seq = static_cast<guint64>(number);
  counts->time = 1767225600000 + counts->seq;
  return {"home",
          camera,
          text,
          "npc,camera=" + camera + " seq=" + std::to_string(number) + "i",
          "5f0c",
          number,
          1767225600000 + number,
          counts};
}

/// The record that has this in its JSON, behind what names it: `time`, `interval` and `people` must
/// be there.
inline Record record_of(const std::string &rest, const std::string &camera = "door") {
  std::string error;
  return read_record(R"({"version":1,"site":"home","camera":")" + camera +
                         R"(","boot":"5f0c","seq":0,)" + rest + "}",
                     &error)
      .value();
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
