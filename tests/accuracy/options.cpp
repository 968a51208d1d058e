// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the command line: options of a clip follow it.
#include "accuracy/options.h"

#include <gst/gst.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

namespace npc::accuracy {
namespace {

std::string take(gchar *value) {
  const std::string taken = value != nullptr ? value : "";
  g_free(value);
  return taken;
}

// NAME=REST
std::pair<std::string, std::string> split(const std::string &option, const std::string &text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw UsageError(option + " " + text + " does not begin with NAME=");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

cv::Size parse_size(const std::string &text) {
  int width = 0;
  int height = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%dx%d%c", &width, &height, &rest) != 2 || width < 64 ||
      height < 128 || width > 8192 || height > 8192)
    throw UsageError("--original-size " + text +
                     " is not WIDTHxHEIGHT of at least 64x128, the size of HOG's window");
  return {width, height};
}

void parse_limits(const std::string &text, Limits &limits) {
  std::istringstream figures(text);
  for (std::string figure; std::getline(figures, figure, ',');) {
    const auto colon = figure.find(':');
    const std::string name = figure.substr(0, colon);
    const char *number = colon == std::string::npos ? "" : figure.c_str() + colon + 1;
    gchar *end = nullptr;
    const double limit = g_ascii_strtod(number, &end);
    std::optional<double> *which = name == "mae"        ? &limits.mean_absolute
                                   : name == "f1"       ? &limits.f1
                                   : name == "phantoms" ? &limits.phantom_share
                                                        : nullptr;
    if (which == nullptr || end == number || *end != '\0' || !(limit > 0))
      throw UsageError("--limit: " + figure +
                       " is not one of mae:ERROR, f1:LEAST, phantoms:SHARE, above 0");
    *which = limit;
  }
}

void parse_crossings_option(const std::string &text, Job &job) {
  const auto hash = text.rfind('#');
  if (hash == std::string::npos || hash == 0 || hash + 1 == text.size())
    throw UsageError("--crossings " + text + " is not FILE#NAME");
  job.crossings = text.substr(0, hash);
  job.crossings_name = text.substr(hash + 1);
}

void take_option(const std::string &option, const std::string &text, Options &options) {
  if (option == "--clip") {
    options.jobs.emplace_back().clip = text;
    return;
  }
  if (options.jobs.empty())
    throw UsageError(option + " belongs to a clip: name it after a --clip");
  Job &job = options.jobs.back();
  if (option == "--truth") {
    job.truth = text;
  } else if (option == "--crossings") {
    parse_crossings_option(text, job);
  } else if (option == "--line") {
    try {
      job.line = parse_line(text);
    } catch (const std::invalid_argument &error) {
      throw UsageError(std::string("--line ") + error.what());
    }
  } else if (option == "--detector") {
    const auto [name, properties] = split(option, text);
    job.detectors.push_back({name, properties});
  } else if (option == "--original-size") {
    job.originals.push_back(parse_size(text));
  } else {
    const auto [name, figures] = split(option, text);
    parse_limits(figures, job.limits[name]);
  }
}

gboolean on_option(const gchar *option, const gchar *value, gpointer options, GError **error) {
  try {
    take_option(option, value, *static_cast<Options *>(options));
    return TRUE;
  } catch (const std::exception &refused) {
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, refused.what());
    return FALSE;
  }
}

void check(const Job &job) {
  if (job.truth.empty() && job.crossings.empty())
    throw UsageError("--clip " + job.clip + " has neither --truth nor --crossings");
  if (job.crossings.empty() != job.line.name.empty())
    throw UsageError("--crossings and --line go together: " + job.clip + " has one of them");
  if (job.truth.empty() && !job.originals.empty())
    throw UsageError("the original counts people: " + job.clip + " needs a --truth");
  for (const auto &[name, limits] : job.limits) {
    if (std::ranges::find(job.detectors, name, &Detector::name) == job.detectors.end())
      throw UsageError("--limit " + name + ": " + job.clip + " has no --detector of that name");
    if ((limits.mean_absolute && job.truth.empty()) ||
        ((limits.f1 || limits.phantom_share) && job.crossings.empty()))
      throw UsageError("--limit " + name + ": " + job.clip + " has no truth about that");
  }
}

GOptionEntry entry(const char *name, const char *description, const char *value) {
  // A union of pointers in C: there is no other way to a callback.
  return {name,
          0,
          G_OPTION_FLAG_NONE,
          G_OPTION_ARG_CALLBACK,
          reinterpret_cast<gpointer>(on_option),
          description,
          value};
}

}  // namespace

Options parse_options(int argc, char **argv) {
  Options options;
  gchar *cascade = nullptr;
  gchar *json = nullptr;
  const GOptionEntry clip_entries[] = {
      entry("clip", "a video; may be repeated. Options of a clip follow it", "FILE"),
      entry("truth", "who is where in it: lines frame,id,x,y,width,height", "FILE"),
      entry("crossings", "who crosses a line in it: NAME in a JSON file", "FILE#NAME"),
      entry("line", "that line: x=0.5 or y=0.5, and further fields of npccount's lines", "LINE"),
      entry("detector", "a row of the table: npcdetect with these properties; may be repeated",
            "NAME=PROPERTIES"),
      entry("original-size", "a row of the original algorithm at this size; may be repeated",
            "WIDTHxHEIGHT"),
      entry("limit",
            "exit with 1 if this detector is worse: figures mae:ERROR (at most), f1:LEAST, "
            "phantoms:SHARE (below) with commas between",
            "NAME=FIGURES"),
      {}};
  const GOptionEntry entries[] = {
      {"cascade", 0, 0, G_OPTION_ARG_FILENAME, &cascade,
       "haarcascade_frontalface_alt.xml, for the original", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "write the figures there too", "FILE"},
      {"window", 0, 0, G_OPTION_ARG_DOUBLE, &options.window_seconds,
       "length of a window (default: 2)", "SECONDS"},
      {}};
  g_autoptr(GOptionContext) context = g_option_context_new(nullptr);
  g_option_context_set_summary(context, "Measures how far counts are from the truth.");
  GOptionGroup *group = g_option_group_new("clips", "", "", &options, nullptr);
  g_option_group_add_entries(group, entries);
  g_option_group_add_entries(group, clip_entries);
  g_option_context_set_main_group(context, group);
  g_option_context_add_group(context, gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  const bool parsed = g_option_context_parse(context, &argc, &argv, &error);
  options.cascade = take(cascade);
  options.json = take(json);
  if (!parsed)
    throw UsageError(error->message);
  if (argc > 1)
    throw UsageError(std::string("'") + argv[1] + "' is not an option");
  if (options.jobs.empty())
    throw UsageError("name a --clip");
  if (!(options.window_seconds > 0 && options.window_seconds <= 3600))
    throw UsageError("--window is from above 0 to 3600 seconds");
  std::ranges::for_each(options.jobs, check);
  return options;
}

}  // namespace npc::accuracy
