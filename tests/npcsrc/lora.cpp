// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink on a camera and npcsrc on a gateway, with models of LoRa chips and the air between them,
// in simulated time. What is pushed into one comes out of the other.
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/check/gstharness.h>
#include <gst/npc/npc.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "npcsink/gstnpcsink.h"
#include "npcsrc/gstnpcsrc.h"
#include "support/owned.h"
#include "support/pipeline.h"
#include "support/remotebus.h"
#include "support/sharedair.h"
#include "support/waiting.h"

namespace {

using namespace std::chrono_literals;
using npc::lora::Time;
using npc::test::AirFaults;
using npc::test::Owned;
using npc::test::Pipeline;
using npc::test::SharedAir;

using Counts = Owned<GstNpcCounts>;

constexpr guint64 kInterval = 2000;  // ms
constexpr guint64 kWindowsPerBlock = 10;
const std::string kKey(64, 'a'), kOtherKey(64, 'b');

std::string text_of(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A message of the bus, if it has that name and state.
bool is_news(GstMessage *message, const char *name, const char *state) {
  const GstStructure *structure = gst_message_get_structure(message);
  return structure != nullptr && gst_structure_has_name(structure, name) &&
         (state == nullptr || g_strcmp0(gst_structure_get_string(structure, "state"), state) == 0);
}

/// A counter and its sink.
class CameraEnd {
 public:
  explicit CameraEnd(SharedAir &air, const std::string &updater) : air_(air) {
    harness_ = gst_harness_new("npcsink");
    bus_.reset(gst_bus_new());
    gst_element_set_bus(harness_->element, bus_.get());
    // The harness has played it without updaters.
    gst_element_set_state(harness_->element, GST_STATE_NULL);
    g_object_set(harness_->element, "updaters", updater.c_str(), "drain-timeout", guint64{0},
                 nullptr);
    gst_harness_set_src_caps_str(harness_, GST_NPC_COUNTS_CAPS);
    gst_element_set_state(harness_->element, GST_STATE_PLAYING);
    gst_harness_play(harness_);
  }
  ~CameraEnd() {
    gst_element_set_bus(harness_->element, nullptr);
    gst_harness_teardown(harness_);
  }

  /// The next window is over.
  void count() {
    const Time due = began_ + times_.size() * std::chrono::milliseconds(kInterval);
    air_.pause(std::max(due - air_.now(), Time(0)));
    const Counts counts(gst_npc_counts_new("home", "door", "5f0c"));
    counts->seq = times_.size();
    counts->time = static_cast<guint64>(
        (npc::test::kUtcAtStart + std::chrono::duration_cast<std::chrono::milliseconds>(due))
            .count());
    counts->interval = kInterval;
    counts->people = counts->people_max = people(counts->seq);
    GstNpcLineCount *line = gst_npc_counts_add_line(counts.get(), "door");
    line->in = static_cast<guint>(counts->seq % 3);
    line->out = static_cast<guint>(counts->seq % 2);
    line->in_total = in_ += line->in;
    line->out_total = out_ += line->out;
    GstNpcZoneCount *zone = gst_npc_counts_add_zone(counts.get(), "queue");
    zone->people = 1;
    times_.push_back(counts->time);
    g_autofree gchar *json = gst_npc_counts_to_json(counts.get());
    const std::string text = std::string(json) + "\n";
    ASSERT_EQ(gst_harness_push(harness_, gst_buffer_new_memdup(text.data(), text.size())),
              GST_FLOW_OK);
  }
  void count(guint64 windows) {
    for (guint64 i = 0; i < windows; i++)
      count();
  }
  static guint people(guint64 seq) { return static_cast<guint>(seq / kWindowsPerBlock % 7); }

  void end() { gst_harness_push_event(harness_, gst_event_new_eos()); }
  guint64 pending() {
    Owned<GstStructure> stats;
    GstStructure *structure = nullptr;
    g_object_get(harness_->element, "stats", &structure, nullptr);
    stats.reset(structure);
    const GValue *list = gst_structure_get_value(structure, "updaters");
    guint64 pending = G_MAXUINT64;
    gst_structure_get_uint64(gst_value_get_structure(gst_value_array_get_value(list, 0)), "pending",
                             &pending);
    return pending;
  }
  /// Waits until the gateway has said that it has all, for that long in simulated time at most.
  bool is_delivered(Time most) {
    for (const Time until = air_.now() + most; pending() > 0 && air_.now() < until;)
      air_.pause(1s);
    return pending() == 0;
  }
  /// The reasons of the updater's news until now.
  std::vector<std::string> reasons(const char *state) {
    while (Owned<GstMessage> message{gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ELEMENT)})
      if (is_news(message.get(), "npc-updater", nullptr))
        news_.push_back(std::move(message));
    std::vector<std::string> reasons;
    for (const auto &message : news_)
      if (is_news(message.get(), "npc-updater", state))
        reasons.emplace_back(
            gst_structure_get_string(gst_message_get_structure(message.get()), "reason"));
    return reasons;
  }

  guint64 windows() const { return times_.size(); }
  guint64 time_of(guint64 seq) const { return times_.at(seq); }
  guint64 in_total() const { return in_; }
  guint64 out_total() const { return out_; }

 private:
  SharedAir &air_;
  GstHarness *harness_ = nullptr;
  Owned<GstBus> bus_;
  std::vector<Owned<GstMessage>> news_;
  std::vector<guint64> times_;
  const Time began_ = air_.now();
  guint64 in_ = 0, out_ = 0;
};

/// A gateway in a process of its own.
class GatewayProcess {
 public:
  GatewayProcess(SharedAir &air, const std::string &line) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error("no sockets");
    server_.emplace(air.join(npc::lora::Board::Chip::kSx1276), npc::Descriptor(ends[0]));
    const npc::Descriptor theirs(ends[1]);
    std::vector<std::string> words = {"/proc/self/exe", "--gtest_filter=LoraGateway.DISABLED_Runs",
                                      "--gtest_also_run_disabled_tests"};
    std::vector<char *> arguments;
    for (std::string &word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    g_auto(GStrv) environment = g_get_environ();
    environment = g_environ_setenv(environment, "NPC_LORA_BUS", "3", TRUE);
    environment = g_environ_setenv(environment, "NPC_LORA_LINE", line.c_str(), TRUE);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 3);
    // Its report is none of this test's.
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, arguments.data(),
                    environment) != 0)
      throw std::runtime_error("no process");
    posix_spawn_file_actions_destroy(&actions);
  }
  /// As kill -9 does it.
  ~GatewayProcess() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  GatewayProcess(const GatewayProcess &) = delete;
  GatewayProcess &operator=(const GatewayProcess &) = delete;

 private:
  pid_t process_ = -1;
  std::optional<npc::test::BusServer> server_;
};

class Lora : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    GST_ELEMENT_REGISTER(npcsink, nullptr);
    GST_ELEMENT_REGISTER(npcsrc, nullptr);
  }

  Lora() {
    std::string name = (std::filesystem::temp_directory_path() / "npclora-XXXXXX").string();
    directory_ = g_mkdtemp(name.data());
    write("key", kKey + "\n");
    write("cameras", "[7]\nsite=home\ncamera=door\nlines=door\nkey=" + kKey + "\n");
  }
  ~Lora() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string &name) const { return directory_ + "/" + name; }
  void write(const std::string &name, const std::string &text) const {
    std::ofstream(path(name)) << text;
    ASSERT_EQ(g_chmod(path(name).c_str(), 0600), 0);
  }

  std::string updater(const std::string &more = {}) const {
    return "lora:/dev/spidev0.0?board=waveshare-spi&camera=7&lines=door&period=20&key-file=" +
           path("key") + "&state-file=" + path("boots") + more;
  }
  std::string gateway_line() const {
    return "npcsrc name=src uri=lora:/dev/spidev0.1?board=adafruit-4074&cameras=" +
           path("cameras") + "&state-file=" + path("received") + " state-file=" + path("coverage") +
           " ! npcsink name=sink store=" + path("counts.db") + " updaters=file:" + path("counts");
  }
  std::unique_ptr<Pipeline> gateway() const {
    auto pipeline = std::make_unique<Pipeline>(gateway_line());
    pipeline->play();
    return pipeline;
  }

  /// What is in the gateway's file.
  std::vector<Counts> received() const {
    std::vector<Counts> all;
    std::istringstream text(text_of(path("counts")));
    for (std::string line; std::getline(text, line);) {
      all.emplace_back(gst_npc_counts_from_json(line.data(), -1, nullptr));
      EXPECT_TRUE(all.back()) << line;
    }
    return all;
  }

  /// Checks each record with what was counted, and returns how often each window is in one.
  static std::map<guint64, int> covered(const std::vector<Counts> &records,
                                        const CameraEnd &camera) {
    std::map<guint64, int> windows;
    for (const Counts &record : records) {
      const guint64 count = record->interval / kInterval;
      EXPECT_STREQ(record->camera, "door");
      EXPECT_LT(record->seq, camera.windows());
      for (guint64 i = 0; i < count; i++)
        windows[record->seq - i]++;
      if (count == kWindowsPerBlock) {
        EXPECT_EQ(record->people, CameraEnd::people(record->seq)) << record->seq;
      }
      EXPECT_NEAR(static_cast<double>(record->time),
                  static_cast<double>(camera.time_of(record->seq)), 3000);
    }
    return windows;
  }
  static void expect_all_once(const std::vector<Counts> &records, const CameraEnd &camera) {
    const std::map<guint64, int> windows = covered(records, camera);
    EXPECT_EQ(windows.size(), camera.windows());
    for (const auto &[seq, times] : windows)
      EXPECT_EQ(times, 1) << seq;
  }
  /// The crossings of all records, and the highest total.
  static void expect_totals(const std::vector<Counts> &records, guint64 in, guint64 out) {
    guint64 sum_in = 0, sum_out = 0, in_total = 0, out_total = 0;
    for (const Counts &record : records) {
      for (guint i = 0; i < gst_npc_counts_get_n_lines(record.get()); i++) {
        const GstNpcLineCount *line = gst_npc_counts_get_line(record.get(), i);
        EXPECT_STREQ(line->name, "door");
        sum_in += line->in;
        sum_out += line->out;
        in_total = std::max<guint64>(in_total, line->in_total);
        out_total = std::max<guint64>(out_total, line->out_total);
      }
    }
    EXPECT_EQ(sum_in, in);
    EXPECT_EQ(sum_out, out);
    EXPECT_EQ(in_total, in);
    EXPECT_EQ(out_total, out);
  }

  SharedAir air_;
  std::string directory_;
};

TEST_F(Lora, BringsAllRecordsThroughABadAir) {
  air_.set_faults({0.3, 0.1, 0.05});
  const auto gateway = this->gateway();
  CameraEnd camera(air_, updater());
  camera.count(600);
  camera.end();
  ASSERT_TRUE(camera.is_delivered(4h)) << camera.pending();
  EXPECT_GT(air_.lost(), 10);
  const auto records = received();
  expect_all_once(records, camera);
  expect_totals(records, camera.in_total(), camera.out_total());
  const auto notices = camera.reasons("notice");
  ASSERT_EQ(notices.size(), 1u) << "it is said once that zones are not sent";
  EXPECT_NE(notices[0].find("zones"), std::string::npos) << notices[0];
  EXPECT_TRUE(camera.reasons("refused").empty());
}

TEST_F(Lora, WithoutAcksHasExactTotalsAndReportsGaps) {
  air_.set_faults({0.4, 0, 0});
  const auto gateway = this->gateway();
  CameraEnd camera(air_, updater("&ack=0&history=0"));
  camera.count(600);
  air_.set_faults({});
  camera.count(20);
  camera.end();
  ASSERT_TRUE(camera.is_delivered(1h));
  air_.pause(15min);
  const auto records = received();
  auto windows = covered(records, camera);
  EXPECT_LT(windows.size(), camera.windows());
  expect_totals(records, camera.in_total(), camera.out_total());
  // What is missing is said, whether it is in the middle or at the beginning.
  while (windows.size() < camera.windows()) {
    const auto message = gateway->read(GST_MESSAGE_ELEMENT, 60 * GST_SECOND);
    ASSERT_TRUE(message) << windows.size() << " of " << camera.windows();
    if (!is_news(message.get(), "npc-gap", nullptr))
      continue;
    guint64 from = 0, to = 0;
    gst_structure_get(gst_message_get_structure(message.get()), "from", G_TYPE_UINT64, &from, "to",
                      G_TYPE_UINT64, &to, nullptr);
    for (guint64 seq = from; seq <= to; seq++)
      windows.emplace(seq, 1);  // or it has come since
  }
  for (const auto &[seq, times] : windows)
    EXPECT_EQ(times, 1) << seq;
  const auto notices = camera.reasons("notice");
  EXPECT_TRUE(std::any_of(notices.begin(), notices.end(), [](const std::string &notice) {
    return notice.find("ack=0") != std::string::npos;
  }));
}

TEST_F(Lora, BringsNothingTwiceWhenTheGatewayIsKilled) {
  air_.set_faults({0.3, 0.1, 0});
  std::optional<GatewayProcess> gateway;
  CameraEnd camera(air_, updater());
  for (int kills = 0; kills < 12; kills++) {
    gateway.emplace(air_, gateway_line());
    // At another place in the way of a frame each time.
    camera.count(40);
    air_.pause(173ms * kills);
    gateway.reset();
    camera.count(5);
  }
  gateway.emplace(air_, gateway_line());
  camera.end();
  ASSERT_TRUE(camera.is_delivered(4h)) << camera.pending();
  gateway.reset();
  const auto records = received();
  expect_all_once(records, camera);
  expect_totals(records, camera.in_total(), camera.out_total());
}

TEST_F(Lora, GoesOnWhereTheChipsAnswerAgain) {
  auto gateway = this->gateway();
  CameraEnd camera(air_, updater());
  camera.count(60);
  air_.cut(true);
  camera.count(60);
  while (camera.reasons("disconnected").empty())
    air_.pause(1s);
  air_.cut(false);
  camera.count(60);
  camera.end();
  ASSERT_TRUE(camera.is_delivered(4h));
  expect_all_once(received(), camera);
}

TEST_F(Lora, CatchesUpAfterAnHourWithoutTheGateway) {
  auto gateway = this->gateway();
  CameraEnd camera(air_, updater());
  camera.count(60);
  gateway.reset();
  camera.count(1800);
  gateway = this->gateway();
  camera.count(60);
  camera.end();
  ASSERT_TRUE(camera.is_delivered(6h)) << camera.pending();
  const auto records = received();
  expect_all_once(records, camera);
  expect_totals(records, camera.in_total(), camera.out_total());
}

TEST_F(Lora, GetsANewKey) {
  const std::string cameras = "[7]\nsite=home\ncamera=door\nlines=door\nkey=" + kKey;
  write("cameras", cameras + "\nnext-key=" + kOtherKey + "\n");
  const auto gateway = this->gateway();
  CameraEnd camera(air_, updater());
  camera.count(60);
  // In the middle of the stream, with records that wait.
  write("key", kOtherKey);
  air_.cut(true);
  camera.count(5);
  while (camera.reasons("disconnected").empty())
    air_.pause(1s);
  air_.cut(false);
  camera.count(60);
  camera.end();
  ASSERT_TRUE(camera.is_delivered(4h)) << camera.pending();
  const auto records = received();
  expect_all_once(records, camera);
  expect_totals(records, camera.in_total(), camera.out_total());
  for (std::string said; said.find("uses its new key") == std::string::npos;) {
    const auto warning = gateway->read(GST_MESSAGE_WARNING, 60 * GST_SECOND);
    ASSERT_TRUE(warning);
    g_autoptr(GError) error = nullptr;
    gst_message_parse_warning(warning.get(), &error, nullptr);
    said = error->message;
  }
}

TEST_F(Lora, NeedsTheSameKey) {
  write("key", kOtherKey);
  const auto gateway = this->gateway();
  CameraEnd camera(air_, updater());
  camera.count(60);
  EXPECT_GT(camera.pending(), 40u);
  EXPECT_TRUE(received().empty());
  const auto warning = gateway->read(GST_MESSAGE_WARNING, 60 * GST_SECOND);
  ASSERT_TRUE(warning);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_warning(warning.get(), &error, nullptr);
  EXPECT_NE(std::string(error->message).find("another key"), std::string::npos) << error->message;
}

TEST_F(Lora, SaysWhyAKeyIsNone) {
  write("key", "secret");
  CameraEnd camera(air_, updater());
  camera.count(1);
  ASSERT_TRUE(camera.pending() == 1);
  std::vector<std::string> reasons;
  ASSERT_TRUE(npc::test::eventually([&] {
    air_.pause(1s);
    reasons = camera.reasons("disconnected");
    return !reasons.empty();
  }));
  EXPECT_NE(reasons[0].find("64 hexadecimal digits"), std::string::npos) << reasons[0];
  EXPECT_EQ(reasons[0].find("secret"), std::string::npos) << reasons[0];
}

/// What a GatewayProcess runs, until it is killed.
class LoraGateway : public Lora {};

TEST_F(LoraGateway, DISABLED_Runs) {
  const char *line = std::getenv("NPC_LORA_LINE");
  if (line == nullptr)
    GTEST_SKIP() << "This is for GatewayProcess.";
  const Pipeline gateway(line);
  gateway.play();
  gateway.finish();
}

}  // namespace
