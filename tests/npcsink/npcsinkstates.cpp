// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink in pipelines that change their states: none may hang, and none may lose its EOS.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gst/base/gstbasesink.h>

#include "support/owned.h"
#include "support/pipeline.h"
#include "support/sink.h"

namespace {

using npc::test::eventually;
using npc::test::Owned;
using npc::test::Pipeline;
using npc::test::record_buffer;

constexpr GstClockTime kLong = 60 * GST_SECOND;  // only so that a broken test ends
const std::string kFrames = "video/x-raw,format=GRAY8,width=64,height=48,framerate=60/1 ! ";
const std::string kCounting = "npcdetect detector=motion ! npccount interval=100000000 ! ";

class NpcSinkStates : public npc::test::Sink {
 protected:
  // The streaming thread waits for PLAYING.
  bool is_waiting() {
    GstBaseSink *base = GST_BASE_SINK(sink_);
    if (g_mutex_trylock(GST_BASE_SINK_GET_PREROLL_LOCK(base)) == FALSE)
      return false;
    const bool waiting = base->have_preroll;
    GST_BASE_SINK_PREROLL_UNLOCK(base);
    return waiting;
  }

  // Whether `call`, on a thread of its own, returns; if it does not, `help` makes it.
  template <typename Call, typename Help>
  static bool returns(Call call, Help help) {
    std::atomic<bool> done = false;
    std::thread thread([&] {
      call();
      done = true;
    });
    const bool returned = eventually([&] { return done.load(); });
    if (!returned)
      help();
    thread.join();
    return returned;
  }
};

// GstBaseSrc pushes segments with a lock held that a live source needs on its way to PAUSED.
TEST_F(NpcSinkStates, ASegmentCompletesPausedAndDoesNotWaitForPlaying) {
  const Owned<GstPad> source(gst_pad_new("src", GST_PAD_SRC));
  const Owned<GstPad> pad(gst_element_get_static_pad(sink_, "sink"));
  gst_pad_link(source.get(), pad.get());
  gst_pad_set_active(source.get(), TRUE);
  ASSERT_EQ(gst_element_set_state(sink_, GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
  gst_pad_push_event(source.get(), gst_event_new_stream_start("a"));
  const Owned<GstCaps> caps(gst_caps_from_string(GST_NPC_COUNTS_CAPS));
  gst_pad_push_event(source.get(), gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  const auto leave = [this] { gst_element_set_state(sink_, GST_STATE_READY); };
  ASSERT_TRUE(returns(
      [&] { EXPECT_TRUE(gst_pad_push_event(source.get(), gst_event_new_segment(&segment))); },
      leave));
  EXPECT_EQ(gst_element_get_state(sink_, nullptr, nullptr, 0), GST_STATE_CHANGE_SUCCESS);

  // Records do wait, and no state change waits for one.
  std::thread streaming([&] {
    EXPECT_EQ(gst_pad_push(source.get(), record_buffer(0)), GST_FLOW_OK);
    EXPECT_EQ(gst_pad_push(source.get(), record_buffer(1)), GST_FLOW_OK);
  });
  EXPECT_TRUE(eventually([this] { return is_waiting(); }));
  EXPECT_EQ(total("received"), 0u);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  streaming.join();
  EXPECT_EQ(total("received"), 2u);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  gst_pad_push_event(source.get(), gst_event_new_eos());
  EXPECT_TRUE(wait_for(GST_MESSAGE_EOS));
}

TEST_F(NpcSinkStates, AnEosThatComesInPausedDoesNotHoldUpPlaying) {
  set_updaters("file:" + path("later/a"));
  g_object_set(sink_, "drain-timeout", 3600 * GST_SECOND, nullptr);
  play();
  push_records(0, 3);
  EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  std::thread streaming([this] { gst_harness_push_event(harness_, gst_event_new_eos()); });
  EXPECT_TRUE(eventually([&] { return is_waiting() || number("failed") > 1; }));
  const auto deliver = [this] { std::filesystem::create_directory(path("later")); };
  EXPECT_TRUE(returns(
      [this] {
        EXPECT_EQ(gst_element_set_state(sink_, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
      },
      deliver));
  deliver();
  streaming.join();
  EXPECT_TRUE(wait_for(GST_MESSAGE_EOS));
  EXPECT_EQ(content(path("later/a")), lines(0, 3));
}

// Sets a pipeline to PLAYING as soon as it says that it is PAUSED, as gst-launch-1.0 does, while
// the thread that made it PAUSED is held up in saying so.
class Hasty {
 public:
  explicit Hasty(GstElement *pipeline)
      : bus_(gst_element_get_bus(pipeline)), thread_([this, pipeline] { run(pipeline); }) {
    gst_bus_set_sync_handler(bus_.get(), on_message, this, nullptr);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
  }
  ~Hasty() {
    // The pipeline comes by PAUSED on its way down, too.
    gst_bus_set_sync_handler(bus_.get(), nullptr, nullptr, nullptr);
    {
      std::lock_guard lock(mutex_);
      paused_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  static GstBusSyncReply on_message(GstBus *, GstMessage *message, gpointer data) {
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STATE_CHANGED ||
        !GST_IS_PIPELINE(GST_MESSAGE_SRC(message)))
      return GST_BUS_PASS;
    GstState state;
    gst_message_parse_state_changed(message, nullptr, &state, nullptr);
    if (state != GST_STATE_PAUSED)
      return GST_BUS_PASS;
    Hasty &self = *static_cast<Hasty *>(data);
    std::unique_lock lock(self.mutex_);
    self.paused_ = true;
    self.changed_.notify_all();
    // That it plays before we return is what must not harm, or must not be.
    self.changed_.wait_for(lock, std::chrono::milliseconds(300), [&] { return self.plays_; });
    return GST_BUS_PASS;
  }

  void run(GstElement *pipeline) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return paused_; });
    lock.unlock();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    lock.lock();
    plays_ = true;
    changed_.notify_all();
  }

  const Owned<GstBus> bus_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool paused_ = false, plays_ = false;
  std::thread thread_;
};

void expect_eos_in_haste(const std::string &line, const std::string &clip = {}) {
  const Pipeline pipeline(line, clip);
  const Owned<GstElement> element = pipeline.element("all");
  const Hasty hasty(GST_ELEMENT(GST_OBJECT_PARENT(element.get())));
  EXPECT_TRUE(pipeline.read(GST_MESSAGE_EOS, kLong)) << line;
}

TEST(NpcSinkEos, SurvivesAnApplicationThatPlaysAtOnce) {
  const std::string line = "videotestsrc num-buffers=20 ! " + kFrames + "decodebin ! " + kCounting;
  expect_eos_in_haste(line + "npcsink name=all");
  expect_eos_in_haste(line + "tee name=all ! queue ! npcsink all. ! queue ! npcsink");
  expect_eos_in_haste(line + "tee name=all ! queue ! npcsink all. ! queue ! fakesink");
}

TEST(NpcSinkEos, OfTheClipSurvivesAnApplicationThatPlaysAtOnce) {
  const char *clip = std::getenv("NPC_CLIP");
  if (clip == nullptr || !std::filesystem::exists(clip))
    GTEST_SKIP() << "no NPC_CLIP";
  expect_eos_in_haste("identity eos-after=20 ! " + kCounting + "npcsink name=all", clip);
}

// Ends the process, with a word about what hangs, when one step takes too long.
class Watchdog {
 public:
  void expect(const std::string &step) {
    std::lock_guard lock(mutex_);
    step_ = step;
    since_ = std::chrono::steady_clock::now();
  }

 private:
  void run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; }) &&
           !stop.stop_requested()) {
      if (std::chrono::steady_clock::now() - since_ > std::chrono::seconds(90)) {
        std::fprintf(stderr, "hangs: %s\n", step_.c_str());
        std::abort();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string step_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::jthread thread_{[this](std::stop_token stop) { run(stop); }};
};

// Whether a bin may be in a fault of GStreamer's, with any sink. When its change from READY to
// PAUSED is complete, but its thread that goes on to PLAYING has not begun, gst_element_set_state()
// takes PAUSED for the change that is under way, and that thread gives up because it was overtaken.
// The bin then stays ASYNC until it goes to READY; its elements do not.
class Overtaking {
 public:
  void on_change(GstState state) {
    if (state <= GST_STATE_READY)
      *this = {};
    else if (state == GST_STATE_PLAYING)
      continues_ = !settled_;
    else if (continues_)
      lost_ = true;
  }
  void on_settled() {
    settled_ = true;
    continues_ = false;
  }
  bool is_possible() const { return lost_; }

 private:
  bool settled_ = false, continues_ = false, lost_ = false;
};

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {}

  void round(unsigned number) {
    live_ = one_in(2);
    // GstBaseSrc may not get to an EOS that is sent to a source which never waits.
    const bool ends = !live_ || one_in(2);
    const std::string line = make_line(ends);
    what_ = "round " + std::to_string(number) + ", " + line + ":";
    const Pipeline made(line);
    const Owned<GstElement> first = made.element("first");
    pipeline_ = GST_ELEMENT(GST_OBJECT_PARENT(first.get()));
    target_ = GST_STATE_NULL;
    overtaking_ = {};
    const Owned<GstBus> bus(gst_element_get_bus(pipeline_));
    for (unsigned step = pick(6) + 1; step > 0; step--) {
      do_something();
      g_usleep(pick(3) * pick(2000));
    }
    if (one_in(2))
      expect_eos(bus.get(), ends);
    set(GST_STATE_NULL);
    // An error of the stream would explain anything.
    const Owned<GstMessage> error(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
    EXPECT_FALSE(error) << what_;
  }

 private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
  bool one_in(unsigned count) { return pick(count) == 0; }
  template <std::size_t N>
  std::string one_of(const char *const (&texts)[N]) {
    return texts[pick(N)];
  }

  std::string make_line(bool ends) {
    decoding_ = one_in(3);
    std::string line = "videotestsrc name=first is-live=";
    line += live_ ? "true" : "false";
    if (ends)
      line += " num-buffers=" + std::to_string(pick(12) + 1);
    line += " ! " + kFrames + (decoding_ ? "decodebin ! " : one_of({"", "queue ! "})) + kCounting;
    line += one_of({"", "", "queue ! "});
    const std::string sink =
        one_of({"npcsink name=sink drain-timeout=0", "npcsink name=sink updaters=file:/dev/null"});
    if (!one_in(4))
      return line + sink;
    const std::string other = one_of({"npcsink", "fakesink", "fakesink async=false sync=false"});
    return line + "tee name=t ! queue ! " + sink + " t. ! queue ! " + other;
  }

  void set(GstState state) {
    watchdog_.expect(what_ += std::string(" ") + gst_element_state_get_name(state));
    EXPECT_NE(gst_element_set_state(pipeline_, state), GST_STATE_CHANGE_FAILURE) << what_;
    target_ = state;
    // A bin with a live source does not wait for its sinks.
    if (!live_)
      overtaking_.on_change(state);
    if (state == GST_STATE_READY)
      forget_eos();
    if (decoding_)
      settle();
  }

  // It was of the stream that READY has ended.
  void forget_eos() {
    const Owned<GstBus> bus(gst_element_get_bus(pipeline_));
    while (GstMessage *message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_EOS))
      gst_message_unref(message);
  }

  void settle() {
    watchdog_.expect(what_ += " settle");
    if (!overtaking_.is_possible()) {
      GstState state, pending;
      const GstStateChangeReturn result = gst_element_get_state(pipeline_, &state, &pending, kLong);
      EXPECT_TRUE(result == GST_STATE_CHANGE_SUCCESS || result == GST_STATE_CHANGE_NO_PREROLL)
          << what_ << " remains " << gst_element_state_get_name(state) << ", pending "
          << gst_element_state_get_name(pending);
      EXPECT_EQ(state, target_) << what_;
      if (target_ > GST_STATE_READY)
        overtaking_.on_settled();
    }
    // A live source that is not to play has nothing for its sink.
    if (live_ && target_ != GST_STATE_PLAYING)
      return;
    // FAILURE is how get_state() says that the bin went on to PLAYING while it waited.
    const Owned<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline_), "sink"));
    EXPECT_NE(gst_element_get_state(sink.get(), nullptr, nullptr, kLong), GST_STATE_CHANGE_ASYNC)
        << what_;
  }

  void do_something() {
    switch (pick(8)) {
      case 0:
        return decoding_ ? set(GST_STATE_PAUSED) : set(GST_STATE_READY);
      case 1:
      case 2:
        return set(GST_STATE_PAUSED);
      case 3:
        if (live_)
          return set(GST_STATE_PLAYING);
        watchdog_.expect(what_ += " seek");
        gst_element_seek_simple(pipeline_, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0);
        return;
      case 4:
        return settle();
      default:
        return set(GST_STATE_PLAYING);
    }
  }

  void expect_eos(GstBus *bus, bool ends) {
    if (overtaking_.is_possible())
      set(GST_STATE_READY);
    set(GST_STATE_PLAYING);
    // With any sink, an EOS that is sent in PAUSED to a source without a queue waits for PLAYING,
    // and PLAYING waits for it.
    const bool sends = !ends || (!live_ && one_in(3));
    if (sends && (!live_ || one_in(2)))
      settle();
    watchdog_.expect(what_ += " EOS");
    if (sends)
      gst_element_send_event(pipeline_, gst_event_new_eos());
    const Owned<GstMessage> eos(gst_bus_timed_pop_filtered(
        bus, kLong, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    ASSERT_TRUE(eos) << "lost: " << what_;
    EXPECT_EQ(GST_MESSAGE_TYPE(eos.get()), GST_MESSAGE_EOS) << what_;
  }

  std::mt19937 random_;
  bool live_ = false;
  // With decodebin, which gst_parse_launch() links only once, and whose change to PAUSED has to end
  // before the next one, whatever the sink.
  bool decoding_ = false;
  std::string what_;
  GstElement *pipeline_ = nullptr;
  GstState target_ = GST_STATE_NULL;
  Overtaking overtaking_;
  Watchdog watchdog_;
};

// NPC_STRESS=20000 says how many pipelines there are, NPC_SEED=7 which ones.
TEST(NpcSinkStorm, NeitherHangsNorLosesItsEos) {
  const char *rounds = std::getenv("NPC_STRESS"), *seed = std::getenv("NPC_SEED");
  Storm storm(seed != nullptr ? static_cast<unsigned>(std::atoi(seed)) : 1);
  for (int i = 0, n = rounds != nullptr ? std::atoi(rounds) : 300; i < n && !HasFailure(); i++)
    storm.round(static_cast<unsigned>(i));
}

}  // namespace
