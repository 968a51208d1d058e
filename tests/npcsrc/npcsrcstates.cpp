// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc in pipelines that change their states: none may hang, and nothing may be lost.
#include <glib/gstdio.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "support/owned.h"
#include "support/pipeline.h"
#include "support/records.h"
#include "support/sender.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Owned;
using npc::test::Pipeline;
using npc::test::record_json;

class NpcSrcStates : public testing::Test {
 protected:
  NpcSrcStates() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsrc-XXXXXX").string();
    directory_ = g_mkdtemp(name.data());
  }
  ~NpcSrcStates() override { std::filesystem::remove_all(directory_); }

  static GstElement *top(const Pipeline &pipeline) {
    return GST_ELEMENT(GST_OBJECT_PARENT(pipeline.element("src").get()));
  }

  std::string directory_;
};

// A sender that goes on until all of it is taken, as the updater unix: does, and sends what was not
// again from the start of its batch.
void send_all(const std::string &socket, guint64 count, std::stop_token stop) {
  constexpr guint64 kBatch = 20;
  for (guint64 seq = 0; seq < count && !stop.stop_requested();) {
    npc::test::Sender sender(socket);
    while (sender.is_connected() && seq < count && !stop.stop_requested()) {
      std::string batch;
      for (guint64 i = seq; i < std::min(count, seq + kBatch); i++)
        batch += record_json(i) + "\n";
      if (sender.try_send(batch) != static_cast<ssize_t>(batch.size()))
        break;
      bool gone = false;
      std::string nothing;
      while (!gone && !sender.is_taken() && !stop.stop_requested()) {
        gone = !sender.read(nothing);
        g_usleep(200);
      }
      // What was unread when the other end was closed is not there either.
      if (gone || sender.has_failed())
        break;
      seq += kBatch;
    }
    g_usleep(500);
  }
}

// What has arrived.
class Got {
 public:
  void add(GstBuffer *buffer) {
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    {
      std::lock_guard lock(mutex_);
      lines_.emplace(reinterpret_cast<char *>(map.data), map.size);
    }
    gst_buffer_unmap(buffer, &map);
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  std::mutex mutex_;
  std::set<std::string> lines_;
};

void take(GstElement *, GstBuffer *buffer, GstPad *, Got *got) {
  got->add(buffer);
}

// NPC_STRESS=2000 says how many changes there are, NPC_SEED=7 which ones.
TEST_F(NpcSrcStates, NoChangeHangsOrLosesARecord) {
  const char *rounds = std::getenv("NPC_STRESS"), *seed = std::getenv("NPC_SEED");
  std::mt19937 random(seed != nullptr ? static_cast<unsigned>(std::atoi(seed)) : 1);
  const std::string socket = directory_ + "/counts.sock";
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket + " state-file=" + directory_ +
                          "/state ! fakesink name=sink async=false signal-handoffs=true");
  Got got;
  const auto sink = pipeline.element("sink");
  g_signal_connect(sink.get(), "handoff", G_CALLBACK(take), &got);
  constexpr guint64 kCount = 20000;
  std::jthread sender([&](std::stop_token stop) { send_all(socket, kCount, stop); });
  constexpr GstState kStates[] = {GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                                  GST_STATE_PLAYING, GST_STATE_PLAYING};
  for (int i = 0, n = rounds != nullptr ? std::atoi(rounds) : 200; i < n; i++) {
    const GstState state = kStates[random() % 5];
    EXPECT_NE(gst_element_set_state(top(pipeline), state), GST_STATE_CHANGE_FAILURE);
    GstState now;
    EXPECT_NE(gst_element_get_state(top(pipeline), &now, nullptr, 60 * GST_SECOND),
              GST_STATE_CHANGE_ASYNC);
    EXPECT_EQ(now, state);
    g_usleep(random() % 5000);
  }
  pipeline.play();
  EXPECT_TRUE(eventually([&] { return got.size() >= kCount; })) << got.size();
  gst_element_set_state(top(pipeline), GST_STATE_NULL);
}

TEST_F(NpcSrcStates, AnEosEndsTheWait) {
  for (int i = 0; i < 30; i++) {
    const Pipeline pipeline("npcsrc name=src uri=unix:" + directory_ + "/a.sock ! npcsink");
    pipeline.play();
    g_usleep(static_cast<gulong>(i * 100));
    gst_element_send_event(top(pipeline), gst_event_new_eos());
    const Owned<GstMessage> eos = pipeline.read(GST_MESSAGE_EOS, 60 * GST_SECOND);
    ASSERT_TRUE(eos) << i;
  }
}

// What a flush takes away is pushed again, for no sink has it.
TEST_F(NpcSrcStates, AFlushLosesNothing) {
  const std::string socket = directory_ + "/a.sock";
  const Pipeline pipeline("npcsrc name=src uri=unix:" + socket +
                          " ! fakesink name=sink async=false signal-handoffs=true");
  Got got;
  const auto sink = pipeline.element("sink"), source = pipeline.element("src");
  g_signal_connect(sink.get(), "handoff", G_CALLBACK(take), &got);
  pipeline.play();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); }));
  const Owned<GstPad> pad(gst_element_get_static_pad(source.get(), "src"));
  const npc::test::Sender sender(socket);
  for (guint64 seq = 0; seq < 10; seq++) {
    // The record is being pushed when the flush begins.
    std::atomic<bool> blocked = false;
    const gulong probe = gst_pad_add_probe(
        pad.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
        [](GstPad *, GstPadProbeInfo *, gpointer data) {
          *static_cast<std::atomic<bool> *>(data) = true;
          return GST_PAD_PROBE_OK;
        },
        &blocked, nullptr);
    sender.send(record_json(seq) + "\n");
    ASSERT_TRUE(eventually([&] { return blocked.load(); }));
    gst_element_send_event(source.get(), gst_event_new_flush_start());
    gst_pad_remove_probe(pad.get(), probe);
    gst_element_send_event(source.get(), gst_event_new_flush_stop(FALSE));
    ASSERT_TRUE(eventually([&] { return got.size() == seq + 1; })) << seq;
  }
  EXPECT_TRUE(eventually([&] { return sender.is_taken(); }));
}

// A replay at the pace of its records waits for hours.
TEST_F(NpcSrcStates, AReplayStopsAtOnce) {
  const std::string path = directory_ + "/in.jsonl";
  std::ofstream(path) << record_json(0) << "\n" << record_json(10000) << "\n";
  for (const GstState state : {GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED}) {
    const Pipeline pipeline("npcsrc name=src uri=file:" + path + " ! npcsink");
    pipeline.play();
    ASSERT_TRUE(pipeline.next());
    EXPECT_NE(gst_element_set_state(top(pipeline), state), GST_STATE_CHANGE_FAILURE);
    EXPECT_NE(gst_element_get_state(top(pipeline), nullptr, nullptr, 60 * GST_SECOND),
              GST_STATE_CHANGE_ASYNC);
  }
}

}  // namespace
