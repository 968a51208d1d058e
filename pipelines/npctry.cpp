// SPDX-License-Identifier: LGPL-2.1-or-later
// npc-try: counts people live in the terminal. ./pipelines/try builds it and finds it something to
// look at.
#include <glib-unix.h>
#include <gst/npc/npc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "camera.h"

namespace {

using npc::Camera;
using npc::Text;
using npc::Words;

// Of --find-camera.
constexpr int kNoCamera = 3;
// A camera that hangs must not keep the summary from who pressed Ctrl-C.
// npcsink may need its drain-timeout of 5 s.
constexpr guint kEndTimeoutMs = 8000;
constexpr guint kBarWidth = 20;

struct Options {
  gchar *clip = nullptr;
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
    g_free(model);
    g_free(input);
    g_free(mqtt);
  }
};

bool parse_options(int argc, char **argv, Options &options) {
  const GOptionEntry entries[] = {
      {"clip", 0, 0, G_OPTION_ARG_FILENAME, &options.clip, "a video instead of a camera", "FILE"},
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
  if (options.input != nullptr &&
      !g_regex_match_simple("^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$", options.input, G_REGEX_DEFAULT,
                            G_REGEX_MATCH_DEFAULT)) {
    g_printerr("npc-try: --input is a size in pixels, such as 640x480.\n");
    return false;
  }
  return true;
}

// The words of the launch line: --gst prints them, and the same words are run.
Words make_line(const Options &options, const Camera &source) {
  Words line = source.words;
  auto add = [&line](const Words &words) { line.insert(line.end(), words.begin(), words.end()); };
  const bool live = options.clip == nullptr || !options.fast;
  if (options.clip != nullptr && live)
    add({"!", "identity", "sync=true"});
  // Live, a detector that is slower than the camera takes the newest frame.
  add({"!", "queue", "name=frames", "max-size-buffers=2"});
  if (live)
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

// The run: its pipeline, and what was seen of it.
class Run {
 public:
  Run(GstElement *pipeline, bool faces) : pipeline_(pipeline), faces_(faces) {
    loop_ = g_main_loop_new(nullptr, FALSE);
    colours_ = isatty(STDOUT_FILENO) != 0 && g_getenv("NO_COLOR") == nullptr;
    interrupt_ = g_unix_signal_add(SIGINT, on_signal, this);
    terminate_ = g_unix_signal_add(SIGTERM, on_signal, this);
  }
  Run(const Run &) = delete;
  Run &operator=(const Run &) = delete;
  ~Run() {
    g_source_remove(interrupt_);
    g_source_remove(terminate_);
    // A bin that failed on its way up may fail on its way down, once.
    if (gst_element_set_state(pipeline_, GST_STATE_NULL) == GST_STATE_CHANGE_FAILURE)
      gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
    g_main_loop_unref(loop_);
  }

  int play();

 private:
  static gboolean on_message(GstBus *, GstMessage *message, gpointer self) {
    static_cast<Run *>(self)->see(message);
    return G_SOURCE_CONTINUE;
  }
  static gboolean on_signal(gpointer self) {
    static_cast<Run *>(self)->end();
    return G_SOURCE_CONTINUE;
  }
  static gboolean on_timeout(gpointer self) {
    g_main_loop_quit(static_cast<Run *>(self)->loop_);
    return G_SOURCE_CONTINUE;
  }
  void probe(const char *element, const char *pad, GstPadProbeCallback callback);
  void see(GstMessage *message);
  void show(const GstNpcCounts &counts);
  void report(GstMessage *message);
  void end();
  GstStructure *stats_of(const char *element_name) const;
  void summarise();

  GstElement *pipeline_;
  GMainLoop *loop_;
  guint interrupt_, terminate_;
  bool faces_;
  bool colours_;
  bool ending_ = false;
  bool failed_ = false;
  guint64 records_ = 0;
  guint most_ = 0;
  // Written by streaming threads.
  std::atomic<guint64> seen_ = 0;
  std::atomic<guint64> left_ = 0;
};

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

void Run::probe(const char *element_name, const char *pad_name, GstPadProbeCallback callback) {
  g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline_), element_name);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, pad_name);
  gst_pad_add_probe(pad,
                    GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    callback, callback == on_frame ? &seen_ : &left_, nullptr);
}

int Run::play() {
  probe("frames", "sink", on_frame);
  probe("detect", "src", on_result);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
  gst_bus_add_watch(bus, on_message, this);

  if (gst_element_set_state(pipeline_, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE) {
    g_main_loop_run(loop_);
  } else if (GstMessage *error = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR)) {
    report(error);
    gst_message_unref(error);
  } else {
    g_printerr("Error: The pipeline did not start. Run again with GST_DEBUG=3 to see why.\n");
    failed_ = true;
  }
  if (!failed_)
    summarise();

  gst_bus_remove_watch(bus);
  return failed_ || left_ > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT: {
      g_autoptr(GstNpcCounts) counts = gst_npc_counts_from_message(message);
      if (counts != nullptr)
        show(*counts);
      else if (gst_message_has_name(message, "npc-updater"))
        show_news("updater", *gst_message_get_structure(message));
      else if (gst_message_has_name(message, "npc-store"))
        show_news("store", *gst_message_get_structure(message));
      break;
    }
    case GST_MESSAGE_WARNING:
    case GST_MESSAGE_ERROR:
      // A demuxer that is stopped before it has seen anything calls that an error.
      if (ending_ && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        g_main_loop_quit(loop_);
      else
        report(message);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit(loop_);
      break;
    default:
      break;
  }
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
  for (guint i = 0; i < counts.objects->len; ++i) {
    const auto &object = g_array_index(counts.objects, GstNpcObjectCount, i);
    g_print("  %s %u", object.name, object.count);
  }
  g_print("\n");
}

// What a user can do about an error that GStreamer's own elements post.
const char *advice(const GError &error) {
  if (g_error_matches(&error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
      g_error_matches(&error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND))
    return "Install GStreamer's plugin for that format, often in gstreamer1.0-libav.";
  if (error.domain == GST_STREAM_ERROR)
    return "Check that --clip names a video, and that --model fits npcdetect.";
  if (error.domain == GST_RESOURCE_ERROR)
    return "Check that the camera is plugged in and that no other program uses it, or look at a "
           "video with --clip FILE.";
  return "Run again with GST_DEBUG=3 to see more.";
}

void Run::report(GstMessage *message) {
  g_autoptr(GError) error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning(message, &error, nullptr);
    g_printerr("Warning: %s\n", error->message);
    return;
  }
  gst_message_parse_error(message, &error, nullptr);
  g_printerr("Error: %s\n", error->message);
  // Ours say themselves what to do.
  if (GST_IS_ELEMENT(GST_MESSAGE_SRC(message)) &&
      !g_str_has_prefix(G_OBJECT_TYPE_NAME(GST_MESSAGE_SRC(message)), "GstNpc"))
    g_printerr("%s\n", advice(*error));
  failed_ = true;
  g_main_loop_quit(loop_);
}

void Run::end() {
  if (ending_) {
    g_main_loop_quit(loop_);
    return;
  }
  ending_ = true;
  gst_element_send_event(pipeline_, gst_event_new_eos());
  g_timeout_add(kEndTimeoutMs, on_timeout, this);
}

// Transfer full, or null.
GstStructure *Run::stats_of(const char *element_name) const {
  g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline_), element_name);
  GstStructure *stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  return stats;
}

void Run::summarise() {
  g_autoptr(GstStructure) detected = stats_of("detect");
  const guint64 analysed = number_of(*detected, "analysed");
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

Camera clip_source(const char *path) {
  return {Text(g_path_get_basename(path)).get(),
          {"filesrc", std::string("location=") + path, "!", "decodebin"}};
}

GstElement *parse(const Words &line) {
  std::vector<const gchar *> words;
  for (const std::string &word : line)
    words.push_back(word.c_str());
  words.push_back(nullptr);
  g_autoptr(GError) error = nullptr;
  GstElement *pipeline =
      gst_parse_launchv_full(words.data(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (error != nullptr) {
    g_clear_object(&pipeline);
    g_printerr("Error: %s\n", error->message);
    if (g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT))
      g_printerr("Start it with ./pipelines/try, which knows where the elements are.\n");
  }
  return pipeline;
}

int run(const Options &options) {
  std::optional<Camera> source =
      options.clip != nullptr ? clip_source(options.clip) : npc::find_camera();
  if (!source) {
    g_printerr("There is no camera here. Plug one in, or look at a video with --clip FILE.\n");
    return kNoCamera;
  }
  if (options.find_camera) {
    g_print("%s\n", source->name.c_str());
    return EXIT_SUCCESS;
  }
  const Words line = make_line(options, *source);
  if (options.print_line) {
    print_line(line);
    return EXIT_SUCCESS;
  }
  GstElement *pipeline = parse(line);
  if (pipeline == nullptr)
    return EXIT_FAILURE;
  // Before it says so, Ctrl-C must end it.
  Run counting(pipeline, options.faces != FALSE);
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
