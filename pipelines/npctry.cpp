// SPDX-License-Identifier: LGPL-2.1-or-later
// npc-try: counts people live in the terminal. ./pipelines/try builds it and finds it something to
// look at.
#include <gst/npc/npc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "camera.h"
#include "runner.h"

namespace {

using npc::Camera;
using npc::Text;
using npc::Words;

// Of --find-camera.
constexpr int kNoCamera = 3;
constexpr guint kBarWidth = 20;

struct Options {
  gchar *clip = nullptr;
  gchar *source = nullptr;
  gchar *model = nullptr;
  gchar *input = nullptr;
  gchar *mqtt = nullptr;
  gboolean faces = FALSE;
  gboolean fast = FALSE;
  gboolean print_line = FALSE;
  gboolean find_camera = FALSE;

  Options() = default;
  Options(const Options &) = delete;
  Options &operator=(const Options &) = delete;
  ~Options() {
    g_free(clip);
    g_free(source);
    g_free(model);
    g_free(input);
    g_free(mqtt);
  }
};

bool parse_options(int argc, char **argv, Options &options) {
  const GOptionEntry entries[] = {
      {"clip", 0, 0, G_OPTION_ARG_FILENAME, &options.clip, "a video instead of a camera", "FILE"},
      {"source", 0, 0, G_OPTION_ARG_STRING, &options.source,
       "elements of GStreamer that deliver frames, instead of a camera that is found", "LINE"},
      {"model", 0, 0, G_OPTION_ARG_FILENAME, &options.model, "a neural network instead of HOG",
       "FILE"},
      {"input", 0, 0, G_OPTION_ARG_STRING, &options.input, "the size the model looks at",
       "WIDTHxHEIGHT"},
      {"mqtt", 0, 0, G_OPTION_ARG_STRING, &options.mqtt, "send the records to a broker too", "URL"},
      {"faces", 0, 0, G_OPTION_ARG_NONE, &options.faces, "count faces too", nullptr},
      {"fast", 0, 0, G_OPTION_ARG_NONE, &options.fast, "a clip as fast as it can be analysed",
       nullptr},
      {"gst", 0, 0, G_OPTION_ARG_NONE, &options.print_line, "print the launch line and end",
       nullptr},
      {"find-camera", 0, 0, G_OPTION_ARG_NONE, &options.find_camera,
       "name the camera and end; exit status 3 if there is none", nullptr},
      {}};
  g_autoptr(GOptionContext) context = g_option_context_new(nullptr);
  g_option_context_add_main_entries(context, entries, nullptr);
  g_option_context_add_group(context, gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    g_printerr("npc-try: %s. See --help.\n", error->message);
    return false;
  }
  if (argc > 1) {
    g_printerr("npc-try: '%s' is not an option. See --help.\n", argv[1]);
    return false;
  }
  if (options.clip != nullptr && options.source != nullptr) {
    g_printerr("npc-try: --clip and --source are two sources; choose one.\n");
    return false;
  }
  if (options.input != nullptr &&
      !g_regex_match_simple("^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$", options.input, G_REGEX_DEFAULT,
                            G_REGEX_MATCH_DEFAULT)) {
    g_printerr("npc-try: --input is a size in pixels, such as 640x480.\n");
    return false;
  }
  return true;
}

// The words of the launch line behind the source: --gst prints them, and the same words are run.
Words make_line(const Options &options) {
  Words line;
  auto add = [&line](const Words &words) { line.insert(line.end(), words.begin(), words.end()); };
  // Live, a detector that is slower than the camera takes the newest frame.
  add({"queue", "name=frames", "max-size-buffers=2"});
  if (options.clip == nullptr || !options.fast)
    add({"leaky=downstream"});
  add({"!", "npcdetect", "name=detect"});
  if (options.model != nullptr)
    add({std::string("model=") + options.model});
  if (options.input != nullptr) {
    const std::string size = options.input;
    const auto by = size.find('x');
    add({"input-width=" + size.substr(0, by), "input-height=" + size.substr(by + 1)});
  }
  if (options.faces)
    add({"faces=cascade"});
  add({"!", "npccount", "camera=try", "!", "npcsink", "name=sink"});
  if (options.mqtt != nullptr)
    add({std::string("updaters=") + options.mqtt});
  return line;
}

void print_line(const Words &line) {
  const gchar *path = g_getenv("GST_PLUGIN_PATH");
  if (path != nullptr)
    g_print("GST_PLUGIN_PATH=%s ", Text(g_shell_quote(path)).get());
  g_print("gst-launch-1.0 -e -m");
  for (const std::string &word : line) {
    const bool plain = word.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789-_=./:,@%+") == std::string::npos;
    g_print(" %s", word == "!" || plain ? word.c_str() : Text(g_shell_quote(word.c_str())).get());
  }
  g_print("\n");
}

// Null after an error, which was reported.
GstElement *parse(const Words &line, int flags) {
  std::vector<const gchar *> words;
  for (const std::string &word : line)
    words.push_back(word.c_str());
  words.push_back(nullptr);
  g_autoptr(GError) error = nullptr;
  GstElement *parsed = gst_parse_launchv_full(
      words.data(), nullptr, static_cast<GstParseFlags>(GST_PARSE_FLAG_FATAL_ERRORS | flags),
      &error);
  if (error != nullptr) {
    g_clear_object(&parsed);
    g_printerr("Error: %s\n", error->message);
    if (g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT))
      g_printerr("Start it with ./pipelines/try, which knows where the elements are.\n");
  }
  return parsed;
}

GstPadProbeReturn on_frame(GstPad *, GstPadProbeInfo *, gpointer counter) {
  ++*static_cast<std::atomic<guint64> *>(counter);
  return GST_PAD_PROBE_OK;
}

// Whatever carries memory behind npcdetect could be a picture.
GstPadProbeReturn on_result(GstPad *, GstPadProbeInfo *info, gpointer counter) {
  auto *left = static_cast<std::atomic<guint64> *>(counter);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
    GstBufferList *list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    for (guint i = 0; i < gst_buffer_list_length(list); ++i)
      *left += gst_buffer_n_memory(gst_buffer_list_get(list, i)) > 0;
  } else {
    *left += gst_buffer_n_memory(GST_PAD_PROBE_INFO_BUFFER(info)) > 0;
  }
  return GST_PAD_PROBE_OK;
}

// The run: its pipeline, and what was seen of it.
class Run : public npc::Runner {
 public:
  Run(GstElement *pipeline, Words source, bool live, bool faces)
      : Runner(pipeline, live), source_(std::move(source)), faces_(faces) {
    colours_ = isatty(STDOUT_FILENO) != 0 && g_getenv("NO_COLOR") == nullptr;
    probe("frames", "sink", on_frame, seen_);
    probe("detect", "src", on_result, left_);
  }
  ~Run() override { stop(); }

  int play();

 private:
  GstElement *make_source() const override;
  guint64 frames() const override { return seen_; }
  void see(GstMessage *message) override;
  void before_restart() override { analysed_ += analysed_now(); }
  const char *advice(const GError &error) const override;
  void probe(const char *element, const char *pad, GstPadProbeCallback callback,
             std::atomic<guint64> &counter);
  void show(const GstNpcCounts &counts);
  GstStructure *stats_of(const char *element_name) const;
  guint64 analysed_now() const;
  void summarise();

  const Words source_;
  const bool faces_;
  bool colours_;
  guint64 records_ = 0;
  guint64 analysed_ = 0;  // before the last restart
  guint most_ = 0;
  // Written by streaming threads.
  std::atomic<guint64> seen_ = 0;
  std::atomic<guint64> left_ = 0;
};

void Run::probe(const char *element_name, const char *pad_name, GstPadProbeCallback callback,
                std::atomic<guint64> &counter) {
  g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline()), element_name);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, pad_name);
  gst_pad_add_probe(pad,
                    GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    callback, &counter, nullptr);
}

int Run::play() {
  const bool good = run();
  if (good)
    summarise();
  return good && left_ == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

GstElement *Run::make_source() const {
  Words words = source_;
  // A pad that is there before the source knows what it delivers.
  words.insert(words.end(), {"!", "identity"});
  GstElement *bin = parse(words, GST_PARSE_FLAG_PLACE_IN_BIN);
  if (bin == nullptr)
    return nullptr;
  g_autoptr(GstPad) end = gst_bin_find_unlinked_pad(GST_BIN(bin), GST_PAD_SRC);
  gst_element_add_pad(bin, gst_ghost_pad_new("src", end));
  return bin;
}

guint64 number_of(const GstStructure &structure, const char *field) {
  guint64 number = 0;
  gst_structure_get_uint64(&structure, field, &number);
  return number;
}

std::string text_of(const GstStructure &structure, const char *field) {
  const gchar *text = gst_structure_get_string(&structure, field);
  return text != nullptr ? text : "";
}

// What became of an updater or the store, why, and the numbers that are not 0.
void show_news(const char *who, const GstStructure &news) {
  const std::string name = text_of(news, who), reason = text_of(news, "reason");
  std::string numbers;
  for (const auto &[field, words] : {std::pair{"pending", "waiting"},
                                     {"dropped", "given up"},
                                     {"refused", "refused"},
                                     {"unstored", "in memory only"},
                                     {"lost", "lost"}}) {
    if (const guint64 number = number_of(news, field); number > 0)
      numbers += (numbers.empty() ? "" : ", ") + std::to_string(number) + " " + words;
  }
  g_printerr("%s %s%s%s%s\n", name.empty() ? who : name.c_str(), text_of(news, "state").c_str(),
             reason.empty() ? "" : ": ", reason.c_str(),
             numbers.empty() ? "" : (" (records: " + numbers + ")").c_str());
}

void Run::see(GstMessage *message) {
  g_autoptr(GstNpcCounts) counts = gst_npc_counts_from_message(message);
  if (counts != nullptr)
    show(*counts);
  else if (gst_message_has_name(message, "npc-updater"))
    show_news("updater", *gst_message_get_structure(message));
  else if (gst_message_has_name(message, "npc-store"))
    show_news("store", *gst_message_get_structure(message));
}

void Run::show(const GstNpcCounts &counts) {
  ++records_;
  most_ = std::max(most_, counts.people_max);
  g_autoptr(GDateTime) time =
      g_date_time_new_from_unix_local(static_cast<gint64>(counts.time / 1000));
  std::string bar(std::min(counts.people, kBarWidth), '#');
  if (counts.people > kBarWidth)
    bar.back() = '+';
  bar.resize(kBarWidth, ' ');
  g_print("%s  people %2u %s%s%s  most %2u  moving %2u",
          time != nullptr ? Text(g_date_time_format(time, "%H:%M:%S")).get() : "--:--:--",
          counts.people, colours_ ? "\033[32m" : "", bar.c_str(), colours_ ? "\033[0m" : "",
          counts.people_max, counts.moving);
  if (faces_)
    g_print("  faces %2u", counts.faces);
  for (guint i = 0; i < gst_npc_counts_get_n_objects(&counts); ++i) {
    const GstNpcObjectCount *object = gst_npc_counts_get_object(&counts, i);
    g_print("  %s %u", object->name, object->count);
  }
  g_print("\n");
}

const char *Run::advice(const GError &error) const {
  if (g_error_matches(&error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
      g_error_matches(&error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND))
    return "Install GStreamer's plugin for that format, often in gstreamer1.0-libav.";
  if (error.domain == GST_STREAM_ERROR)
    return "Check that --clip names a video, and that --model fits npcdetect.";
  if (error.domain == GST_RESOURCE_ERROR)
    return "Check that the camera is there and that no other program uses it, or look at a video "
           "with --clip FILE.";
  return "Run again with GST_DEBUG=3 to see more.";
}

// Transfer full, or null.
GstStructure *Run::stats_of(const char *element_name) const {
  g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline()), element_name);
  GstStructure *stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  return stats;
}

guint64 Run::analysed_now() const {
  g_autoptr(GstStructure) detected = stats_of("detect");
  return number_of(*detected, "analysed");
}

void Run::summarise() {
  const guint64 analysed = analysed_ + analysed_now();
  const guint64 seen = seen_;
  g_print("\n%10" G_GUINT64_FORMAT " frames seen\n", seen);
  g_print("%10" G_GUINT64_FORMAT " frames analysed%s\n", analysed,
          analysed < seen ? ", the newest each time" : "");
  g_print("%10" G_GUINT64_FORMAT " frames left the element\n", left_.load());
  g_print("%10" G_GUINT64_FORMAT " records, at most %u people at once\n", records_, most_);

  g_autoptr(GstStructure) sent = stats_of("sink");
  const GValue *updaters = gst_structure_get_value(sent, "updaters");
  for (guint i = 0; i < gst_value_array_get_size(updaters); ++i) {
    const GstStructure *updater = gst_value_get_structure(gst_value_array_get_value(updaters, i));
    g_print("%10" G_GUINT64_FORMAT " delivered to %s\n", number_of(*updater, "delivered"),
            text_of(*updater, "updater").c_str());
    if (const guint64 pending = number_of(*updater, "pending"); pending > 0) {
      g_print("%10" G_GUINT64_FORMAT " not delivered: %s\n", pending,
              text_of(*updater, "last-error").c_str());
    }
  }
}

Camera clip_source(const char *path, bool fast) {
  Camera clip = {Text(g_path_get_basename(path)).get(),
                 {"filesrc", std::string("location=") + path, "!", "decodebin"}};
  if (!fast)
    clip.words.insert(clip.words.end(), {"!", "identity", "sync=true"});
  return clip;
}

std::optional<Camera> described_source(const char *text) {
  g_auto(GStrv) words = nullptr;
  g_autoptr(GError) error = nullptr;
  if (!g_shell_parse_argv(text, nullptr, &words, &error)) {
    g_printerr("npc-try: --source is no line of elements: %s.\n", error->message);
    return std::nullopt;
  }
  // Not the words: there may be a password among them.
  return Camera{"the source", {words, words + g_strv_length(words)}};
}

std::optional<Camera> choose_source(const Options &options) {
  if (options.clip != nullptr)
    return clip_source(options.clip, options.fast != FALSE);
  if (options.source != nullptr)
    return described_source(options.source);
  std::optional<Camera> camera = npc::find_camera();
  if (!camera)
    g_printerr("There is no camera here. Plug one in, or look at a video with --clip FILE.\n");
  return camera;
}

int run(const Options &options) {
  const std::optional<Camera> source = choose_source(options);
  if (!source)
    return options.source != nullptr ? EXIT_FAILURE : kNoCamera;
  if (options.find_camera) {
    g_print("%s\n", source->name.c_str());
    return EXIT_SUCCESS;
  }
  Words line = make_line(options);
  GstElement *pipeline = parse(line, 0);
  if (pipeline == nullptr)
    return EXIT_FAILURE;
  // Before it says so, Ctrl-C must end it.
  Run counting(pipeline, source->words, options.clip == nullptr, options.faces != FALSE);
  if (options.print_line) {
    // What cannot run is not worth printing.
    if (!counting.check())
      return EXIT_FAILURE;
    line.insert(line.begin(), "!");
    line.insert(line.begin(), source->words.begin(), source->words.end());
    print_line(line);
    return EXIT_SUCCESS;
  }
  g_print("Counting people in %s with %s. Ctrl-C ends it.\n", source->name.c_str(),
          options.model != nullptr ? Text(g_path_get_basename(options.model)).get() : "HOG");
  return counting.play();
}

}  // namespace

int main(int argc, char **argv) {
  int status = 2;
  {
    Options options;
    if (parse_options(argc, argv, options))
      status = run(options);
  }
  if (gst_is_initialized())
    gst_deinit();
  return status;
}
