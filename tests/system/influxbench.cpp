// SPDX-License-Identifier: LGPL-2.1-or-later
// How many records a second a real InfluxDB takes from the updater, and from the whole of npcsink.
#include <gst/npc/npc.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "influxd.h"
#include "npcsink/updaters/updater.h"

namespace {

using Clock = std::chrono::steady_clock;
using npc::Record;

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
  const auto begin = Clock::now();
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
  const std::chrono::duration<double> passed = Clock::now() - begin;
  std::printf("%7llu records of %u lines: %.0f records/s\n", static_cast<unsigned long long>(count),
              1 + 2 * places, static_cast<double>(count) / passed.count());
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
  const bool done = measure(influxd, 0, 200000) && measure(influxd, 1, 100000);
  return done ? 0 : 1;
}
