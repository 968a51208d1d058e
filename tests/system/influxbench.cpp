// SPDX-License-Identifier: LGPL-2.1-or-later
// How many records a second a real InfluxDB takes from the updater, and from the whole of npcsink.
#include <gst/check/gstharness.h>
#include <gst/npc/npc.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "../records.h"
#include "influxd.h"
#include "npcsink/updaters/updater.h"

namespace {

using Clock = std::chrono::steady_clock;
using npc::Record;

// Time, and what this process took of the processors: the database shares them.
class Stopwatch {
 public:
  void print(guint64 count) const {
    const std::chrono::duration<double> passed = Clock::now() - begin_;
    const double busy = static_cast<double>(std::clock() - busy_) / CLOCKS_PER_SEC;
    const double records = static_cast<double>(count);
    std::printf("%.0f records/s, %.1f us of processor time a record\n", records / passed.count(),
                busy / records * 1e6);
  }

 private:
  const Clock::time_point begin_ = Clock::now();
  const std::clock_t busy_ = std::clock();
};

// As npccount makes them, with `places` lines and as many zones.
Record make_record(guint64 seq, guint places) {
  const std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)> counts(gst_npc_counts_new(),
                                                                             gst_npc_counts_free);
  std::string json =
      "{\"version\":1,\"site\":\"home\",\"camera\":\"door\",\"boot\":\"5f0c\",\"seq\":" +
      std::to_string(seq) + ",\"time\":" + std::to_string(1767225600000 + seq * 2000) +
      ",\"interval\":2000,\"people\":3,\"people_max\":4,\"moving\":1,\"faces\":1,"
      "\"objects\":{},\"lines\":{";
  for (guint i = 0; i < places; i++) {
    json += std::string(i > 0 ? "," : "") + "\"line" + std::to_string(i) +
            "\":{\"in\":5,\"out\":4,\"in_total\":1204,\"out_total\":1187}";
  }
  json += "},\"zones\":{";
  for (guint i = 0; i < places; i++) {
    json += std::string(i > 0 ? "," : "") + "\"zone" + std::to_string(i) +
            "\":{\"people\":2,\"people_max\":3,\"entered\":4,\"dwell\":31000}";
  }
  json += "},\"flags\":[]}";
  GError *error = nullptr;
  const std::unique_ptr<GstNpcCounts, decltype(&gst_npc_counts_free)> read(
      gst_npc_counts_from_json(json.c_str(), -1, &error), gst_npc_counts_free);
  if (!read)
    g_error("%s", error->message);
  const std::unique_ptr<gchar, decltype(&g_free)> text(gst_npc_counts_to_line_protocol(read.get()),
                                                       g_free);
  Record record;
  record.site = "home";
  record.camera = "door";
  record.json = json;
  record.line_protocol = text.get();
  return record;
}

bool measure(const npc::test::Influxd &influxd, guint places, guint64 count) {
  std::vector<Record> records;
  for (guint64 seq = 0; seq < count; seq++)
    records.push_back(make_record(seq, places));
  const auto updater = npc::Registry::standard().make("influxdb://" + influxd.host() + "/npc");
  if (const std::string why = updater->connect(records[0], {}); !why.empty()) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return false;
  }
  const Stopwatch stopwatch;
  std::size_t done = 0;
  while (done < records.size()) {
    const std::size_t most = std::min(updater->batch(), records.size() - done);
    const npc::Outcome outcome = updater->deliver(std::span(records).subspan(done, most), {});
    if (!outcome.failure.empty()) {
      std::fprintf(stderr, "%s\n", outcome.failure.c_str());
      return false;
    }
    done += outcome.confirmed;
  }
  std::printf("%u lines a record: ", 1 + 2 * places);
  stopwatch.print(count);
  return true;
}

// All of npcsink: from buffers through a store on the disk.
bool measure_element(const npc::test::Influxd &influxd, guint64 count) {
  const npc::test::TemporaryDirectory directory;
  GstElement *const sink = gst_element_factory_make("npcsink", nullptr);
  if (sink == nullptr) {
    std::fprintf(stderr, "There is no npcsink: is GST_PLUGIN_PATH_1_0 set?\n");
    return false;
  }
  gst_object_ref_sink(sink);
  g_object_set(sink, "updaters", ("influxdb://" + influxd.host() + "/npc").c_str(), "store",
               (directory / "store").c_str(), "drain-timeout", 600 * GST_SECOND, nullptr);
  GstHarness *harness = gst_harness_new_with_element(sink, "sink", nullptr);
  gst_harness_set_src_caps_str(harness, GST_NPC_COUNTS_CAPS);
  std::vector<GstBuffer *> buffers;
  for (guint64 seq = 0; seq < count; seq++)
    buffers.push_back(npc::test::text_buffer(make_record(seq, 0).json + "\n"));
  const Stopwatch stopwatch;
  for (GstBuffer *buffer : buffers)
    gst_harness_push(harness, buffer);
  gst_harness_push_event(harness, gst_event_new_eos());
  std::printf("through npcsink and its store: ");
  stopwatch.print(count);
  GstStructure *stats = nullptr;
  g_object_get(sink, "stats", &stats, nullptr);
  gchar *text = gst_structure_to_string(stats);
  std::printf("%s\n", text);
  g_free(text);
  gst_structure_free(stats);
  gst_harness_teardown(harness);
  gst_object_unref(sink);
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  npc::test::Influxd influxd;
  if (!npc::test::have_program("influxd") || !influxd.start()) {
    std::fprintf(stderr, "There is no influxd: install the package influxdb.\n");
    return 77;
  }
  influxd.query("CREATE DATABASE npc");
  const bool done = measure(influxd, 0, 200000) && measure(influxd, 1, 100000) &&
                    measure_element(influxd, 100000);
  return done ? 0 : 1;
}
