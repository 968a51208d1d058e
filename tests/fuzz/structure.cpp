// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes reading a record from a structure. It is built here, not by gst_structure_from_string():
// that one leaks on texts which are no structures, and would be all that is found.
#include <fuzzer/FuzzedDataProvider.h>

#include <string>

#include "fuzz/fuzz.h"

using namespace npc::fuzz;

namespace {

// Names of fields are never forgotten by GLib: random ones would look like a leak.
constexpr const char *kNames[] = {
    "version",
    "site",
    "camera",
    "boot",
    "seq",
    "time",
    "interval",
    "people",
    "moving",
    "people_max",
    "faces",
    "flags",
    "objects",
    "lines",
    "zones",
    "in",
    "out",
    "in_total",
    "dwell",
    "entered",
    "out_total",
    "door",
    "queue",
    "car",
    "later",
    "0",
    "-",
    "_",
    "a b",
    "a.b",
    "a=b",
    "\xc3\xa9",
    "\n",
    "\"",
    "\\",
    "traffic light",
    "a name of more than sixty-four bytes is not one of those that are allowed",
    "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz_"};

// A structure takes no text that is not UTF-8.
std::string pick_text(FuzzedDataProvider &data) {
  const std::string bytes = data.ConsumeRandomLengthString(GST_NPC_NAME_MAX + 2);
  const Text text(g_utf8_make_valid(bytes.data(), static_cast<gssize>(bytes.size())), g_free);
  return text.get();
}

Counts read_structure(const GstStructure *structure) {
  GError *error = nullptr;
  GstNpcCounts *counts = gst_npc_counts_from_structure(structure, &error);
  return take(counts, error);
}

void change(FuzzedDataProvider &data, GstStructure *structure, int depth) {
  const char *name = data.PickValueInArray(kNames);
  enum { kInt, kUint, kUint64, kInt64, kText, kNoText, kDouble, kFlags, kTable, kNone, kRemove };
  switch (data.ConsumeIntegralInRange<int>(kInt, kRemove)) {
    case kInt:
      gst_structure_set(structure, name, G_TYPE_INT, data.ConsumeIntegral<gint>(), nullptr);
      break;
    case kUint:
      gst_structure_set(structure, name, G_TYPE_UINT, data.ConsumeIntegral<guint>(), nullptr);
      break;
    case kUint64:
      gst_structure_set(structure, name, G_TYPE_UINT64, data.ConsumeIntegral<guint64>(), nullptr);
      break;
    case kInt64:
      gst_structure_set(structure, name, G_TYPE_INT64, data.ConsumeIntegral<gint64>(), nullptr);
      break;
    case kText:
      gst_structure_set(structure, name, G_TYPE_STRING, pick_text(data).c_str(), nullptr);
      break;
    case kNoText:
      gst_structure_set(structure, name, G_TYPE_STRING, nullptr, nullptr);
      break;
    case kDouble:
      gst_structure_set(structure, name, G_TYPE_DOUBLE, data.ConsumeFloatingPoint<double>(),
                        nullptr);
      break;
    case kFlags:
      gst_structure_set(structure, name, GST_TYPE_NPC_COUNTS_FLAGS, data.ConsumeIntegral<guint>(),
                        nullptr);
      break;
    case kTable: {
      GstStructure *table = gst_structure_new_empty("table");
      for (int i = data.ConsumeIntegral<guint8>(); i > 0 && data.remaining_bytes() > 0; i--)
        if (depth < 3)
          change(data, table, depth + 1);
      gst_structure_set(structure, name, GST_TYPE_STRUCTURE, table, nullptr);
      gst_structure_free(table);
      break;
    }
    case kNone:
      gst_structure_set(structure, name, GST_TYPE_STRUCTURE, nullptr, nullptr);
      break;
    default:
      gst_structure_remove_field(structure, name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const Counts start = read_json(
      R"({"version":1,"site":"home","camera":"door","boot":"5f0c","seq":48213,"time":1767225600000,)"
      R"("interval":2000,"people":3,"people_max":4,"objects":{"car":2},"lines":{"door":{"in":5}},)"
      R"("zones":{"queue":{"people":2,"dwell":31000}},"flags":["degraded"]})",
      -1);
  GstStructure *structure = gst_npc_counts_to_structure(start.get());
  FuzzedDataProvider data(bytes, size);
  while (data.remaining_bytes() > 0)
    change(data, structure, 0);
  const Counts counts = read_structure(structure);
  gst_structure_free(structure);
  if (counts) {
    require(fits(json_of(counts)), "an accepted record can be passed on");
    require_round_trips(counts);
    GstStructure *again = gst_npc_counts_to_structure(counts.get());
    require_same(counts, read_structure(again));
    gst_structure_free(again);
  }
  return 0;
}
