// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place where the JSON of a record is read.
#include "npcsink/record.h"

#include <utility>

namespace npc::sink {
namespace {

using Counts = std::shared_ptr<const GstNpcCounts>;

Counts parse(std::string_view json, GError **error) {
  GstNpcCounts *counts =
      gst_npc_counts_from_json(json.data(), static_cast<gssize>(json.size()), error);
  return counts != nullptr ? Counts(counts, gst_npc_counts_free) : Counts();
}

std::string take(gchar *text) {
  const std::unique_ptr<gchar, decltype(&g_free)> owner(text, g_free);
  return text;
}

// What updaters get of counts that are written as `json`.
Record record_of(Counts counts, std::string json) {
  return {counts->site,
          counts->camera,
          std::move(json),
          take(gst_npc_counts_to_line_protocol(counts.get())),
          counts->boot,
          static_cast<std::int64_t>(counts->seq),
          static_cast<std::int64_t>(counts->time),
          std::move(counts)};
}

}  // namespace

std::optional<Record> read_record(std::string_view json, std::string *error) {
  GError *refused = nullptr;
  Counts counts = parse(json, &refused);
  if (!counts) {
    *error = refused->message;
    g_clear_error(&refused);
    return {};
  }
  std::string text = take(gst_npc_counts_to_json(counts.get()));
  return record_of(std::move(counts), std::move(text));
}

bool complete_record(Record &record) {
  if (record.counts)
    return true;
  Counts counts = parse(record.json, nullptr);
  if (!counts)
    return false;
  record = record_of(std::move(counts), std::move(record.json));
  return true;
}

}  // namespace npc::sink
