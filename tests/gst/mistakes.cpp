// SPDX-License-Identifier: LGPL-2.1-or-later
// Mistakes of the program with GstNpcCounts are critical warnings, and nothing comes of them.
#include <functional>
#include <string>
#include <vector>

#include "support/counts.h"

namespace npc::test {
namespace {

const std::string kLongName(GST_NPC_NAME_MAX + 1, 'n');

/// Counts the critical warnings of the library instead of ending the process.
class Criticals {
 public:
  Criticals()
      : fatal_(g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK))),
        handler_(g_log_set_handler(
            "GStreamer-Npc", G_LOG_LEVEL_CRITICAL,
            [](const gchar *, GLogLevelFlags, const gchar *, gpointer count) {
              ++*static_cast<int *>(count);
            },
            &count_)) {}
  ~Criticals() {
    g_log_remove_handler("GStreamer-Npc", handler_);
    g_log_set_always_fatal(fatal_);
  }
  Criticals(const Criticals &) = delete;
  Criticals &operator=(const Criticals &) = delete;
  int count() const { return count_; }

 private:
  int count_ = 0;
  GLogLevelFlags fatal_;
  guint handler_;
};

TEST(Mistakes, WithNullAreWarnings) {
  gst_npc_counts_free(nullptr);
  const Criticals criticals;
  EXPECT_EQ(gst_npc_counts_copy(nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_to_json(nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_to_line_protocol(nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_to_structure(nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_json(nullptr, -1, nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_json("{}", -2, nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_line_protocol(nullptr, 0, nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_structure(nullptr, nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_message(nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_to_message(nullptr, nullptr, 0, 0, 0, 0), nullptr);
  EXPECT_EQ(criticals.count(), 10);
}

TEST(Mistakes, WithNamesAndPlacesAreWarnings) {
  const Counts counts = example();
  const Criticals criticals;
  EXPECT_EQ(gst_npc_counts_new("", "door", "5f0c"), nullptr);
  EXPECT_EQ(gst_npc_counts_new("home", nullptr, "5f0c"), nullptr);
  EXPECT_EQ(gst_npc_counts_new("home", "door", kLongName.c_str()), nullptr);
  EXPECT_EQ(gst_npc_counts_add_object(counts.get(), "traffic light"), nullptr);
  EXPECT_EQ(gst_npc_counts_add_object(counts.get(), "car"), nullptr);
  EXPECT_EQ(gst_npc_counts_add_line(counts.get(), "door"), nullptr);
  EXPECT_EQ(gst_npc_counts_add_zone(counts.get(), nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_get_object(counts.get(), 1), nullptr);
  EXPECT_EQ(gst_npc_counts_get_line(counts.get(), 1), nullptr);
  EXPECT_EQ(gst_npc_counts_get_zone(counts.get(), G_MAXUINT), nullptr);
  gst_npc_counts_remove_line(counts.get(), 1);
  EXPECT_EQ(criticals.count(), 11);
  EXPECT_EQ(to_json(counts), kExampleJson);
}

TEST(Mistakes, WithARecordThatTheLibraryHasNotMadeAreWarnings) {
  const Counts counts = example();
  GstNpcCounts assigned = *counts, zeros = {};
  guint64 number = 0;
  for (GstNpcCounts *wrong : {&assigned, &zeros}) {
    const Criticals criticals;
    EXPECT_EQ(gst_npc_counts_to_json(wrong), nullptr);
    EXPECT_EQ(gst_npc_counts_copy(wrong), nullptr);
    EXPECT_EQ(gst_npc_counts_get_n_lines(wrong), 0u);
    EXPECT_EQ(gst_npc_counts_add_zone(wrong, "zone"), nullptr);
    EXPECT_FALSE(gst_npc_counts_get_number(wrong, "people", &number));
    EXPECT_FALSE(gst_npc_counts_set_number(wrong, "people", 1));
    gst_npc_counts_free(wrong);
    EXPECT_EQ(criticals.count(), 7);
  }
}

TEST(Mistakes, InARecordAreWarningsWhenItIsWritten) {
  const std::vector<std::function<void(const Counts &)>> mistakes = {
      [](const Counts &c) { c->site = ""; },
      [](const Counts &c) { c->camera = "a b"; },
      [](const Counts &c) { c->boot = kLongName.c_str(); },
      [](const Counts &c) { c->seq = guint64{G_MAXINT64} + 1; },
      [](const Counts &c) { c->time = guint64{GST_NPC_TIME_MAX} + 1; },
      [](const Counts &c) { c->interval = G_MAXUINT64; },
      [](const Counts &c) { gst_npc_counts_add_object(c.get(), "dog")->name = "traffic light"; },
      [](const Counts &c) { gst_npc_counts_add_line(c.get(), "gate")->name = "door"; },
      [](const Counts &c) { add_line(c, "total", 1, 1, G_MAXUINT64, 1); },
      [](const Counts &c) { gst_npc_counts_add_zone(c.get(), "zone")->name = ""; },
      [](const Counts &c) { add_zone(c, "zone", 1, 1, 1, G_MAXUINT64); },
  };
  for (size_t i = 0; i < mistakes.size(); i++) {
    const Counts counts = example();
    mistakes[i](counts);
    const Criticals criticals;
    EXPECT_EQ(gst_npc_counts_to_json(counts.get()), nullptr) << i;
    EXPECT_EQ(gst_npc_counts_to_line_protocol(counts.get()), nullptr) << i;
    EXPECT_EQ(gst_npc_counts_to_structure(counts.get()), nullptr) << i;
    EXPECT_EQ(gst_npc_counts_to_message(counts.get(), nullptr, 0, 0, 0, 0), nullptr) << i;
    EXPECT_EQ(criticals.count(), 4) << i;
  }
}

}  // namespace
}  // namespace npc::test
