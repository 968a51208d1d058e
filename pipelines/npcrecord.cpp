// SPDX-License-Identifier: LGPL-2.1-or-later
// npc-record: prints the records that come from a place, as text or CSV, or sends test records to
// one.
#include <glib-unix.h>
#include <gst/npc/npc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using Text = std::unique_ptr<gchar, decltype(&g_free)>;
using Counts = std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)>;

constexpr char kHead[] =
    "time,site,camera,boot,seq,interval,people,people_max,moving,faces,objects,lines,zones,flags\n";
// Bounds what a test sends by mistake.
constexpr gint kMostInterval = 3600000;

struct Options {
  std::string uri;
  std::vector<std::string> cameras;  // as site/camera
  gboolean csv = FALSE;
  gboolean send = FALSE;
  gint count = 0;
  gint interval = 2000;  // ms

  bool wants(const GstNpcCounts &counts) const {
    const std::string name = std::string(counts.site) + "/" + counts.camera;
    return cameras.empty() || std::ranges::find(cameras, name) != cameras.end();
  }
};

int wrong(const std::string &what) {
  g_printerr("npc-record: %s. See --help.\n", what.c_str());
  return 2;
}

// The URI with that parameter as 0, if it is of that kind and says nothing else.
std::string with_default(const std::string &uri, const char *scheme, const std::string &name) {
  if (!uri.starts_with(scheme) || uri.find(name + "=") != std::string::npos)
    return uri;
  return uri + (uri.find('?') == std::string::npos ? "?" : "&") + name + "=0";
}

// Returns the exit status, or -1 to go on.
int parse_options(int argc, char **argv, Options &options) {
  gchar **cameras = nullptr;
  const GOptionEntry entries[] = {
      {"camera", 0, 0, G_OPTION_ARG_STRING_ARRAY, static_cast<gpointer>(&cameras),
       "only this one; may be given more than once. With --send, who sends (default: home/test)",
       "SITE/CAMERA"},
      {"csv", 0, 0, G_OPTION_ARG_NONE, &options.csv, "comma-separated values", nullptr},
      {"count", 0, 0, G_OPTION_ARG_INT, &options.count, "end after so many records", "N"},
      {"send", 0, 0, G_OPTION_ARG_NONE, &options.send, "send test records to an updater", nullptr},
      {"interval", 0, 0, G_OPTION_ARG_INT, &options.interval,
       "between two records that are sent (default: 2000)", "MS"},
      {}};
  g_autoptr(GOptionContext) context = g_option_context_new("URI");
  g_option_context_set_summary(
      context,
      "Prints the records that come from a receiver, such as file:/var/log/npc/counts.jsonl,\n"
      "unix:/run/npc/counts.sock or mqtt://broker. A program that sends to a socket takes what\n"
      "is printed for delivered; at a broker others get it too.");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_option_context_add_group(context, gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return wrong(error->message);
  for (gchar **camera = cameras; camera != nullptr && *camera != nullptr; camera++)
    options.cameras.emplace_back(*camera);
  g_strfreev(cameras);
  if (argc != 2)
    return wrong(argc < 2 ? "There is no URI" : "There are several URIs");
  // What is there is to be shown, not to be played; and who only looks leaves nothing behind.
  options.uri = options.send
                    ? argv[1]
                    : with_default(with_default(argv[1], "file:", "speed"), "mqtt", "session");
  for (const std::string &camera : options.cameras) {
    const auto slash = camera.find('/');
    if (slash == std::string::npos || !gst_npc_name_is_valid(camera.substr(0, slash).c_str()) ||
        !gst_npc_name_is_valid(camera.substr(slash + 1).c_str()))
      return wrong("--camera is a site and a camera, such as home/door");
  }
  if (options.send && options.cameras.size() > 1)
    return wrong("--send has one camera");
  if (options.count < 0 || options.interval < 0 || options.interval > kMostInterval)
    return wrong("--count is not negative, and --interval is from 0 to 3600000");
  return -1;
}

std::string time_of(const GstNpcCounts &counts) {
  g_autoptr(GDateTime) seconds =
      g_date_time_new_from_unix_utc(static_cast<gint64>(counts.time / 1000));
  if (seconds == nullptr)
    return std::to_string(counts.time);
  const Text text(g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S"), g_free);
  const Text all(g_strdup_printf("%s.%03uZ", text.get(), static_cast<guint>(counts.time % 1000)),
                 g_free);
  return all.get();
}

std::string flags_of(const GstNpcCounts &counts, const char *between) {
  g_autoptr(GFlagsClass) klass = G_FLAGS_CLASS(g_type_class_ref(GST_TYPE_NPC_COUNTS_FLAGS));
  std::string text;
  for (guint i = 0; i < klass->n_values; i++) {
    if ((counts.flags & klass->values[i].value) != 0)
      text.append(text.empty() ? "" : between).append(klass->values[i].value_nick);
  }
  return text;
}

// With quotes where CSV wants them.
std::string field(const std::string &text) {
  if (text.find_first_of("\",\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (const char c : text)
    quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

// One `name=value`, and a space in front if it is not the first.
void add(std::string &text, const gchar *name, const std::string &value) {
  text.append(text.empty() ? "" : " ").append(name).append("=").append(value);
}

std::string csv_of(const GstNpcCounts &counts) {
  std::string objects, lines, zones;
  for (guint i = 0; i < gst_npc_counts_get_n_objects(&counts); i++) {
    const GstNpcObjectCount *object = gst_npc_counts_get_object(&counts, i);
    add(objects, object->name, std::to_string(object->count));
  }
  for (guint i = 0; i < gst_npc_counts_get_n_lines(&counts); i++) {
    const GstNpcLineCount *line = gst_npc_counts_get_line(&counts, i);
    add(lines, line->name, std::to_string(line->in) + "/" + std::to_string(line->out));
  }
  for (guint i = 0; i < gst_npc_counts_get_n_zones(&counts); i++) {
    const GstNpcZoneCount *zone = gst_npc_counts_get_zone(&counts, i);
    add(zones, zone->name, std::to_string(zone->people));
  }
  std::string text = time_of(counts);
  for (const std::string &each :
       {std::string(counts.site), std::string(counts.camera), std::string(counts.boot),
        std::to_string(counts.seq), std::to_string(counts.interval), std::to_string(counts.people),
        std::to_string(counts.people_max), std::to_string(counts.moving),
        std::to_string(counts.faces), field(objects), lines, zones, flags_of(counts, " ")})
    text += "," + each;
  return text + "\n";
}

std::string text_of(const GstNpcCounts &counts) {
  std::string text = time_of(counts) + "  " + counts.site + "/" + counts.camera + " #" +
                     std::to_string(counts.seq) + "  people " + std::to_string(counts.people);
  if (counts.people_max != counts.people)
    text += " (at most " + std::to_string(counts.people_max) + ")";
  if (counts.moving > 0)
    text += ", moving " + std::to_string(counts.moving);
  if (counts.faces > 0)
    text += ", faces " + std::to_string(counts.faces);
  for (guint i = 0; i < gst_npc_counts_get_n_objects(&counts); i++) {
    const GstNpcObjectCount *object = gst_npc_counts_get_object(&counts, i);
    text += std::string(", ") + object->name + " " + std::to_string(object->count);
  }
  for (guint i = 0; i < gst_npc_counts_get_n_lines(&counts); i++) {
    const GstNpcLineCount *line = gst_npc_counts_get_line(&counts, i);
    text += std::string("; line ") + line->name + " in " + std::to_string(line->in) + " out " +
            std::to_string(line->out);
  }
  for (guint i = 0; i < gst_npc_counts_get_n_zones(&counts); i++) {
    const GstNpcZoneCount *zone = gst_npc_counts_get_zone(&counts, i);
    text += std::string("; zone ") + zone->name + " people " + std::to_string(zone->people);
  }
  const std::string flags = flags_of(counts, ", ");
  return text + (flags.empty() ? "" : "  [" + flags + "]") + "\n";
}

// Plays a pipeline until its end, Ctrl-C, or an error.
class Player {
 public:
  explicit Player(const Options &options)
      : options_(options), loop_(g_main_loop_new(nullptr, FALSE)) {}
  Player(const Player &) = delete;
  Player &operator=(const Player &) = delete;
  ~Player() {
    if (pipeline_ != nullptr) {
      gst_element_set_state(pipeline_, GST_STATE_NULL);
      gst_object_unref(pipeline_);
    }
    g_main_loop_unref(loop_);
  }

  /// Returns the exit status.
  int print();
  int send();

 private:
  bool make(const std::string &line, const std::string &element, const char *property);
  int play();
  static gboolean on_message(GstBus *, GstMessage *message, gpointer self);
  static gboolean on_signal(gpointer self);
  static gboolean on_interval(gpointer self);
  static void on_record(GstElement *, GstBuffer *buffer, GstPad *, gpointer self);
  void end();
  bool is_delivered() const;

  const Options &options_;
  GMainLoop *const loop_;
  GstElement *pipeline_ = nullptr;
  GstElement *source_ = nullptr;  // in the pipeline
  std::string boot_;
  gint done_ = 0;
  bool failed_ = false;
};

// `property` of `element` is the URI.
bool Player::make(const std::string &line, const std::string &element, const char *property) {
  g_autoptr(GError) error = nullptr;
  pipeline_ = gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (pipeline_ == nullptr) {
    g_printerr("npc-record: %s\n", error->message);
    return false;
  }
  gst_object_ref_sink(pipeline_);
  GstElement *named = gst_bin_get_by_name(GST_BIN(pipeline_), element.c_str());
  g_object_set(named, property, options_.uri.c_str(), nullptr);
  gst_object_unref(named);
  source_ = gst_bin_get_by_name(GST_BIN(pipeline_), "source");
  gst_object_unref(source_);
  return true;
}

int Player::play() {
  GstBus *bus = gst_element_get_bus(pipeline_);
  gst_bus_add_watch(bus, on_message, this);
  const guint interrupt = g_unix_signal_add(SIGINT, on_signal, this);
  const guint terminate = g_unix_signal_add(SIGTERM, on_signal, this);
  gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  g_main_loop_run(loop_);
  gst_element_set_state(pipeline_, GST_STATE_NULL);
  g_source_remove(terminate);
  g_source_remove(interrupt);
  gst_bus_remove_watch(bus);
  gst_object_unref(bus);
  return failed_ ? 1 : 0;
}

void Player::end() {
  GstFlowReturn result = GST_FLOW_OK;
  if (options_.send)
    g_signal_emit_by_name(source_, "end-of-stream", &result);
  else
    g_main_loop_quit(loop_);
}

gboolean Player::on_signal(gpointer self) {
  static_cast<Player *>(self)->end();
  return G_SOURCE_CONTINUE;
}

gboolean Player::on_message(GstBus *, GstMessage *message, gpointer user) {
  auto *self = static_cast<Player *>(user);
  g_autoptr(GError) error = nullptr;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      gst_message_parse_error(message, &error, nullptr);
      self->failed_ = true;
      g_main_loop_quit(self->loop_);
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning(message, &error, nullptr);
      break;
    case GST_MESSAGE_ELEMENT: {
      // Of a connection, a sender or an updater.
      const gchar *reason = gst_structure_get_string(gst_message_get_structure(message), "reason");
      if (reason != nullptr && *reason != '\0')
        g_printerr("npc-record: %s\n", reason);
      break;
    }
    case GST_MESSAGE_EOS:
      self->failed_ = self->failed_ || (self->options_.send && !self->is_delivered());
      g_main_loop_quit(self->loop_);
      break;
    default:
      break;
  }
  if (error != nullptr)
    g_printerr("npc-record: %s\n", error->message);
  return G_SOURCE_CONTINUE;
}

// On the streaming thread.
void Player::on_record(GstElement *, GstBuffer *buffer, GstPad *, gpointer user) {
  auto *self = static_cast<Player *>(user);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return;
  const Counts counts(gst_npc_counts_from_json(reinterpret_cast<const gchar *>(map.data),
                                               static_cast<gssize>(map.size), nullptr),
                      gst_npc_counts_free);
  gst_buffer_unmap(buffer, &map);
  const Options &options = self->options_;
  if (!counts || !options.wants(*counts) || (options.count > 0 && self->done_ >= options.count))
    return;
  g_print("%s", (options.csv ? csv_of(*counts) : text_of(*counts)).c_str());
  if (++self->done_ == options.count)
    self->end();
}

int Player::print() {
  if (!make("npcsrc name=source ! fakesink name=sink signal-handoffs=true sync=false", "source",
            "uri"))
    return 1;
  GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
  g_signal_connect(sink, "handoff", G_CALLBACK(on_record), this);
  gst_object_unref(sink);
  if (options_.csv)
    g_print("%s", kHead);
  return play();
}

gboolean Player::on_interval(gpointer user) {
  auto *self = static_cast<Player *>(user);
  const Options &options = self->options_;
  const std::string name = options.cameras.empty() ? "home/test" : options.cameras.front();
  const auto slash = name.find('/');
  const Counts counts(gst_npc_counts_new(name.substr(0, slash).c_str(),
                                         name.substr(slash + 1).c_str(), self->boot_.c_str()),
                      gst_npc_counts_free);
  counts->seq = static_cast<guint64>(self->done_++);
  counts->time = static_cast<guint64>(g_get_real_time() / 1000);
  counts->interval = static_cast<guint64>(options.interval);
  counts->people = counts->people_max = static_cast<guint>(counts->seq % 10);
  const Text json(gst_npc_counts_to_json(counts.get()), g_free);
  const std::string line = std::string(json.get()) + "\n";
  GstBuffer *buffer = gst_buffer_new_memdup(line.data(), line.size());
  GstFlowReturn result = GST_FLOW_OK;
  g_signal_emit_by_name(self->source_, "push-buffer", buffer, &result);
  gst_buffer_unref(buffer);
  if (options.count == 0 || self->done_ < options.count)
    return G_SOURCE_CONTINUE;
  self->end();
  return G_SOURCE_REMOVE;
}

int Player::send() {
  if (!make("appsrc name=source format=time is-live=true do-timestamp=true "
            "caps=\"" GST_NPC_COUNTS_CAPS "\" ! npcsink name=sink drain-timeout=60000000000",
            "sink", "updaters"))
    return 1;
  std::random_device random;
  const Text boot(g_strdup_printf("%08x%08x", random(), random()), g_free);
  boot_ = boot.get();
  g_timeout_add(static_cast<guint>(options_.interval), on_interval, this);
  return play();
}

// Whether nothing waits for the updater any more. The sink waited for a minute.
bool Player::is_delivered() const {
  GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
  g_autoptr(GstStructure) stats = nullptr;
  g_object_get(sink, "stats", &stats, nullptr);
  gst_object_unref(sink);
  const GValue *updaters = gst_structure_get_value(stats, "updaters");
  const GstStructure *updater = gst_value_get_structure(gst_value_array_get_value(updaters, 0));
  guint64 pending = 0;
  gst_structure_get_uint64(updater, "pending", &pending);
  if (pending > 0)
    g_printerr("npc-record: %" G_GUINT64_FORMAT " records were not delivered.\n", pending);
  return pending == 0;
}

}  // namespace

int main(int argc, char **argv) {
  Options options;
  const int status = parse_options(argc, argv, options);
  if (status >= 0)
    return status;
  Player player(options);
  return options.send ? player.send() : player.print();
}
