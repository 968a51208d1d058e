// SPDX-License-Identifier: LGPL-2.1-or-later
// Records a second through the mqtt updater at QoS 1, beside what mosquitto_pub reaches alone.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "../waiting.h"
#include "mosquitto.h"
#include "npcsink/updaters/updater.h"

namespace {

using npc::Record;
using npc::test::Process;
using npc::test::TemporaryDirectory;
using std::chrono::steady_clock;

constexpr int kRecords = 60000;

std::string json(int seq) {
  return R"({"version":1,"site":"home","camera":"door","boot":"5f0c","seq":)" +
         std::to_string(seq) +
         R"(,"time":1767225600000,"interval":2000,"people":3,"people_max":4,"moving":1,"faces":1,)"
         R"("objects":{"car":2},"lines":{"door":{"in":5,"out":4,"in_total":1204,"out_total":1187}},)"
         R"("zones":{"queue":{"people":2,"people_max":3,"entered":4,"dwell":31000}},"flags":[]})";
}

std::vector<Record> make_records() {
  std::vector<Record> records;
  for (int seq = 0; seq < kRecords; seq++) {
    records.push_back({"home", "door", json(seq),
                       "npc,camera=door,site=home people=3i,people_max=4i,moving=1i,faces=1i,seq=" +
                           std::to_string(seq) + "i 1767225600000000000"});
  }
  return records;
}

double since(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

// All records through an updater; returns records a second, or 0.
double deliver(const std::string &uri, const std::vector<Record> &records) {
  const auto updater = npc::Registry::standard().make(uri);
  std::string failure = updater->connect(records.front(), {});
  const auto begin = steady_clock::now();
  std::span<const Record> rest(records);
  while (failure.empty() && !rest.empty()) {
    const npc::Outcome outcome =
        updater->deliver(rest.first(std::min(rest.size(), updater->batch())), {});
    rest = rest.subspan(outcome.confirmed);
    failure = outcome.failure;
  }
  const double rate = kRecords / since(begin);
  updater->close();
  if (!failure.empty())
    std::printf("%s: %s\n", uri.c_str(), failure.c_str());
  return failure.empty() ? rate : 0;
}

}  // namespace

int main() {
  const TemporaryDirectory directory;
  const std::string lines = directory / "lines";
  {
    std::ofstream file(lines);
    for (int seq = 0; seq < kRecords; seq++)
      file << json(seq) << "\n";
  }
  const std::vector<Record> records = make_records();
  // As it is installed, but for the log, which would be what is measured.
  npc::test::Mosquitto broker = npc::test::Mosquitto::plain("allow_anonymous true\n");
  if (!npc::test::have_program("mosquitto_pub") || !broker.start())
    return 77;
  for (int round = 0; round < 3; round++) {
    const auto begin = steady_clock::now();
    Process alone({"sh", "-c",
                   "exec mosquitto_pub -p " + std::to_string(broker.port()) +
                       " -q 1 -t npc/home/door/counts -l <" + lines},
                  directory / "log");
    if (alone.wait() != 0)
      return 1;
    const double reference = kRecords / since(begin);
    std::printf("mosquitto_pub %8.0f records/s\n", reference);
    for (const char *query : {"", "?topics=counts,state"}) {
      const double rate = deliver("mqtt://" + broker.host() + "/" + query, records);
      std::printf("npcsink mqtt  %8.0f records/s, %.2f of it %s\n", rate, rate / reference, query);
      if (rate == 0)
        return 1;
    }
  }
  return 0;
}
