// SPDX-License-Identifier: LGPL-2.1-or-later
// What every fuzz target does with what a reader answered.
#pragma once

#include <gst/npc/npc.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace npc::fuzz {

using Counts = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>;
using Text = std::unique_ptr<gchar, decltype(&g_free)>;

inline void require(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "It does not hold that %s.\n", what);
  std::abort();
}

/// Takes over what a reader returned and checks that it is a record or a proper refusal.
inline Counts take(GstNpcCounts *counts, GError *error) {
  require((counts == nullptr) != (error == nullptr), "there is either a record or an error");
  if (error != nullptr) {
    require(error->domain == GST_NPC_ERROR, "the error is of the library's domain");
    require(g_utf8_validate(error->message, -1, nullptr), "the message is UTF-8");
    require(g_str_has_suffix(error->message, "."), "the message is a sentence");
    g_error_free(error);
  }
  return {counts, gst_npc_counts_free};
}

inline Text json_of(const Counts &counts) {
  return {gst_npc_counts_to_json(counts.get()), g_free};
}

inline Text lines_of(const Counts &counts) {
  return {gst_npc_counts_to_line_protocol(counts.get()), g_free};
}

inline Counts read_json(const gchar *text, gssize length) {
  GError *error = nullptr;
  GstNpcCounts *counts = gst_npc_counts_from_json(text, length, &error);
  return take(counts, error);
}

inline Counts read_lines(const gchar *text, gssize length) {
  GError *error = nullptr;
  GstNpcCounts *counts = gst_npc_counts_from_line_protocol(text, length, &error);
  return take(counts, error);
}

inline void require_same(const Counts &counts, const Counts &again) {
  require(again != nullptr, "what was written is read");
  require(std::strcmp(json_of(counts).get(), json_of(again).get()) == 0,
          "what was read is what was written");
}

inline bool fits(const Text &text) {
  return std::strlen(text.get()) <= GST_NPC_RECORD_MAX;
}

/// A record that was accepted is written as text and read back equal, unless it is too long in
/// another form than the one it came in.
inline void require_round_trips(const Counts &counts) {
  const Text json = json_of(counts);
  if (fits(json))
    require_same(counts, read_json(json.get(), -1));
  const Text lines = lines_of(counts);
  if (fits(lines))
    require_same(counts, read_lines(lines.get(), -1));
}

}  // namespace npc::fuzz

// libFuzzer calls it by its name alone, which keeps no inline function.
extern "C" [[gnu::used]] inline int LLVMFuzzerInitialize(int *, char ***) {
  // No plugin is needed, and to look for them takes longer than the run.
  g_setenv("GST_REGISTRY_UPDATE", "no", TRUE);
  g_setenv("GST_REGISTRY", "/nonexistent", TRUE);
  gst_init(nullptr, nullptr);
  // What GLib raises; libFuzzer knows others only, and would keep no input.
  std::signal(SIGTRAP, [](int) { std::abort(); });
  g_log_set_always_fatal(
      static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING));
  return 0;
}
