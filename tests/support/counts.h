// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts for tests, and the three forms of a record as C++ strings.
#pragma once

#include <gst/npc/npc.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/owned.h"

namespace npc::test {

using Counts = Owned<GstNpcCounts>;
using Structure = Owned<GstStructure>;

inline Counts own(GstNpcCounts *counts) {
  return Counts(counts);
}

inline std::string own(gchar *text) {
  const std::unique_ptr<gchar, decltype(&g_free)> owner(text, g_free);
  return text != nullptr ? text : "";
}

inline Structure own(GstStructure *structure) {
  return Structure(structure);
}

inline std::string to_json(const Counts &counts) {
  return own(gst_npc_counts_to_json(counts.get()));
}

inline std::string to_lines(const Counts &counts) {
  return own(gst_npc_counts_to_line_protocol(counts.get()));
}

inline Structure to_structure(const Counts &counts) {
  return own(gst_npc_counts_to_structure(counts.get()));
}

/// What a reader answered: a record or an error, never both and never neither.
struct Answer {
  Counts counts;
  int code = -1;
  std::string message = {};
};

inline Answer answer(GstNpcCounts *counts, GError *error) {
  Answer answer{own(counts)};
  EXPECT_NE(counts == nullptr, error == nullptr);
  if (error != nullptr) {
    EXPECT_EQ(error->domain, GST_NPC_ERROR);
    answer.code = error->code;
    answer.message = error->message;
    g_error_free(error);
  }
  return answer;
}

inline Answer from_json(const std::string &text) {
  GError *error = nullptr;
  GstNpcCounts *counts =
      gst_npc_counts_from_json(text.data(), static_cast<gssize>(text.size()), &error);
  return answer(counts, error);
}

inline Answer from_lines(const std::string &text) {
  GError *error = nullptr;
  GstNpcCounts *counts =
      gst_npc_counts_from_line_protocol(text.data(), static_cast<gssize>(text.size()), &error);
  return answer(counts, error);
}

inline Answer from_structure(const Structure &structure) {
  GError *error = nullptr;
  GstNpcCounts *counts = gst_npc_counts_from_structure(structure.get(), &error);
  return answer(counts, error);
}

inline void add_object(const Counts &counts, const std::string &name, guint count) {
  gst_npc_counts_add_object(counts.get(), name.c_str())->count = count;
}

inline void add_line(const Counts &counts, const std::string &name, guint in, guint out,
                     guint64 in_total, guint64 out_total) {
  GstNpcLineCount *line = gst_npc_counts_add_line(counts.get(), name.c_str());
  line->in = in;
  line->out = out;
  line->in_total = in_total;
  line->out_total = out_total;
}

inline void add_zone(const Counts &counts, const std::string &name, guint people, guint people_max,
                     guint entered, guint64 dwell) {
  GstNpcZoneCount *zone = gst_npc_counts_add_zone(counts.get(), name.c_str());
  zone->people = people;
  zone->people_max = people_max;
  zone->entered = entered;
  zone->dwell = dwell;
}

inline Counts named(const std::string &site, const std::string &camera, const std::string &boot) {
  return own(gst_npc_counts_new(site.c_str(), camera.c_str(), boot.c_str()));
}

/// The record that the design shows.
inline Counts example(const std::string &boot = "5f0c") {
  Counts counts = named("home", "door", boot);
  counts->seq = 48213;
  counts->time = 1767225600000;
  counts->interval = 2000;
  counts->people = 3;
  counts->people_max = 4;
  counts->moving = 1;
  counts->faces = 1;
  add_object(counts, "car", 2);
  add_line(counts, "door", 5, 4, 1204, 1187);
  add_zone(counts, "queue", 2, 3, 4, 31000);
  counts->flags = GST_NPC_COUNTS_FLAG_DEGRADED;
  return counts;
}

inline constexpr char kExampleJson[] =
    R"({"version":1,"site":"home","camera":"door","boot":"5f0c","seq":48213,)"
    R"("time":1767225600000,"interval":2000,"people":3,"people_max":4,"moving":1,"faces":1,)"
    R"("objects":{"car":2},"lines":{"door":{"in":5,"out":4,"in_total":1204,"out_total":1187}},)"
    R"("zones":{"queue":{"people":2,"people_max":3,"entered":4,"dwell":31000}},)"
    R"("flags":["degraded"]})";

inline constexpr char kExampleLines[] =
    "npc,camera=door,site=home people=3i,people_max=4i,moving=1i,faces=1i,seq=48213i,"
    "interval=2000i,boot=\"5f0c\",flags=\"degraded\" 1767225600000953380\n"
    "npc_object,camera=door,class=car,site=home count=2i 1767225600000953380\n"
    "npc_line,camera=door,line=door,site=home in=5i,out=4i,in_total=1204i,out_total=1187i "
    "1767225600000953380\n"
    "npc_zone,camera=door,site=home,zone=queue people=2i,people_max=3i,entered=4i,dwell=31000i "
    "1767225600000953380";

/// The text with one part of it replaced; the part must be there.
inline std::string with(std::string text, const std::string &part, const std::string &other) {
  const size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return at == std::string::npos ? text : text.replace(at, part.size(), other);
}

}  // namespace npc::test
