// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes reading a record from JSON.
#include "fuzz/fuzz.h"

using namespace npc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Counts counts = read_json(reinterpret_cast<const gchar *>(data), static_cast<gssize>(size));
  if (counts) {
    require(fits(json_of(counts)), "an accepted record can be passed on");
    require_round_trips(counts);
  }
  return 0;
}
