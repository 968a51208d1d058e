// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the command line: options of a clip follow it.
#include "accuracy/options.h"

#include <gst/gst.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <tuple>
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
                                   : name == "sweep"    ? &limits.sweep_f1
                                                        : nullptr;
    if (which == nullptr || end == number || *end != '\0' || !(limit > 0))
      throw UsageError("--limit: " + figure +
                       " is not one of mae:ERROR, f1:LEAST, phantoms:SHARE, sweep:LEAST, above 0");
    *which = limit;
  }
}

std::pair<std::string, std::string> split_hash(const std::string &option, const std::string &text,
                                               const char *form) {
  const auto hash = text.rfind('#');
  if (hash == std::string::npos || hash == 0 || hash + 1 == text.size())
    throw UsageError(option + " " + text + " is not " + form);
  return {text.substr(0, hash), text.substr(hash + 1)};
}

void add_clips(const std::string &text, Options &options) {
  const auto [file, label] = split_hash("--clips", text, "FILE#CLASS");
  for (MarkedClip &clip : read_clips(file)) {
    if (clip.label != label)
      continue;
    Job &job = options.jobs.emplace_back();
    job.clip = clip.file;
    job.marked = std::move(clip);
  }
  if (options.jobs.size() == options.group)
    throw UsageError("--clips " + text + ": there is no clip of that class");
}

Darkness parse_darkness(const std::string &text) {
  Darkness dark;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lf,%lf%c", &dark.gamma, &dark.noise, &rest) != 2 ||
      !(dark.gamma > 0 && dark.gamma < 100) || !(dark.noise >= 0 && dark.noise < 256))
    throw UsageError("--dark " + text + " is not GAMMA,NOISE");
  return dark;
}

// Of NAME@CLIP=FIGURES only for that clip.
void add_limits(const std::string &text, Job &job) {
  const auto [name, figures] = split("--limit", text);
  const auto at = name.rfind('@');
  if (at == std::string::npos || !job.marked)
    parse_limits(figures, job.limits[name]);
  else if (name.substr(at + 1) == job.marked->name)
    parse_limits(figures, job.limits[name.substr(0, at)]);
}

void take_option(const std::string &option, const std::string &text, Job &job) {
  if (option == "--truth") {
    job.truth = text;
  } else if (option == "--crossings") {
    std::tie(job.crossings, job.crossings_name) = split_hash(option, text, "FILE#NAME");
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
  } else if (option == "--dark") {
    job.dark = parse_darkness(text);
  } else {
    add_limits(text, job);
  }
}

void take_option(const std::string &option, const std::string &text, Options &options) {
  if (option == "--clip" || option == "--clips") {
    options.group = options.jobs.size();
    if (option == "--clip")
      options.jobs.emplace_back().clip = text;
    else
      add_clips(text, options);
    return;
  }
  if (options.jobs.empty())
    throw UsageError(option + " belongs to a clip: name it after a --clip");
  for (std::size_t i = options.group; i < options.jobs.size(); i++)
    take_option(option, text, options.jobs[i]);
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
  if (!job.has_counts() && !job.has_line())
    throw UsageError("--clip " + job.clip + " has neither --truth nor --crossings");
  if (job.marked && !(job.truth + job.crossings + job.line.name).empty())
    throw UsageError("--clips have their truth: --truth, --crossings and --line are of a --clip");
  if (job.crossings.empty() != job.line.name.empty())
    throw UsageError("--crossings and --line go together: " + job.clip + " has one of them");
  if (job.truth.empty() && !job.originals.empty())
    throw UsageError("the original counts people: " + job.clip + " needs a --truth");
  for (const auto &[name, limits] : job.limits) {
    if (std::ranges::find(job.detectors, name, &Detector::name) == job.detectors.end())
      throw UsageError("--limit " + name + ": " + job.clip + " has no --detector of that name");
    if ((limits.mean_absolute && !job.has_counts()) ||
        ((limits.f1 || limits.phantom_share) && !job.has_line()) ||
        (limits.sweep_f1 && job.truth.empty()))
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
  gchar *recordings = nullptr;
  const GOptionEntry clip_entries[] = {
      entry("clip", "a video; may be repeated. Options of a clip follow it", "FILE"),
      entry("truth", "who is where in it: lines frame,id,x,y,width,height", "FILE"),
      entry("crossings", "who crosses a line in it: NAME in a JSON file", "FILE#NAME"),
      entry("line", "that line: x=0.5 or y=0.5, and further fields of npccount's lines", "LINE"),
      entry("detector", "a row of the table: npcdetect with these properties; may be repeated",
            "NAME=PROPERTIES"),
      entry("clips", "all clips of a class in a file like clips.json, with their truth",
            "FILE#CLASS"),
      entry("dark", "darken the clip: values of 0 to 1 to this power, then noise of 255",
            "GAMMA,NOISE"),
      entry("original-size", "a row of the original algorithm at this size; may be repeated",
            "WIDTHxHEIGHT"),
      entry("limit",
            "exit with 1 if this detector is worse: figures mae:ERROR (at most), f1:LEAST, "
            "phantoms:SHARE (below), sweep:LEAST with commas between; of --clips, of that CLIP",
            "NAME[@CLIP]=FIGURES"),
      {}};
  const GOptionEntry entries[] = {
      {"cascade", 0, 0, G_OPTION_ARG_FILENAME, &cascade,
       "haarcascade_frontalface_alt.xml, for the original", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "write the figures there too", "FILE"},
      {"recordings", 0, 0, G_OPTION_ARG_FILENAME, &recordings,
       "count from the detections in this folder; those that are not there are recorded first",
       "FOLDER"},
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
  options.recordings = take(recordings);
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
