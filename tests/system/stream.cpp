// SPDX-License-Identifier: LGPL-2.1-or-later
// A source of records in front of npcsink, in a process that audits can kill: it logs which records
// the sink took and which of them are in its store. Says as lines of JSON what is on the bus, the
// statistics four times a second, and at SIGUSR1 how long the sink took. Ends cleanly at SIGTERM.
#include <gst/base/gstpushsrc.h>
#include <gst/npc/npc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <glib-unix.h>

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

namespace {

// Audits look at the memory of this process, which must not grow by what it notes itself.
constexpr std::size_t kMostTimes = 1 << 16;
// 2026-01-01, where a clock that goes back goes to.
constexpr guint64 kWrongTime = 1767225600000;

struct Options {
  gchar *updaters = nullptr;
  gchar *store = nullptr;
  gchar *camera = nullptr;
  gchar *log = nullptr;
  gdouble rate = 0;
  gint64 records = 0;
  gint64 retention = 0;
  gint64 store_size = 0;
  gint64 drain = 60;
  gint64 back = 0;
} options;

const GOptionEntry entries[] = {
    {"updaters", 0, 0, G_OPTION_ARG_STRING, &options.updaters, "npcsink's updaters", "URIS"},
    {"store", 0, 0, G_OPTION_ARG_FILENAME, &options.store, "npcsink's store", "FILE"},
    {"retention", 0, 0, G_OPTION_ARG_INT64, &options.retention, "npcsink's store-retention", "S"},
    {"store-size", 0, 0, G_OPTION_ARG_INT64, &options.store_size, "npcsink's store-size", "BYTES"},
    {"drain", 0, 0, G_OPTION_ARG_INT64, &options.drain, "npcsink's drain-timeout, 60", "S"},
    {"camera", 0, 0, G_OPTION_ARG_STRING, &options.camera, "name of the camera, door", "NAME"},
    {"rate", 0, 0, G_OPTION_ARG_DOUBLE, &options.rate, "records a second; 0: all it can", "N"},
    {"records", 0, 0, G_OPTION_ARG_INT64, &options.records, "how many; 0: until SIGTERM", "N"},
    {"back", 0, 0, G_OPTION_ARG_INT64, &options.back, "the clock goes back each N records", "N"},
    {"log", 0, 0, G_OPTION_ARG_FILENAME, &options.log, "where to log what was taken", "FILE"},
    {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};

Json json_of(const GValue *value);

Json json_of(const GstStructure *structure) {
  Json object;
  for (gint i = 0; i < gst_structure_n_fields(structure); i++) {
    const gchar *name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    object[name] = json_of(gst_structure_get_value(structure, name));
  }
  return object;
}

Json json_of(const GValue *value) {
  if (G_VALUE_HOLDS_UINT64(value))
    return g_value_get_uint64(value);
  if (G_VALUE_HOLDS_BOOLEAN(value))
    return static_cast<bool>(g_value_get_boolean(value));
  if (G_VALUE_HOLDS_STRING(value))
    return g_value_get_string(value) != nullptr ? g_value_get_string(value) : "";
  if (GST_VALUE_HOLDS_STRUCTURE(value))
    return json_of(gst_value_get_structure(value));
  Json list = Json::array();
  if (GST_VALUE_HOLDS_ARRAY(value)) {
    for (guint i = 0; i < gst_value_array_get_size(value); i++)
      list.push_back(json_of(gst_value_array_get_value(value, i)));
  }
  return list;
}

Json stats_of(GstElement *sink) {
  GstStructure *stats = nullptr;
  g_object_get(sink, "stats", &stats, nullptr);
  Json json = json_of(stats);
  gst_structure_free(stats);
  return json;
}

// All that can be read back, as gst-inspect-1.0 writes it.
Json properties_of(GstElement *element) {
  Json properties;
  guint count = 0;
  GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; i++) {
    if ((specs[i]->flags & G_PARAM_READABLE) == 0)
      continue;
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(element), specs[i]->name, &value);
    gchar *text = gst_value_serialize(&value);
    properties[specs[i]->name] = text != nullptr ? text : "";
    g_free(text);
    g_value_unset(&value);
  }
  g_free(specs);
  return properties;
}

void say(const char *what, const Json &json) {
  std::puts(Json{{what, json}}.dump().c_str());
  std::fflush(stdout);
}

// What the element below needs; of the streaming thread but for what the mutex guards.
struct Stream {
  GstElement *sink = nullptr;
  std::string boot;
  std::array<std::string, 3> texts;
  guint64 time = 0;  // ms since 1970
  guint64 seq = 0;
  guint64 stored = 0;
  Clock::time_point begin, handed_over;
  std::ofstream log;

  std::mutex mutex;
  std::condition_variable woken;
  std::vector<float> times;  // that the sink took for records since the last report, in us
  bool flushing = false;
} stream;

// Each line reaches the kernel at once, so that it survives a kill.
void note(char what, guint64 seq) {
  if (stream.log.is_open())
    stream.log << what << ' ' << seq << std::endl;
}

// All records so far, if the sink has none that only memory holds.
void note_stored() {
  if (!stream.log.is_open() || stream.stored == stream.seq)
    return;
  const Json stats = stats_of(stream.sink);
  if (stats.contains("store") && stats["store"].value("unstored", 1) == 0) {
    stream.stored = stream.seq;
    note('s', stream.seq - 1);
  }
}

// The text of a record before, between and after its number and its time: making it of these costs
// next to nothing, so a benchmark measures the sink.
void make_texts() {
  const std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)> counts(
      gst_npc_counts_new("home", options.camera != nullptr ? options.camera : "door",
                         stream.boot.c_str()),
      gst_npc_counts_free);
  counts->seq = counts->time = GST_NPC_TIME_MAX;
  counts->interval = 2000;
  counts->people = counts->people_max = 3;
  const std::unique_ptr<gchar, decltype(&g_free)> json(gst_npc_counts_to_json(counts.get()),
                                                       g_free);
  gchar **parts = g_strsplit(json.get(), std::to_string(counts->seq).c_str(), 3);
  for (std::size_t i = 0; i < stream.texts.size(); i++)
    stream.texts[i] = parts[i];
  g_strfreev(parts);
}

GstBuffer *make_buffer() {
  stream.time = std::max(stream.time + 1, static_cast<guint64>(g_get_real_time() / 1000));
  if (options.back > 0)
    stream.time = kWrongTime + stream.seq % static_cast<guint64>(options.back);
  const std::string text = stream.texts[0] + std::to_string(stream.seq) + stream.texts[1] +
                           std::to_string(stream.time) + stream.texts[2] + "\n";
  GstBuffer *buffer = gst_buffer_new_memdup(text.data(), text.size());
  GST_BUFFER_PTS(buffer) = stream.seq * GST_MSECOND;
  return buffer;
}

// Whether there is still something to do then.
bool wait_until(Clock::time_point when) {
  std::unique_lock lock(stream.mutex);
  stream.woken.wait_until(lock, when, [] { return stream.flushing; });
  return !stream.flushing;
}

}  // namespace

G_BEGIN_DECLS
G_DECLARE_FINAL_TYPE(RecordSource, record_source, RECORD, SOURCE, GstPushSrc)
struct _RecordSource {
  GstPushSrc parent;
};
G_DEFINE_FINAL_TYPE(RecordSource, record_source, GST_TYPE_PUSH_SRC)
G_END_DECLS

// The sink has the record before when the base class asks for the next one.
static GstFlowReturn record_source_create(GstPushSrc *, GstBuffer **buffer) {
  if (stream.seq > 0) {
    const std::chrono::duration<float, std::micro> taken = Clock::now() - stream.handed_over;
    std::unique_lock lock(stream.mutex);
    if (stream.times.size() == kMostTimes)
      stream.times.clear();
    stream.times.push_back(taken.count());
    lock.unlock();
    note('h', stream.seq - 1);
  } else {
    stream.begin = Clock::now();
  }
  if (options.records > 0 && stream.seq == static_cast<guint64>(options.records))
    return GST_FLOW_EOS;
  if (options.rate > 0) {
    const std::chrono::duration<double> due(static_cast<double>(stream.seq) / options.rate);
    if (!wait_until(stream.begin + std::chrono::duration_cast<Clock::duration>(due)))
      return GST_FLOW_FLUSHING;
  }
  note_stored();
  *buffer = make_buffer();
  stream.seq++;
  stream.handed_over = Clock::now();
  return GST_FLOW_OK;
}

static void set_flushing(bool on) {
  {
    std::lock_guard lock(stream.mutex);
    stream.flushing = on;
  }
  stream.woken.notify_all();
}

static gboolean record_source_unlock(GstBaseSrc *) {
  set_flushing(true);
  return TRUE;
}

static gboolean record_source_unlock_stop(GstBaseSrc *) {
  set_flushing(false);
  return TRUE;
}

static void record_source_class_init(RecordSourceClass *klass) {
  static GstStaticPadTemplate source_template = GST_STATIC_PAD_TEMPLATE(
      "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_NPC_COUNTS_CAPS));
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &source_template);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Records", "Source",
                                        "Makes records for tests",
                                        "The No-picture Camera developers");
  GST_PUSH_SRC_CLASS(klass)->create = record_source_create;
  GST_BASE_SRC_CLASS(klass)->unlock = record_source_unlock;
  GST_BASE_SRC_CLASS(klass)->unlock_stop = record_source_unlock_stop;
}

static void record_source_init(RecordSource *self) {
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
}

namespace {

struct Run {
  GMainLoop *loop;
  GstElement *pipeline;
  int status = EXIT_SUCCESS;
};

gboolean on_message(GstBus *, GstMessage *message, gpointer data) {
  Run &run = *static_cast<Run *>(data);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT) {
    const GstStructure *structure = gst_message_get_structure(message);
    say(gst_structure_get_name(structure), json_of(structure));
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError *error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    say("error", error->message);
    g_error_free(error);
    run.status = EXIT_FAILURE;
    g_main_loop_quit(run.loop);
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    g_main_loop_quit(run.loop);
  }
  return G_SOURCE_CONTINUE;
}

gboolean on_sigterm(gpointer data) {
  gst_element_send_event(static_cast<Run *>(data)->pipeline, gst_event_new_eos());
  return G_SOURCE_CONTINUE;
}

gboolean on_tick(gpointer) {
  say("stats", stats_of(stream.sink));
  return G_SOURCE_CONTINUE;
}

// How long the sink took for each record since the last report.
Json report_times() {
  std::vector<float> times;
  {
    std::lock_guard lock(stream.mutex);
    times.swap(stream.times);
  }
  if (times.empty())
    return Json::object();
  std::sort(times.begin(), times.end());
  return {{"records", times.size()},
          {"median", times[times.size() / 2]},
          {"p99", times[times.size() * 99 / 100]},
          {"max", times.back()}};
}

gboolean on_sigusr1(gpointer) {
  say("render_us", report_times());
  return G_SOURCE_CONTINUE;
}

void say_end() {
  Json end = stats_of(stream.sink);
  end["seconds"] = std::chrono::duration<double>(Clock::now() - stream.begin).count();
  end["processor_us"] = static_cast<double>(std::clock()) * 1e6 / CLOCKS_PER_SEC;
  end["render_us"] = report_times();
  end["properties"] = properties_of(stream.sink);
  say("end", end);
}

bool configure(GstElement *sink) {
  g_object_set(sink, "updaters", options.updaters != nullptr ? options.updaters : "",
               "drain-timeout", static_cast<guint64>(options.drain) * GST_SECOND, nullptr);
  if (options.store != nullptr)
    g_object_set(sink, "store", options.store, nullptr);
  if (options.retention > 0)
    g_object_set(sink, "store-retention", static_cast<guint64>(options.retention) * GST_SECOND,
                 nullptr);
  if (options.store_size > 0)
    g_object_set(sink, "store-size", static_cast<guint64>(options.store_size), nullptr);
  stream.boot = std::to_string(g_random_int());
  make_texts();
  if (options.log == nullptr)
    return true;
  stream.log.open(options.log, std::ios::app);
  stream.log << "b " << stream.boot << std::endl;
  return stream.log.good();
}

int run_pipeline() {
  Run run{g_main_loop_new(nullptr, FALSE), gst_pipeline_new(nullptr)};
  GstElement *source = GST_ELEMENT(g_object_new(record_source_get_type(), nullptr));
  stream.sink = gst_element_factory_make("npcsink", nullptr);
  if (stream.sink == nullptr || !configure(stream.sink)) {
    say("error", "there is no npcsink, or the log cannot be written");
    return EXIT_FAILURE;
  }
  gst_bin_add_many(GST_BIN(run.pipeline), source, stream.sink, nullptr);
  gst_element_link(source, stream.sink);
  GstBus *bus = gst_element_get_bus(run.pipeline);
  gst_bus_add_watch(bus, on_message, &run);
  g_unix_signal_add(SIGTERM, on_sigterm, &run);
  g_unix_signal_add(SIGUSR1, on_sigusr1, nullptr);
  g_timeout_add(250, on_tick, nullptr);
  gst_element_set_state(run.pipeline, GST_STATE_PLAYING);
  g_main_loop_run(run.loop);
  say_end();
  gst_element_set_state(run.pipeline, GST_STATE_NULL);
  gst_bus_remove_watch(bus);
  gst_object_unref(bus);
  gst_object_unref(run.pipeline);
  g_main_loop_unref(run.loop);
  return run.status;
}

}  // namespace

int main(int argc, char **argv) {
  GOptionContext *context = g_option_context_new("- records for npcsink, and a log of them");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_option_context_add_group(context, gst_init_get_option_group());
  GError *error = nullptr;
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    std::fprintf(stderr, "%s\n", error->message);
    return 2;
  }
  g_option_context_free(context);
  return run_pipeline();
}
